from __future__ import annotations

from functools import partial

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import UNSET, JobCounts, JobError, ObservedJob, Phase
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.batch_harness import BEDROCK, BatchHarness
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.bedrock import ACCESS_KEY, REGION
from tests.contract.harnesses import Served
from tests.support.canned_transport import CannedTransport, answer

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

NUMBER = "a1b2c3d4e5f6"
ARN = f"arn:aws:bedrock:{REGION}:123456789012:model-invocation-job/{NUMBER}"
asked = partial(ask, "bedrock", {"region": REGION}, f"{ACCESS_KEY}:canary-secret-access-key", kind="BatchJob")


class TestBedrockBatches(ProviderContract):
    """The batches of `bedrock` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> BatchHarness:
        """Return fresh batches behind the server."""
        return BatchHarness(served, BEDROCK)


def test_a_response_to_a_stop_that_shows_another_job_does_not_accept_the_stop() -> None:
    transport = CannedTransport([answer({"jobArn": ARN.replace(NUMBER, "f6e5d4c3b2a1"), "status": "Stopped"})])
    with pytest.raises(PermanentError) as caught:
        asked(transport, lambda controller: controller.cancel_job(job("bedrock", NUMBER, "BatchJob")))

    assert caught.value.kind is Kind.INVALID


def shown(**fields: object) -> ObservedJob:
    transport = CannedTransport([answer({"jobArn": ARN, **fields})])
    found = asked(transport, lambda controller: controller.get_job(job("bedrock", NUMBER, "BatchJob")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("Submitted", Phase.QUEUED),
        ("Validating", Phase.VALIDATING_FILES),
        ("Scheduled", Phase.QUEUED),
        ("InProgress", Phase.RUNNING),
        ("Completed", Phase.SUCCEEDED),
        ("PartiallyCompleted", Phase.SUCCEEDED),
        ("Failed", Phase.FAILED),
        ("Expired", Phase.FAILED),
        ("Stopping", Phase.CANCELLING),
        ("Stopped", Phase.CANCELLED),
        ("Deleting", Phase.UNKNOWN),
    ],
)
def test_each_word_of_an_invocation_job_has_a_phase(status: str, phase: Phase) -> None:
    assert shown(status=status).phase is phase


def test_a_partly_completed_job_has_succeeded_and_says_how_much_is_done() -> None:
    counts = {"totalRecordCount": 10_000, "processedRecordCount": 9120, "successRecordCount": 9120}
    folder = {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out/"}}
    found = shown(status="PartiallyCompleted", errorRecordCount=0, outputDataConfig=folder, **counts)

    assert found.counts == JobCounts(10_000, 9120, 0)
    assert found.output_file == f"s3://bucket/out/{NUMBER}/"
    assert found.error == JobError(code="PartiallyCompleted", message="not all were processed in time")


def test_an_expired_job_has_failed_with_its_own_code() -> None:
    assert shown(status="Expired").error == JobError(code="expired", message="expired: it had not begun in time")


def test_a_row_without_counts_leaves_them_as_they_are() -> None:
    assert shown(status="InProgress").counts is UNSET


def test_a_batch_is_named_by_its_arn_or_by_the_end_of_it_and_never_by_its_name() -> None:
    type_ = load("bedrock")
    batches = type_.kinds["BatchJob"]  # type: ignore[attr-defined]
    options = type_.options.model_validate({"region": REGION})

    assert batches.canonical_id(ARN, options) == batches.canonical_id(NUMBER, options) == NUMBER
    with pytest.raises(ValueError, match="but the options name "):
        batches.canonical_id(ARN.replace(REGION, "eu-west-1"), options)
