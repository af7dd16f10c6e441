from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import AlreadyOver, JobCounts, JobError, JobRef, ObservedJob, Phase
from reconciler.ports import Response
from reconciler.providers._openai_batches import BATCHES, OpenAIBatches
from tests.support.both_kinds import a_batch
from tests.support.build import ACCOUNT
from tests.support.canned_transport import CannedTransport, answer, complaint

REF = JobRef(ACCOUNT.of_kind("BatchJob"), "batch_1")
GONE = "No batch found with id 'batch_1'."


def batches(*answers: Response) -> OpenAIBatches:
    return OpenAIBatches(CannedTransport([*answers]), EnvCredentials("KEY", {"KEY": "k-of-the-test"}), BATCHES)


def retrieved(**fields: Any) -> ObservedJob:
    job = asyncio.run(batches(answer(a_batch("batch_1", **fields))).get_job(REF))
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("validating", Phase.VALIDATING_FILES),
        ("in_progress", Phase.RUNNING),
        ("finalizing", Phase.RUNNING),
        ("completed", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("expired", Phase.FAILED),
        ("cancelling", Phase.CANCELLING),
        ("cancelled", Phase.CANCELLED),
        ("succeeded", Phase.UNKNOWN),
        ("queued", Phase.UNKNOWN),
    ],
)
def test_only_the_words_of_batches_have_a_phase(status: str, phase: Phase) -> None:
    assert retrieved(status=status).phase is phase


def test_an_expired_batch_has_failed_with_its_own_code_and_what_is_done() -> None:
    job = retrieved(status="expired")

    assert job.error == JobError(code="expired", message="expired: 23 of 100 done")
    assert (job.counts, job.tokens, job.output_file) == (JobCounts(100, 23, 1), 48211, "file-9a")
    assert job.finished_at is not None


@pytest.mark.parametrize(
    "data", [[{"code": "bad_line", "message": "line 3"}], {"code": "bad_line", "message": "line 3"}]
)
def test_the_first_error_of_a_batch_is_read_from_a_list_and_from_an_object(data: object) -> None:
    job = retrieved(status="failed", errors={"object": "list", "data": data})

    assert job.error == JobError(code="bad_line", message="line 3")


@pytest.mark.parametrize("odd", [None, [], "x", {"total": "many", "completed": -1}])
def test_counts_of_another_type_are_read_as_unknown(odd: object) -> None:
    job = retrieved(request_counts=odd, usage=odd, errors=odd)

    assert job.counts in (None, JobCounts())
    assert (job.tokens, job.error) == (None, None)


def test_a_batch_that_completes_before_its_cancel_is_already_over() -> None:
    refused = complaint(409, message="Cannot cancel a batch with status 'completed'.", type="invalid_request_error")
    found = asyncio.run(batches(refused, answer(a_batch("batch_1", "completed"))).cancel_job(REF))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "is_absent"),
    [
        ({"message": GONE, "type": "invalid_request_error", "code": None}, True),
        ({"message": GONE, "type": "invalid_request_error", "code": "batch_not_found"}, True),
        ({"message": GONE, "type": "invalid_request_error", "code": "fine_tune_not_found"}, False),
        ({"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}, False),
        ({"message": "Invalid URL (GET /v1/batches/batch_1)", "type": "invalid_request_error", "code": None}, False),
        ({"message": "No route: GET /v1/batches/batch_1", "type": "invalid_request_error", "code": None}, False),
        ({"message": "Path not found: /batches/batch_1", "type": "invalid_request_error", "code": "NOT_FOUND"}, False),
    ],
)
def test_only_an_error_about_this_batch_means_that_it_is_absent(error: dict[str, Any], *, is_absent: bool) -> None:
    reader = batches(answer({"error": error}, 404))
    if is_absent:
        assert asyncio.run(reader.get_job(REF)) is None
        return
    with pytest.raises(PermanentError) as caught:
        asyncio.run(reader.get_job(REF))

    assert caught.value.kind is Kind.INVALID


def test_a_fine_tuning_job_in_the_place_of_a_batch_is_never_shown_in_a_known_phase() -> None:
    row = {"object": "fine_tuning.job", "id": "batch_1", "status": "running", "created_at": 1_700_000_000}
    job = asyncio.run(batches(answer(row)).get_job(REF))

    assert job is not None
    assert job.phase is Phase.UNKNOWN
