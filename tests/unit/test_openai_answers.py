from __future__ import annotations

import asyncio
from datetime import date

import pytest

from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import TERMINAL, Accepted, Account, AlreadyOver, JobRef, ListQuery, ObservedJob, Phase
from reconciler.model.retirement import ModelEnd
from reconciler.ports import Response
from reconciler.providers._openai import OPENAI_JOBS, OpenAIJobs
from tests.support.canned_transport import CannedTransport, answer

KEY = "canary-key-of-the-dialect"
REF = JobRef(Account("openai", "https://api.openai.com/v1"), "ftjob-1")
NOT_FOUND = {"error": {"type": "invalid_request_error", "code": "fine_tune_not_found", "message": "no ftjob-1"}}


def jobs(*answers: Response) -> OpenAIJobs:
    return OpenAIJobs(CannedTransport([*answers]), EnvCredentials("KEY", {"KEY": KEY}), OPENAI_JOBS)


def complaint(status: int, **error: object) -> Response:
    return answer({"error": error}, status)


def retrieved(response: Response) -> ObservedJob | None:
    return asyncio.run(jobs(response).get_job(REF))


# --- invalid responses ---


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html>",
        b'{"id": "ftjob-1", "sta',
        b"[" * 200_000,
        b"9" * 5000,
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"ftjob-1"',
        b"{}",
        b'{"id": null, "status": "cancelled"}',
        b'{"id": "", "status": "cancelled"}',
        b'{"id": 1, "status": "cancelled"}',
        b'{"id": "ftjob-1\\n", "status": "cancelled"}',
        b'{"id": "\\ud800", "status": "cancelled"}',
        b'{"id": "ftjob-2", "status": "cancelled"}',
        b'{"id": "FTJOB-1", "status": "cancelled"}',
        b'{"output": {"status": "success"}}',
    ],
)
def test_a_response_other_than_the_requested_job_is_an_error(body: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieved(answer(body))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "error",
    [
        {"type": "invalid_request_error", "code": "fine_tune_not_found", "message": "No such fine tune"},
        {"type": "invalid_request_error", "code": None, "message": "No such fine-tuning job: ftjob-1"},
        {"code": "notFound", "message": "The specified resource is not found."},
        {"code": "job_not_found"},
    ],
)
def test_the_not_found_error_of_the_provider_means_an_absent_job(error: dict[str, object]) -> None:
    assert retrieved(complaint(404, **error)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<h1>Not Found</h1>",
        {"detail": "Not Found"},
        {"error": "not_found"},
        {"error": None},
        {"error": {}},
        {"error": {"type": "invalid_request_error", "message": "Invalid URL (GET /v1/fine_tuning/jobs/ftjob-1)"}},
        {
            "error": {
                "type": "invalid_request_error",
                "code": "unknown_url",
                "message": "Unknown request URL: GET /fine_tuning/jobs/ftjob-1",
            }
        },
        {"error": {"type": "invalid_request_error", "code": "project_not_found", "message": "no project for ftjob-1"}},
        {"error": {"type": "invalid_request_error", "code": "model_not_found", "message": "no model for ftjob-1"}},
        {"error": {"type": "invalid_request_error", "message": "No such organization"}},
        {"error": {"type": "invalid_request_error", "message": "The model of ftjob-1 was not found"}},
        {"error": {"type": "invalid_request_error", "message": "No upstream for ftjob-1"}},
        {"error": {"code": "404", "message": "Resource not found"}},
    ],
)
def test_any_other_404_is_an_error(body: object) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieved(answer(body, 404))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("status", [200, 400, 403, 410, 500])
def test_a_not_found_error_with_another_http_status_is_not_an_absence(status: int) -> None:
    with pytest.raises(ProviderError):
        retrieved(answer(NOT_FOUND, status))


# --- lists ---


def listed(body: object) -> str | None:
    return asyncio.run(jobs(answer(body)).list_page(ListQuery(2), None)).next_cursor


ROWS = [{"id": "ftjob-3", "status": "running"}, {"id": "ftjob-2", "status": "queued"}]


@pytest.mark.parametrize(
    ("body", "cursor"),
    [
        ({"data": ROWS, "has_more": True}, "ftjob-2"),
        ({"data": ROWS, "has_more": False}, None),
        ({"data": ROWS}, "ftjob-2"),
        ({"data": ROWS, "has_more": None}, "ftjob-2"),
        ({"data": [], "has_more": False}, None),
        ({"data": []}, None),
    ],
)
def test_a_list_ends_at_has_more_false_or_at_an_empty_page(body: object, cursor: str | None) -> None:
    assert listed(body) == cursor


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": {}},
        {"data": [None], "has_more": False},
        {"data": [{"status": "running"}], "has_more": False},
        {"data": [], "has_more": True},
    ],
)
def test_an_incomplete_list_page_is_an_error(body: object) -> None:
    with pytest.raises(ProviderError):
        listed(body)


# --- refusals ---


def asked_to_cancel(*answers: Response) -> Accepted | AlreadyOver:
    return asyncio.run(jobs(*answers).cancel_job(REF))


REFUSAL = complaint(400, type="invalid_request_error", code=None, message="Job is already over, see https://x/?k=v")


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_a_refused_cancel_of_a_finished_job_returns_its_terminal_phase(phase: Phase, status: int) -> None:
    found = asked_to_cancel(
        complaint(status, message="too late"), answer({"id": REF.id, "status": phase.value, "finished_at": 1})
    )

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is phase


def test_a_conflicting_cancel_of_a_cancelling_job_returns_its_phase() -> None:
    found = asked_to_cancel(complaint(409, code="conflict"), answer({"id": REF.id, "status": "cancelling"}))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase is Phase.CANCELLING


@pytest.mark.parametrize(
    "taken",
    [
        answer(b"", 204),
        answer(b"", 202),
        answer(b""),
        answer(b"null"),
        answer({"status": "success"}),
        answer({"error": None}),
        answer({"error": {"code": None, "message": None}}),
        answer({"error": False, "errors": [], "success": True, "message": "the cancel has begun"}),
        answer({"code": 0, "message": "ok"}),
        answer({"id": REF.id, "status": "running", "error": {"code": "slow", "message": "was slow once"}}),
        answer({"id": REF.id, "status": "pendingCancellation"}),
        answer({"id": REF.id, "status": "cancelled"}),
    ],
)
def test_a_2xx_response_accepts_a_cancel_with_one_request(taken: Response) -> None:
    assert asked_to_cancel(taken) == Accepted()


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_2xx_response_with_a_job_that_succeeded_or_failed_is_not_an_acceptance(status: str) -> None:
    found = asked_to_cancel(answer({"id": REF.id, "status": status, "error": {"code": "x", "message": "y"}}))

    assert isinstance(found, AlreadyOver)
    assert found.job.phase == status


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no such route"},
        {"error": {"code": "upstream", "message": "no such route"}},
        {"error": True, "message": "no such route"},
        {"error": ["no such route"]},
        {"errors": [{"message": "no such route"}]},
        {"errors": {"id": "no such route"}},
        {"fault": {"faultstring": "no such route"}},
        {"success": False, "detail": "no such route"},
        {"ok": False, "message": "no such route"},
        {"status": "error", "message": "no such route"},
        {"title": "no such route", "status": 404, "type": "about:blank"},
        {"code": 405, "message": "no such route"},
        {"id": "another", "error": "no such route"},
    ],
)
def test_a_2xx_response_with_an_error_is_a_refusal_with_its_message(body: object) -> None:
    with pytest.raises(PermanentError, match="no such route") as caught:
        asked_to_cancel(answer(body), answer({"id": REF.id, "status": "running"}))

    assert caught.value.kind is Kind.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in</title>",
        [],
        False,
        {"detail": "Method not supported"},
        {"message": "Batches cannot be cancelled here", "request_id": "r-1"},
        {"code": 5, "message": "Not Found", "details": []},
        {"id": "another", "status": "running"},
        {"id": "another", "status": "cancelled"},
    ],
)
def test_a_2xx_response_that_shows_no_acceptance_of_this_cancel_is_no_clear_response(body: object) -> None:
    with pytest.raises(PermanentError) as caught:
        asked_to_cancel(answer(body))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize(
    "look",
    [
        answer({"id": REF.id, "status": "running"}),
        answer({"id": REF.id, "status": "reticulating"}),
        answer(NOT_FOUND, 404),
        answer(b"", 500),
        answer(b"<html>"),
    ],
)
def test_a_refused_cancel_of_an_unfinished_job_shows_the_providers_message(look: Response) -> None:
    with pytest.raises(PermanentError) as caught:
        asked_to_cancel(REFUSAL, look)

    assert caught.value.kind is Kind.REFUSED
    assert str(caught.value).endswith("(HTTP 400: Job is already over, see https://x/)")


def test_a_cancel_of_an_unknown_job_is_refused() -> None:
    with pytest.raises(PermanentError) as caught:
        asked_to_cancel(answer(NOT_FOUND, 404))

    assert caught.value.kind is Kind.REFUSED
    assert "does not know this job" in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        {"type": "insufficient_quota"},
        {"code": "insufficient_quota"},
        {"code": "credit_balance_exhausted"},
        {"code": "organization_spend_limit_exceeded"},
        {"code": "project_spend_limit_exceeded"},
        {"code": "organization_usage_limit_exceeded"},
    ],
)
def test_an_exhausted_quota_is_not_a_rate_limit(error: dict[str, object]) -> None:
    with pytest.raises(PermanentError) as caught:
        retrieved(complaint(429, **error))

    assert caught.value.kind is Kind.REFUSED
    assert "credit" in str(caught.value)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "slow_down", None])
def test_a_rate_limit_is_not_an_exhausted_quota(code: str | None) -> None:
    with pytest.raises(TransientError) as caught:
        retrieved(complaint(429, type="requests", code=code))

    assert caught.value.delivered is Delivered.NO


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_message_of_a_transient_error_contains_only_the_http_status(status: int) -> None:
    with pytest.raises(TransientError) as caught:
        retrieved(complaint(status, message="try again in 20s, request id req_123"))

    assert str(caught.value) == f"the provider responded with HTTP {status}"


def test_a_job_with_status_created_is_queued() -> None:
    found = retrieved(answer({"id": REF.id, "status": "created"}))

    assert isinstance(found, ObservedJob)
    assert (found.phase, found.provider_status) == (Phase.QUEUED, "created")


@pytest.mark.parametrize(
    ("rows", "ends"),
    [
        ([{"id": "gpt-4o", "shutdown_date": "2027-01-14"}], [ModelEnd("gpt-4o", date(2027, 1, 14))]),
        ([{"id": "gpt-4o", "shutdown_date": None}, {"id": "gpt-5"}], []),
        ([{"id": "a", "shutdown_date": "soon"}, {"id": "b", "shutdown_date": 7}, {"shutdown_date": "2027-01-14"}], []),
        ([7, None, "x"], []),
        ("no list", []),
    ],
    ids=["a date", "no date", "unreadable", "no rows", "no list"],
)
def test_the_end_of_a_model_is_read_only_from_a_row_with_a_name_and_a_day(rows: object, ends: list[ModelEnd]) -> None:
    found = asyncio.run(jobs(answer({"data": rows})).list_model_ends())

    assert list(found) == ends
