from __future__ import annotations

import re
from functools import partial

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.model.job import AlreadyOver, JobError, JobPage, ListQuery, ObservedJob, Phase
from reconciler.plugin import BATCH_JOB, FINE_TUNING_JOB
from reconciler.ports import Response, SupportsEvents, jobs_by_kind
from reconciler.providers import load
from reconciler.testing import ProviderContract
from tests.contract.dialects.adapter_call import ask, job
from tests.contract.dialects.services import TOGETHER
from tests.contract.harnesses import Served, ServedHarness
from tests.support.canned_transport import CannedTransport, answer, complaint

KINDS = jobs_by_kind(load("together"))
asked = partial(ask, "together", {}, "canary-key-of-the-contract")
a_job = partial(job, "together")


class TestTogetherFineTunes(ProviderContract):
    """The fine-tuning jobs of `together` fulfil the contract over a real socket."""

    @pytest.fixture
    def stage(self, served: Served) -> ServedHarness:
        """Return a fresh world behind the server."""
        return ServedHarness(served, TOGETHER)


def shown(**fields: object) -> ObservedJob:
    found = asked(CannedTransport([answer({"id": "ft-1", **fields})]), lambda jobs: jobs.get_job(a_job("ft-1")))
    assert found is not None
    return found


def absence(response: Response, job_id: str = "ft-1") -> ObservedJob | None:
    return asked(CannedTransport([response]), lambda jobs: jobs.get_job(a_job(job_id)))


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("pending", Phase.QUEUED),
        ("queued", Phase.QUEUED),
        ("running", Phase.RUNNING),
        ("compressing", Phase.RUNNING),
        ("uploading", Phase.RUNNING),
        ("cancel_requested", Phase.CANCELLING),
        ("cancelled", Phase.CANCELLED),
        ("error", Phase.FAILED),
        ("completed", Phase.SUCCEEDED),
        ("user_error", Phase.FAILED),
        ("unheard_of", Phase.UNKNOWN),
        ("COMPLETED", Phase.UNKNOWN),
        (None, Phase.UNKNOWN),
        (7, Phase.UNKNOWN),
        (["completed"], Phase.UNKNOWN),
    ],
)
def test_each_status_word_of_a_fine_tuning_job_has_a_phase(status: object, phase: Phase) -> None:
    assert shown(status=status).phase is phase


def test_the_name_of_a_model_is_reported_only_once_the_job_has_succeeded() -> None:
    named = {"model_output_name": "acme/m"}

    assert shown(status="completed", **named).fine_tuned_model == "acme/m"
    assert {shown(status=each, **named).fine_tuned_model for each in ("running", "cancelled", "error")} == {None}


def test_the_last_error_event_of_a_failed_job_is_its_error() -> None:
    events = [
        {"type": "job_error", "message": "out of memory", "created_at": "2026-11-23T12:00:00Z"},
        {"type": "job_error", "message": "bad row 7", "created_at": "2026-11-23T13:00:00Z"},
        {"type": "refund", "message": "refunded", "created_at": "2026-11-23T13:30:00Z"},
        "garbled",
    ]

    assert shown(status="error", events=events).error == JobError(message="bad row 7")
    assert shown(status="user_error", events=[{"type": "JOB_USER_ERROR", "message": "bad file"}]).error == JobError(
        message="bad file"
    )
    assert shown(status="error", events=7).error is None
    assert shown(status="completed", events=events).error is None


def test_a_cancel_that_is_answered_with_a_completed_job_had_no_effect() -> None:
    transport = CannedTransport([answer({"id": "ft-1", "status": "completed"})])
    outcome = asked(transport, lambda jobs: jobs.cancel_job(a_job("ft-1")))

    assert isinstance(outcome, AlreadyOver)
    assert transport.asked == [("POST", "/v1/fine-tunes/ft-1/cancel", {})]


@pytest.mark.parametrize("message", ["Fine-tune ID not found.", "Fine-tuning job does not exist", "no such job: ft-1"])
def test_a_not_found_error_about_the_job_shows_that_it_is_absent(message: str) -> None:
    assert absence(complaint(404, message=message, type="invalid_request_error", param=None, code=None)) is None


@pytest.mark.parametrize(
    "response",
    [
        complaint(404, message="Not found"),
        complaint(404, message="Invalid URL (GET /v1/fine-tunes/ft-1)"),
        complaint(404, message="no route for /fine-tunes/ft-1"),
        complaint(404, message="The fine-tuning API is not available at this address"),
        complaint(404, message="Unable to access model acme/ft-12"),
        answer({"detail": "Not Found"}, 404),
        answer({"error": "Fine-tune ID not found."}, 404),
        answer({"error": {"message": None}}, 404),
        answer([], 404),
        answer(b"<html>Fine-tune ID not found: ft-1</html>", 404),
    ],
)
def test_any_other_404_is_no_absence(response: Response) -> None:
    with pytest.raises(PermanentError) as caught:
        absence(response)

    assert caught.value.kind is Kind.INVALID


def test_the_whole_list_of_fine_tuning_jobs_is_divided_into_pages_and_ends() -> None:
    body = {"data": [{"id": f"ft-{number}", "status": "running"} for number in range(3)]}

    def page(cursor: str | None) -> JobPage:
        return asked(CannedTransport([answer(body)]), lambda jobs: jobs.list_page(ListQuery(2), cursor))

    first, last, beyond = page(None), page("2"), page("4")

    assert ([each.id for each in first.jobs], first.next_cursor) == (["ft-0", "ft-1"], "2")
    assert ([each.id for each in last.jobs], last.next_cursor) == (["ft-2"], None)
    assert (beyond.jobs, beyond.next_cursor) == ((), None)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"id": "ft-1"}}, {"jobs": []}, "ft-1"])
def test_a_response_without_rows_is_not_an_empty_account(body: object) -> None:
    with pytest.raises(PermanentError):
        asked(CannedTransport([answer(body)]), lambda jobs: jobs.list_page(ListQuery(2), None))


def test_events_without_a_time_come_last() -> None:
    events = [{"message": "old"}, {"message": "new", "created_at": "2026-11-23T12:00:00Z"}, 7]
    transport = CannedTransport([answer({"data": events})])

    async def newest(jobs: object) -> list[str]:
        assert isinstance(jobs, SupportsEvents)
        return [each.message for each in await jobs.list_events(a_job("ft-1"), 5)]

    assert asked(transport, newest) == ["new", "old"]


@pytest.mark.parametrize("job_id", ["ft-1", "ft-b3c9c2a1-58f1-4d0c-a1a7-0b9c7f3f8f11"])
def test_the_id_of_a_fine_tuning_job_is_valid(job_id: str) -> None:
    assert re.fullmatch(KINDS[FINE_TUNING_JOB].id_pattern, job_id)


@pytest.mark.parametrize("job_id", ["", "ft-", "1", "ft-1/cancel", "ft-1/../2", "ft-..", "ft-1?x", "ft-1\n", "ft-1%2f"])
def test_an_id_that_could_change_the_path_of_a_url_is_invalid(job_id: str) -> None:
    assert re.fullmatch(KINDS[FINE_TUNING_JOB].id_pattern, job_id) is None


def test_the_jobs_of_each_kind_have_their_own_path() -> None:
    transport = CannedTransport([answer({"id": "ft-1"}), answer({"id": "ft-1"})])
    asked(transport, lambda jobs: jobs.get_job(a_job("ft-1")))
    asked(transport, lambda jobs: jobs.get_job(a_job("ft-1", BATCH_JOB)), BATCH_JOB)

    assert [path for _, path, _ in transport.asked] == ["/v1/fine-tunes/ft-1", "/v1/batches/ft-1"]
