from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.local.credentials import EnvCredentials, NoCredentials
from reconciler.model.job import TERMINAL, UNFINISHED, UNSET, Account, JobError, JobRef, ListQuery, ObservedJob, Phase
from reconciler.ports import AccountConfig, Credentials
from reconciler.providers import load
from reconciler.providers._openai import OPENAI_JOBS, OpenAIJobs
from reconciler.providers._openai_collection import Dialect
from tests.support.canned_transport import AT, CannedTransport, answer

KEY = "canary-key-of-the-dialect"
REF = JobRef(Account("openai", "https://api.openai.com/v1"), "ftjob-1")


def jobs(
    provider: CannedTransport, credentials: Credentials | None = None, dialect: Dialect | None = None
) -> OpenAIJobs:
    return OpenAIJobs(provider, credentials or EnvCredentials("KEY", {"KEY": KEY}), dialect or OPENAI_JOBS)


def shown(**row: object) -> ObservedJob:
    response = answer({"id": REF.id, "status": "running", **row})
    job = asyncio.run(jobs(CannedTransport([response])).get_job(REF))
    assert job is not None
    return job


# --- requests ---


def test_each_operation_sends_its_openai_method_path_and_query() -> None:
    job = {"id": REF.id, "status": "running"}
    page = {"data": [], "has_more": False}
    provider = CannedTransport([answer(page), answer(page), *[answer(job)] * 4, answer(page)])
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


def test_a_job_id_is_percent_encoded_in_the_url() -> None:
    provider = CannedTransport([answer({"id": "a/b c?d", "status": "running"})])
    asyncio.run(jobs(provider).get_job(JobRef(REF.account, "a/b c?d")))

    assert provider.asked[0][1] == "/fine_tuning/jobs/a%2Fb%20c%3Fd"


def test_a_dialect_sets_path_statuses_headers_query_and_authorization() -> None:
    dialect = Dialect(
        jobs_path="/openai/fine_tuning/jobs",
        statuses={"pending": Phase.QUEUED},
        headers={"x-who": "me"},
        query={"api-version": "2024-10-21"},
        authorise=lambda token: {"api-key": token},
    )
    provider = CannedTransport([answer({"data": [{"id": "ftjob-2", "status": "pending"}], "has_more": False})])
    page = asyncio.run(jobs(provider, dialect=dialect).list_page(ListQuery(5), None))

    assert page.jobs[0].phase is Phase.QUEUED
    assert provider.asked == [("GET", "/openai/fine_tuning/jobs", {"api-version": "2024-10-21", "limit": "5"})]
    assert provider.headers == {"accept": "application/json", "x-who": "me", "api-key": KEY}


def test_no_authorization_header_is_sent_without_a_key() -> None:
    provider = CannedTransport([answer({"id": REF.id, "status": "running"})])
    asyncio.run(jobs(provider, NoCredentials()).get_job(REF))

    assert provider.headers == {"accept": "application/json"}


def test_organization_and_project_are_sent_and_are_part_of_the_account() -> None:
    type_ = load("openai")
    options = type_.options.model_validate({"project": "proj_1", "organization": "org-1"})
    provider = CannedTransport([answer({"id": REF.id, "status": "running"})])
    config = AccountConfig(account=REF.account, options=options, state_dir=None, now=lambda: AT)

    async def main() -> None:
        async with type_.open(config, provider, NoCredentials()) as controller:
            await controller.get_job(REF)

    asyncio.run(main())

    assert provider.headers["openai-organization"] == "org-1"
    assert provider.headers["openai-project"] == "proj_1"
    assert type_.scope(options) == (("organization", "org-1"), ("project", "proj_1"))
    assert type_.scope(type_.options()) == ()


# --- fields of a job ---


def test_every_field_of_a_job_is_read() -> None:
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
def test_each_known_status_is_read_as_the_phase_of_the_same_name(phase: Phase) -> None:
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
def test_an_unknown_status_has_phase_unknown_and_is_shown_sanitized(status: object, word: str) -> None:
    job = shown(status=status)

    assert (job.phase, job.provider_status) == (Phase.UNKNOWN, word)


def test_a_missing_field_is_unset_and_a_null_field_is_read_as_null() -> None:
    fields = ("model", "fine_tuned_model", "created_at", "finished_at", "trained_tokens", "error")
    bare = shown()
    nulls = shown(**dict.fromkeys(fields))

    assert [getattr(bare, each) for each in fields] == [UNSET] * len(fields)
    assert [getattr(nulls, each) for each in fields] == [None] * len(fields)


@pytest.mark.parametrize("value", [0, -1, True, "1700000000", [], {}, 253_402_300_800, 1e300, float("nan"), 10**400])
def test_an_invalid_time_is_read_as_null(value: object) -> None:
    assert shown(created_at=value).created_at is None


@pytest.mark.parametrize("value", [-1, True, 1.5, "5120", []])
def test_an_invalid_token_count_is_read_as_null(value: object) -> None:
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
def test_a_job_error_is_read_only_if_it_has_a_code_or_a_message(value: object, error: JobError | None) -> None:
    assert shown(error=value).error == error


TEXT = st.text("cdeghlnpstu0:/?&= \n\x00\x1bé\u2028\ud800")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("status", "model", "created_at", "finished_at", "estimated_finish", "trained_tokens", "error", "started_at")


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_arbitrary_field_values_raise_no_error_and_do_not_end_a_job(row: dict[str, Any]) -> None:
    job = shown(**{"status": None, **row})

    assert job.phase not in TERMINAL or row["status"] == job.phase.value


# --- events ---


def test_invalid_event_fields_are_read_as_defaults() -> None:
    rows = [{"created_at": 1_700_000_000, "level": "warn", "message": "slow\n"}, {"created_at": "x"}, None]
    events = asyncio.run(jobs(CannedTransport([answer({"data": rows})])).list_events(REF, 5))

    assert [(each.level, each.message) for each in events] == [("warn", "slow"), ("info", "")]
    assert events[1].at is None


def test_a_service_that_ignores_the_limit_gets_its_events_and_checkpoints_cut() -> None:
    rows = [{"id": str(number)} for number in range(3)]
    adapter = jobs(CannedTransport([answer({"data": rows}), answer({"data": rows})]))

    assert len(asyncio.run(adapter.list_events(REF, 2))) == 2
    assert len(asyncio.run(adapter.list_checkpoints(REF, 2))) == 2
