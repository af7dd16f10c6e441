from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.credentials import EnvCredentials, NoCredentials
from reconciler.errors import Delivered, Kind, Permanent, ProviderError, Transient
from reconciler.model.job import TERMINAL, UNFINISHED, UNSET, Account, JobError, JobRef, ListQuery, ObservedJob, Phase
from reconciler.plugin import clean, failure, redact
from reconciler.ports import AccountConfig, Credentials, Response, Transport
from reconciler.providers import NAMES, known, load
from reconciler.providers._openai import Dialect, OpenAIJobs

ACCOUNT = Account("openai", "https://api.openai.com/v1")
REF = JobRef(ACCOUNT, "ftjob-1")
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KEY = "canary-key-of-the-dialect"
NOT_FOUND = {"error": {"type": "invalid_request_error", "code": "fine_tune_not_found", "message": "no ftjob-1"}}


def answer(body: object, status: int = 200, **headers: Any) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers={}, body=data, at=AT, **headers)


def complaint(status: int, **error: object) -> Response:
    return answer({"error": error}, status)


@dataclass
class Provider:
    """The other end of a transport: gives the answers in turn, and keeps what it was asked."""

    answers: list[Response]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        assert json is None
        self.asked.append((method, path, dict(query or {})))
        self.headers = dict(headers or {})
        return self.answers.pop(0)

    def to_app(self, app: object) -> Transport:
        raise NotImplementedError(app)


def jobs(provider: Provider, credentials: Credentials | None = None, dialect: Dialect | None = None) -> OpenAIJobs:
    return OpenAIJobs(provider, credentials or EnvCredentials("KEY", {"KEY": KEY}), dialect or Dialect())


def retrieved(response: Response) -> ObservedJob | None:
    return asyncio.run(jobs(Provider([response])).get_job(REF))


def shown(**row: object) -> ObservedJob:
    job = retrieved(answer({"id": REF.id, "status": "running", **row}))
    assert job is not None
    return job


# --- what is asked ---


def test_the_requests_are_those_of_the_official_client() -> None:
    job = {"id": REF.id, "status": "running"}
    page = {"data": [], "has_more": False}
    provider = Provider([answer(page), answer(page), *[answer(job)] * 4, answer(page)])
    controller = jobs(provider)

    async def everything() -> None:
        await controller.list_page(ListQuery(100), None)
        await controller.list_page(ListQuery(100), "ftjob-9")
        await controller.get_job(REF)
        await controller.cancel_job(REF)
        await controller.pause_job(REF)
        await controller.resume_job(REF)
        await controller.list_events(REF, 5)

    asyncio.run(everything())

    assert provider.asked == [
        ("GET", "/fine_tuning/jobs", {"limit": "100"}),
        ("GET", "/fine_tuning/jobs", {"limit": "100", "after": "ftjob-9"}),
        ("GET", "/fine_tuning/jobs/ftjob-1", {}),
        ("POST", "/fine_tuning/jobs/ftjob-1/cancel", {}),
        ("POST", "/fine_tuning/jobs/ftjob-1/pause", {}),
        ("POST", "/fine_tuning/jobs/ftjob-1/resume", {}),
        ("GET", "/fine_tuning/jobs/ftjob-1/events", {"limit": "5"}),
    ]
    assert provider.headers["authorization"] == f"Bearer {KEY}"


def test_an_id_is_quoted_into_the_url() -> None:
    provider = Provider([answer({"id": "a/b c?d", "status": "running"})])
    asyncio.run(jobs(provider).get_job(JobRef(ACCOUNT, "a/b c?d")))

    assert provider.asked[0][1] == "/fine_tuning/jobs/a%2Fb%20c%3Fd"


def test_what_differs_between_services_is_the_dialects() -> None:
    dialect = Dialect(
        jobs_path="/openai/fine_tuning/jobs",
        statuses={"pending": Phase.QUEUED},
        headers={"x-who": "me"},
        query={"api-version": "2024-10-21"},
        authorise=lambda token: {"api-key": token},
    )
    provider = Provider([answer({"data": [{"id": "ftjob-2", "status": "pending"}], "has_more": False})])
    page = asyncio.run(jobs(provider, dialect=dialect).list_page(ListQuery(5), None))

    assert page.jobs[0].phase is Phase.QUEUED
    assert provider.asked == [("GET", "/openai/fine_tuning/jobs", {"api-version": "2024-10-21", "limit": "5"})]
    assert provider.headers == {"accept": "application/json", "x-who": "me", "api-key": KEY}


def test_without_a_key_no_authorisation_is_sent() -> None:
    provider = Provider([answer({"id": REF.id, "status": "running"})])
    asyncio.run(jobs(provider, NoCredentials()).get_job(REF))

    assert provider.headers == {"accept": "application/json"}


def test_organization_and_project_are_sent_and_are_part_of_the_account() -> None:
    type_ = load("openai")
    options = type_.options.model_validate({"project": "proj_1", "organization": "org-1"})
    provider = Provider([answer({"id": REF.id, "status": "running"})])
    config = AccountConfig(account=ACCOUNT, options=options, state_dir=None, now=lambda: AT)

    async def main() -> None:
        async with type_.open(config, provider, NoCredentials()) as controller:
            await controller.get_job(REF)

    asyncio.run(main())

    assert provider.headers["openai-organization"] == "org-1"
    assert provider.headers["openai-project"] == "proj_1"
    assert type_.scope(options) == (("organization", "org-1"), ("project", "proj_1"))
    assert type_.scope(type_.options()) == ()


# --- what a job says ---


def test_a_whole_job_is_read_whole() -> None:
    job = shown(
        status="succeeded",
        model="gpt-4o-mini-2024-07-18",
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:org::1",
        created_at=1_700_000_000,
        finished_at=1_700_000_100,
        estimated_finish=None,
        trained_tokens=5120,
        error={"code": None, "message": None, "param": None},
    )

    assert job == ObservedJob(
        id="ftjob-1",
        phase=Phase.SUCCEEDED,
        provider_status="succeeded",
        model="gpt-4o-mini-2024-07-18",
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:org::1",
        created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        started_at=UNSET,
        finished_at=datetime(2023, 11, 14, 22, 15, tzinfo=UTC),
        estimated_finish_at=None,
        trained_tokens=5120,
        error=None,
        as_of=AT,
    )


@pytest.mark.parametrize("phase", sorted(UNFINISHED | TERMINAL))
def test_the_words_of_the_field_are_known(phase: Phase) -> None:
    assert shown(status=phase.value).phase is phase


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("Cancelled", "Cancelled"),
        ("canceled", "canceled"),
        (" cancelled", "cancelled"),
        ("cancelled\x00", "cancelled"),
        ("absent", "absent"),
        ("unknown", "unknown"),
        ("re\x1b[31mticulating\n", "re [31mticulating"),
        ("x" * 100, "x" * 64),
        (None, "null"),
        (7, "7"),
        (["cancelled"], '["cancelled"]'),
        ({"word": "cancelled"}, '{"word": "cancelled"}'),
        (True, "true"),
    ],
)
def test_any_other_word_is_no_phase_and_is_shown_cleaned(status: object, word: str) -> None:
    job = shown(status=status)

    assert (job.phase, job.provider_status) == (Phase.UNKNOWN, word)


def test_a_field_that_is_left_out_is_unset_and_a_null_is_none() -> None:
    fields = ("model", "fine_tuned_model", "created_at", "finished_at", "trained_tokens", "error")
    bare = shown()
    nulls = shown(**dict.fromkeys(fields))

    assert [getattr(bare, each) for each in fields] == [UNSET] * len(fields)
    assert [getattr(nulls, each) for each in fields] == [None] * len(fields)


@pytest.mark.parametrize("value", [0, -1, True, "1700000000", [], {}, 253_402_300_800, 1e300, float("nan"), 10**400])
def test_a_time_that_no_job_can_have_is_none(value: object) -> None:
    assert shown(created_at=value).created_at is None


@pytest.mark.parametrize("value", [-1, True, 1.5, "5120", []])
def test_a_count_that_is_none_is_none(value: object) -> None:
    assert shown(trained_tokens=value).trained_tokens is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({}, None),
        ({"code": "", "message": None}, None),
        ([], None),
        (False, None),
        ("broken", JobError(message="broken")),
        ({"code": "bad_data", "message": "line\n3"}, JobError(code="bad_data", message="line 3")),
        ({"code": 7, "message": "see https://x.example/a?token=t"}, JobError(message="see https://x.example/a")),
    ],
)
def test_an_error_is_one_only_if_it_says_something(value: object, error: JobError | None) -> None:
    assert shown(error=value).error == error


TEXT = st.text("cdeghlnpstu0:/?&= \n\x00\x1bé\u2028\ud800")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("status", "model", "created_at", "finished_at", "estimated_finish", "trained_tokens", "error", "started_at")


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_no_field_of_any_type_breaks_the_reading_or_ends_a_job(row: dict[str, Any]) -> None:
    job = shown(**{"status": None, **row})

    assert job.phase not in TERMINAL or row["status"] == job.phase.value


# --- answers that are none ---


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
        b'{"id": "ftjob-2", "status": "cancelled"}',
        b'{"id": "FTJOB-1", "status": "cancelled"}',
        b'{"output": {"status": "success"}}',
    ],
)
def test_what_is_not_the_job_that_was_asked_for_is_an_error(body: bytes) -> None:
    with pytest.raises(Permanent) as caught:
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
def test_the_providers_own_not_found_answer_is_an_absence(error: dict[str, object]) -> None:
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
        {"error": {"code": "404", "message": "Resource not found"}},
    ],
)
def test_any_other_404_is_an_error(body: object) -> None:
    with pytest.raises(Permanent) as caught:
        retrieved(answer(body, 404))

    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("status", [200, 400, 403, 410, 500])
def test_not_found_with_any_other_status_is_never_an_absence(status: int) -> None:
    with pytest.raises(ProviderError):
        retrieved(answer(NOT_FOUND, status))


# --- lists ---


def listed(body: object) -> str | None:
    return asyncio.run(jobs(Provider([answer(body)])).list_page(ListQuery(2), None)).next_cursor


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
def test_a_list_ends_where_the_provider_says_so_or_at_an_empty_page(body: object, cursor: str | None) -> None:
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
def test_a_list_that_is_not_whole_is_an_error_and_never_its_end(body: object) -> None:
    with pytest.raises(ProviderError):
        listed(body)


# --- refusals ---


def asked_to_cancel(*answers: Response) -> ObservedJob | None:
    return asyncio.run(jobs(Provider([*answers])).cancel_job(REF))


REFUSAL = complaint(400, type="invalid_request_error", code=None, message="Job is already over, see https://x/?k=v")


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize("phase", sorted(TERMINAL))
def test_a_refused_cancel_of_a_job_that_is_over_is_quiet(phase: Phase, status: int) -> None:
    job = asked_to_cancel(
        complaint(status, message="too late"), answer({"id": REF.id, "status": phase.value, "finished_at": 1})
    )

    assert job is not None
    assert job.phase is phase


@pytest.mark.parametrize(
    "look",
    [
        answer({"id": REF.id, "status": "running"}),
        answer({"id": REF.id, "status": "cancelling"}),
        answer({"id": REF.id, "status": "reticulating"}),
        answer(NOT_FOUND, 404),
        answer(b"", 500),
        answer(b"<html>"),
    ],
)
def test_a_refused_cancel_of_any_other_job_is_a_refusal_in_the_providers_words(look: Response) -> None:
    with pytest.raises(Permanent) as caught:
        asked_to_cancel(REFUSAL, look)

    assert caught.value.kind is Kind.REFUSED
    assert str(caught.value).endswith("(HTTP 400: Job is already over, see https://x/)")


def test_a_cancel_of_an_unknown_job_is_refused() -> None:
    with pytest.raises(Permanent) as caught:
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
def test_an_empty_account_is_not_a_rate_limit(error: dict[str, object]) -> None:
    with pytest.raises(Permanent) as caught:
        retrieved(complaint(429, **error))

    assert caught.value.kind is Kind.REFUSED
    assert "credit" in str(caught.value)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "slow_down", None])
def test_a_rate_limit_is_not_an_empty_account(code: str | None) -> None:
    with pytest.raises(Transient) as caught:
        retrieved(complaint(429, type="requests", code=code))

    assert caught.value.delivered is Delivered.NO


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_a_provider_that_repeats_the_key_does_not_get_it_into_words(status: int) -> None:
    try:
        said = str(retrieved(answer({"id": REF.id, "model": KEY, "error": {"message": f"bad key {KEY}"}}, status)))
    except ProviderError as error:
        said = str(error)

    assert KEY not in said
    assert "[redacted]" in said


# --- events ---


def test_events_are_read_with_the_same_tolerance() -> None:
    rows = [{"created_at": 1_700_000_000, "level": "warn", "message": "slow\n"}, {"created_at": "x"}, None]
    events = asyncio.run(jobs(Provider([answer({"data": rows})])).list_events(REF, 5))

    assert [(each.level, each.message) for each in events] == [("warn", "slow"), ("info", "")]
    assert events[1].at is None


# --- the plug-in surface ---


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Kind.REFUSED), (401, Kind.DENIED), (403, Kind.DENIED), (404, Kind.REFUSED), (409, Kind.REFUSED)],
)
def test_a_failure_that_needs_a_person(status: int, kind: Kind) -> None:
    error = failure(answer({}, status), "words")

    assert isinstance(error, Permanent)
    assert (error.kind, str(error)) == (kind, "words")


@pytest.mark.parametrize(
    ("status", "delivered"),
    [
        (408, Delivered.UNKNOWN),
        (425, Delivered.UNKNOWN),
        (429, Delivered.NO),
        (500, Delivered.UNKNOWN),
        (503, Delivered.UNKNOWN),
        (599, Delivered.UNKNOWN),
    ],
)
def test_a_failure_that_passes(status: int, delivered: Delivered) -> None:
    error = failure(answer({}, status, retry_after_s=7.0), "words")

    assert isinstance(error, Transient)
    assert (error.delivered, error.retry_after_s) == (delivered, 7)


@given(TEXT)
def test_cleaned_text_is_one_printable_line_and_cleaning_again_changes_nothing(text: str) -> None:
    once = clean(text, 20)

    assert once.isprintable()
    assert len(once) <= 20
    assert clean(once, 20) == once


def test_placeholders_are_not_struck_out_but_secrets_are() -> None:
    assert redact("a test of sk-12345678", ["test", "", "sk-12345678"]) == "a test of [redacted]"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_type_that_ships_loads_by_its_own_name(name: str) -> None:
    assert load(name).name == name
    assert name in known()


@pytest.mark.parametrize(("name", "hint"), [("opnai", "did you mean 'openai'"), ("x", "there are openai, sandbox")])
def test_an_unknown_type_is_answered_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(LookupError, match=re.escape(hint)):
        load(name)


@pytest.mark.parametrize("id_", ["ftjob-abc123", "ft:gpt-4o:org::1", "batch_1.2"])
def test_ids_of_compatible_services_are_ids(id_: str) -> None:
    assert re.fullmatch(load("openai").id_pattern, id_)


@pytest.mark.parametrize("id_", ["", "..", "a..b", "a/b", "a?b", "a b", "-a", "a\n", "é", "a" * 129])
def test_what_could_lead_elsewhere_is_no_id(id_: str) -> None:
    assert re.fullmatch(load("openai").id_pattern, id_) is None
