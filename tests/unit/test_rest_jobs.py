from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from reconciler.errors import Kind, PermanentError
from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import UNSET, Account, JobCounts, JobError, JobPage, JobRef, ListQuery, ObservedJob, Phase
from reconciler.plugin import BATCH_JOB
from reconciler.ports import Response, jobs_by_kind
from reconciler.providers import NAMES, load
from reconciler.providers._rest_jobs import RestJobs
from reconciler.providers._rest_service import RestService
from tests.support.canned_transport import CannedTransport, answer

SERVICES = sorted(
    each for each in NAMES if isinstance(load(each), RestService) and BATCH_JOB in jobs_by_kind(load(each))
)
"""The types whose batches `RestJobs` manages."""


def reader(name: str, *answers: Response) -> RestJobs:
    type_ = load(name)
    assert isinstance(type_, RestService)
    return RestJobs(
        CannedTransport([*answers]), EnvCredentials("KEY", {"KEY": "k-of-the-test"}), type_.collections[BATCH_JOB].api
    )


def retrieved(name: str, row: dict[str, Any]) -> ObservedJob:
    shown = row.get("batch", row)
    job_id = str(shown.get("id") or shown.get("name")).removeprefix("batches/")
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), job_id)
    job = asyncio.run(reader(name, answer(row)).get_job(ref))
    assert job is not None
    return job


def page(name: str, body: object, size: int = 2, cursor: str | None = None) -> JobPage:
    return asyncio.run(reader(name, answer(body)).list_page(ListQuery(size), cursor))


def test_the_pages_of_mistral_end_at_the_total() -> None:
    rows = [{"id": f"0000000{number}", "status": "RUNNING"} for number in range(2)]
    first, last = (page("mistral", {"data": rows, "total": 4}, cursor=cursor) for cursor in (None, "1"))
    untold = page("mistral", {"data": rows[:1]}, cursor="1")

    assert (first.next_cursor, last.next_cursor, untold.next_cursor) == ("1", None, None)


def test_an_empty_page_of_mistral_before_the_total_repeats_its_cursor_so_that_the_list_does_not_seem_endless() -> None:
    empty = {"data": [], "total": 5000}

    assert page("mistral", empty, cursor="7").next_cursor == "7"
    assert page("mistral", empty).next_cursor == "0"
    assert page("mistral", {"data": [], "total": 0}).next_cursor is None


def test_a_batch_of_mistral_that_took_too_long_has_expired() -> None:
    counts = {"total_requests": 100, "succeeded_requests": 23, "failed_requests": 1}
    found = retrieved("mistral", {"id": "00000000", "status": "TIMEOUT_EXCEEDED", **counts})

    assert (found.phase, found.counts) == (Phase.FAILED, JobCounts(100, 23, 1))
    assert found.error == JobError(code="expired", message="expired: 23 of 100 done")


def test_both_spellings_of_a_uuid_of_mistral_are_one_job() -> None:
    batches, options = jobs_by_kind(load("mistral"))[BATCH_JOB], load("mistral").options()
    spellings = ["B3C9C2A1-58F1-4D0C-A1A7-0B9C7F3F8F11", "b3c9c2a1-58f1-4d0c-a1a7-0b9c7f3f8f11"]

    assert {batches.canonical_id(each, options) for each in spellings} == {spellings[1]}


def test_the_whole_list_of_together_is_divided_into_pages() -> None:
    rows = [{"id": f"b{number}", "status": "IN_PROGRESS"} for number in range(3)]
    first, last = page("together", rows), page("together", rows, cursor="2")

    assert ([each.id for each in first.jobs], first.next_cursor) == (["b0", "b1"], "2")
    assert ([each.id for each in last.jobs], last.next_cursor) == (["b2"], None)
    assert page("together", []).jobs == ()


def test_an_expired_batch_of_together_has_failed_with_its_own_code() -> None:
    found = retrieved("together", {"id": "b", "status": "EXPIRED", "error": None})

    assert (found.phase, found.error) == (
        Phase.FAILED,
        JobError(code="expired", message="expired: not completed in time"),
    )


def test_an_empty_list_of_gemini_or_cohere_may_have_no_key_for_its_rows() -> None:
    assert page("gemini", {}) == page("cohere", {}) == JobPage((), None)
    with pytest.raises(PermanentError):
        page("mistral", {})


@pytest.mark.parametrize("name", [each for each in SERVICES if each != "together"])
def test_an_array_is_the_list_of_no_service_that_returns_an_object(name: str) -> None:
    with pytest.raises(PermanentError):
        page(name, [])


def test_the_counts_of_gemini_are_read_from_texts() -> None:
    stats = {"requestCount": "100", "successfulRequestCount": "23", "failedRequestCount": 5}
    metadata = {"state": "BATCH_STATE_RUNNING", "batchStats": stats}

    assert retrieved("gemini", {"name": "batches/a", "metadata": metadata}).counts == JobCounts(100, 23, None)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": "40", "output_tokens": "2"}, 42),
        ({"input_tokens": "40", "output_tokens": "many"}, None),
        ({"input_tokens": "40"}, None),
        ({}, UNSET),
    ],
)
def test_the_tokens_of_cohere_are_the_sum_of_two_texts(usage: dict[str, str], tokens: object) -> None:
    assert retrieved("cohere", {"batch": {"id": "b", "status": "BATCH_STATUS_IN_PROGRESS", **usage}}).tokens == tokens


def test_both_spellings_of_a_uuid_of_cohere_are_one_job_and_other_ids_stay_as_they_are() -> None:
    batches, options = jobs_by_kind(load("cohere"))[BATCH_JOB], load("cohere").options()
    spellings = ["9439E0E3-49A4-4336-93E3-485FC420BC18", "9439e0e3-49a4-4336-93e3-485fc420bc18", "Batch_1"]

    assert {batches.canonical_id(each, options) for each in spellings} == {*spellings[1:]}


@pytest.mark.parametrize("prefix", ["BATCH_STATE", "JOB_STATE"])
@pytest.mark.parametrize(
    ("state", "phase", "code"),
    [
        ("PENDING", Phase.QUEUED, None),
        ("RUNNING", Phase.RUNNING, None),
        ("SUCCEEDED", Phase.SUCCEEDED, None),
        ("FAILED", Phase.FAILED, "3"),
        ("CANCELLED", Phase.CANCELLED, None),
        ("EXPIRED", Phase.FAILED, "expired"),
        ("ARCHIVED", Phase.UNKNOWN, None),
    ],
)
def test_a_state_of_gemini_has_two_names(prefix: str, state: str, phase: Phase, code: str | None) -> None:
    row = {"name": "batches/a", "metadata": {"state": f"{prefix}_{state}"}, "error": {"code": 3, "message": "bad line"}}
    found = retrieved("gemini", row)

    assert (found.phase, found.provider_status) == (phase, f"{prefix}_{state}")
    assert getattr(found.error, "code", None) == code


@pytest.mark.parametrize(
    ("done", "error", "phase"),
    [
        (True, {"code": 1, "message": "cancelled"}, Phase.CANCELLED),
        (True, {"code": 13, "message": "internal"}, Phase.FAILED),
        (True, {}, Phase.RUNNING),
        (True, None, Phase.RUNNING),
        (False, {"code": 1, "message": "cancelled"}, Phase.RUNNING),
        ("true", {"code": 1, "message": "cancelled"}, Phase.RUNNING),
    ],
)
def test_an_operation_of_gemini_that_is_done_with_an_error_has_ended(done: object, error: object, phase: Phase) -> None:
    row = {"name": "batches/a", "done": done, "error": error, "metadata": {"state": "BATCH_STATE_RUNNING"}}

    assert retrieved("gemini", row).phase is phase


@pytest.mark.parametrize("word", ["BATCH_STATUS_CANCELED", "BATCH_STATUS_CANCELLED"])
def test_both_spellings_of_a_cancelled_batch_of_cohere_are_known(word: str) -> None:
    assert retrieved("cohere", {"batch": {"id": "b", "status": word}}).phase is Phase.CANCELLED


@pytest.mark.parametrize("metadata", [None, "x", {}])
def test_an_operation_of_gemini_without_a_state_is_in_no_known_phase(metadata: object) -> None:
    assert retrieved("gemini", {"name": "batches/a", "metadata": metadata}).phase is Phase.UNKNOWN


def test_a_wrong_key_of_gemini_is_denied_although_its_status_is_400() -> None:
    error = {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid. Please pass a valid API key."}
    with pytest.raises(PermanentError) as caught:
        asyncio.run(reader("gemini", answer({"error": error}, 400)).list_page(ListQuery(2), None))

    assert caught.value.kind is Kind.DENIED


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("body", [{}, {"detail": "Not Found"}, {"error": "no"}, {"error": {}}, {"error": None}, []])
def test_a_404_that_does_not_mention_a_batch_is_no_absence(name: str, body: object) -> None:
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), "zz-9")
    with pytest.raises(PermanentError) as caught:
        asyncio.run(reader(name, answer(body, 404)).get_job(ref))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("message", ["Not found", "Requested entity was not found.", "The model was not found"])
def test_a_404_that_does_not_say_what_was_not_found_names_the_id_as_a_possible_cause(name: str, message: str) -> None:
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), "zz-9")
    said = answer(in_the_format_of(name, message), 404)
    with pytest.raises(PermanentError) as of_the_job:
        asyncio.run(reader(name, said).get_job(ref))
    with pytest.raises(PermanentError) as of_the_list:
        asyncio.run(reader(name, said).list_page(ListQuery(2), None))

    assert ("check the job's id, the base URL" in str(of_the_job.value)) is (message != "The model was not found")
    assert "check the base URL" in str(of_the_list.value)


def in_the_format_of(name: str, message: str) -> object:
    """Return the body of a 404 of a service with this message."""
    error = {"type": "not_found_error", "status": "NOT_FOUND", "message": message}
    formats: dict[str, object] = {
        "cohere": {"message": message},
        "mistral": {"detail": message},
        "xai": {"error": message},
    }
    return formats.get(name, {"type": "error", "error": error})


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    "message",
    [
        "The batch API is not enabled for this workspace",
        "The batch job endpoint does not exist",
        "The model for this batch job was not found",
        "unknown service: batch job",
        "Batches not found",
        "The model of batch job zz-9 was not found",
        "Results for batch job zz-9 not found",
        "Route for batch job zz-9: no healthy upstream",
        "No upstream for zz-9",
    ],
)
def test_a_404_about_the_batch_api_itself_is_no_absence(name: str, message: str) -> None:
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), "zz-9")
    with pytest.raises(PermanentError) as caught:
        asyncio.run(reader(name, answer(in_the_format_of(name, message), 404)).get_job(ref))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    "message",
    [
        "Batch job not found",
        "The batch job 'zz-9' was not found.",
        "Batch job ID does not exist",
        "No batch job found with this id",
        "Error: batch job could not be found",
        "zz-9 not found",
        "The batch job zz-9 does not exist (GET /batches/zz-9)",
    ],
)
def test_a_404_that_says_that_the_batch_does_not_exist_is_an_absence(name: str, message: str) -> None:
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), "zz-9")

    assert asyncio.run(reader(name, answer(in_the_format_of(name, message), 404)).get_job(ref)) is None


@pytest.mark.parametrize(
    ("cancelled", "numbers", "phase"),
    [
        (None, (0, 0, 0, 0, 0), Phase.VALIDATING_FILES),
        (None, (100, 77, 23, 0, 0), Phase.RUNNING),
        (None, (100, 0, 23, 0, 0), Phase.RUNNING),  # 77 requests are neither pending nor done: they may still run
        ("2026-11-30", (100, 0, 23, 0, 70), Phase.CANCELLING),
        ("", (0, 0, 0, 0, 0), Phase.VALIDATING_FILES),
        (None, (100, 0, 99, 1, 0), Phase.SUCCEEDED),
        (None, (100, 0, 23, 0, 77), Phase.CANCELLED),
        ("2026-11-23", (100, 50, 23, 0, 27), Phase.CANCELLING),
        ("2026-11-23", (100, 0, 23, 0, 77), Phase.CANCELLED),
        ("2026-11-23", (100, 0, 100, 0, 0), Phase.SUCCEEDED),
        ("2026-11-23", (0, 0, 0, 0, 0), Phase.CANCELLED),
        (None, (100, None, 0, 0, 0), Phase.UNKNOWN),
    ],
)
def test_the_state_of_a_batch_of_xai_is_derived(
    cancelled: str | None, numbers: tuple[int | None, ...], phase: Phase
) -> None:
    names = ("num_requests", "num_pending", "num_success", "num_error", "num_cancelled")
    row = {"batch_id": "b", "cancel_time": cancelled, "state": dict(zip(names, numbers, strict=True))}
    found = asyncio.run(reader("xai", answer(row)).get_job(JobRef(Account("xai", "https://x", kind="BatchJob"), "b")))

    assert found is not None
    assert found.phase is phase


def xai_batch(state: object, **fields: object) -> ObservedJob:
    ref = JobRef(Account("xai", "https://x", kind="BatchJob"), "b")
    found = asyncio.run(reader("xai", answer({"batch_id": "b", "state": state, **fields})).get_job(ref))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("state", "phase", "counts"),
    [
        ({"num_requests": 100, "num_pending": 100}, Phase.RUNNING, JobCounts(100, 0, 0)),
        ({"num_requests": 100, "num_success": 23}, Phase.RUNNING, JobCounts(100, 23, 0)),
        ({"num_requests": 100, "num_success": 100}, Phase.SUCCEEDED, JobCounts(100, 100, 0)),
        ({"num_requests": 0}, Phase.VALIDATING_FILES, JobCounts(0, 0, 0)),
    ],
)
def test_a_count_that_xai_leaves_out_is_zero(state: object, phase: Phase, counts: JobCounts) -> None:
    found = xai_batch(state)

    assert (found.phase, found.counts) == (phase, counts)


@pytest.mark.parametrize("state", [{}, None, [], {"num_pending": 0, "num_success": 100}, {"num_requests": None}])
def test_a_batch_of_xai_without_a_number_of_requests_is_in_no_known_phase(state: object) -> None:
    assert xai_batch(state).phase is Phase.UNKNOWN


@pytest.mark.parametrize("state", [{"num_pending": 40}, {"num_success": 23}, {"num_success": 23, "num_cancelled": 77}])
def test_a_batch_that_xai_cancelled_has_failed_whatever_its_counts(state: dict[str, int]) -> None:
    found = xai_batch({"num_requests": 100, **state}, cancel_by_xai_message="bad requests", cancel_time="2026-11-23")

    assert (found.phase, found.provider_status) == (Phase.FAILED, "cancelled by xAI")
    assert found.error == JobError(message="bad requests")


@pytest.mark.parametrize(
    ("time", "phase"), [("0001-01-01T00:00:00Z", Phase.RUNNING), ("2026-11-23T00:00:00Z", Phase.CANCELLING)]
)
def test_the_year_1_is_no_time_of_a_cancel_of_xai(time: str, phase: Phase) -> None:
    assert xai_batch({"num_requests": 2, "num_pending": 2}, cancel_time=time).phase is phase


@pytest.mark.parametrize("odd", ["num_error", "num_cancelled"])
def test_the_progress_of_a_batch_of_xai_without_a_count_does_not_change_its_status_word(odd: str) -> None:
    def word_after(done: int) -> str:
        found = xai_batch({"num_requests": 100, "num_pending": 100 - done, "num_success": done, odd: "many"})
        assert found.phase is Phase.UNKNOWN
        return found.provider_status

    assert word_after(40) == word_after(60) == f"no {odd}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_response_to_a_cancel_that_shows_another_batch_does_not_accept_the_cancel(name: str) -> None:
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), "zz-9")
    another = answer({"id": "zz-8", "batch_id": "zz-8", "name": "batches/zz-8"})

    with pytest.raises(PermanentError, match="a job other than the requested one") as caught:
        asyncio.run(reader(name, another).cancel_job(ref))
    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    ("name", "job_id", "body"),
    [
        ("mistral", "00000000", {"statusCode": 404, "message": "Cannot GET {path}", "error": "Not Found"}),
        ("mistral", "00000000", {"message": "Route GET:/gateway{path} not found", "error": "Not Found"}),
        ("mistral", "00000000", {"detail": "no route for /batch/jobs/00000000"}),
        ("together", "b", {"error": {"message": "about something else"}}),
        ("together", "b", {"error": {"message": "Unknown request URL: GET {path}", "code": "unknown_url"}}),
        ("xai", "b", {"error": "not found: {path}"}),
        ("cohere", "b", {"message": "no route for {path}"}),
        ("cohere", "b", {"message": "model 'batch-command' not found"}),
        ("anthropic", "msgbatch_1", {"type": "error", "error": {"type": "not_found_error", "message": "no {path}"}}),
        ("gemini", "b", {"error": {"status": "NOT_FOUND", "message": "no method for {path}"}}),
        ("gemini", "b", {"error": {"status": "NOT_FOUND", "message": "Method not found: batches.get"}}),
        ("anthropic", "msgbatch_1", {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}),
        ("anthropic", "msgbatch_1", {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}),
    ],
)
def test_a_not_found_error_that_names_the_address_does_not_show_that_a_batch_is_absent(
    name: str, job_id: str, body: object
) -> None:
    type_ = load(name)
    assert isinstance(type_, RestService)
    said = json.loads(json.dumps(body).replace("{path}", f"{type_.collections[BATCH_JOB].api.path}/{job_id}"))
    ref = JobRef(Account(name, "https://canned.example", kind="BatchJob"), job_id)

    with pytest.raises(PermanentError) as caught:
        asyncio.run(reader(name, answer(said, 404)).get_job(ref))
    assert caught.value.kind is Kind.INVALID
