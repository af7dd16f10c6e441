from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.decide import decide
from reconciler.core.facts import COUNT_MAX, merge, observation_from_status
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.job import UNSET, JobError, Observed, ObservedJob, Phase
from reconciler.model.status import JobFacts, JobStatus
from tests.support.build import ACCOUNT, NOW, a_job
from tests.support.subjects import (
    ABSENT,
    DAY,
    EDGES,
    HOUR,
    MINUTE,
    REF,
    SECOND,
    a_look,
    a_past,
    a_receipt,
    a_subject,
    carried_out,
)

WHERE = [where for _, where in EDGES]
OBSERVED = a_subject("observed")
KNOWN: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "fine_tuned_model": "ft:a",
    "created_at": NOW - DAY,
    "started_at": NOW - HOUR,
    "finished_at": NOW - MINUTE,
    "trained_tokens": 5120,
    "error": JobError("server_error", "out of memory"),
}


def ended(phase: Phase, age: timedelta = timedelta(0), at: datetime = NOW, **facts: Any) -> JobStatus:
    """Return the status of a job that is observed with these facts and has been in the phase for `age`."""
    last = a_past(OBSERVED, phase, age=age)
    return decide(OBSERVED, a_look(phase, **facts), last, at).status


@pytest.mark.parametrize("field", KNOWN)
def test_a_field_that_the_provider_omits_keeps_its_last_value(field: str) -> None:
    last = a_past(OBSERVED, **KNOWN)
    job = a_look(created_at=UNSET).job

    assert getattr(merge(REF, job, last, NOW), field) == KNOWN[field]


@pytest.mark.parametrize("field", sorted(set(KNOWN) - {"started_at"}))
def test_a_null_from_the_provider_replaces_the_last_value(field: str) -> None:
    last = a_past(OBSERVED, **KNOWN)
    null: dict[str, Any] = {field: None}
    job = a_look(**null).job

    assert getattr(merge(REF, job, last, NOW), field) is None


def test_an_absent_job_keeps_its_known_facts() -> None:
    last = a_past(OBSERVED, **KNOWN)

    assert merge(REF, None, last, NOW) == last.job


def test_a_job_that_was_never_observed_has_only_its_account_and_id() -> None:
    assert merge(REF, None, None, NOW) == JobFacts(account=str(ACCOUNT), id="ftjob-abc123")


def test_the_facts_of_an_observed_job_have_the_account_and_id_of_its_spec() -> None:
    known = merge(REF, a_job(id="ftjob-other"), None, NOW)

    assert (known.account, known.id) == (str(ACCOUNT), "ftjob-abc123")


def test_a_running_job_starts_when_first_observed_unless_the_provider_has_a_start_time() -> None:
    first = merge(REF, a_look().job, None, NOW)
    later = merge(REF, a_look(started_at=None).job, a_past(OBSERVED, started_at=NOW), NOW + HOUR)
    told = merge(REF, a_look(started_at=NOW - HOUR).job, a_past(OBSERVED, started_at=NOW), NOW + HOUR)

    assert [first.started_at, later.started_at, told.started_at] == [NOW, NOW, NOW - HOUR]
    assert merge(REF, a_look(Phase.QUEUED).job, None, NOW).started_at is None


def test_times_of_a_job_are_kept_in_whole_seconds() -> None:
    job = a_look(created_at=NOW + timedelta(microseconds=999_999)).job

    assert merge(REF, job, None, NOW).created_at == NOW


def test_a_decision_about_the_job_of_a_status_leaves_the_status_unchanged() -> None:
    status = ended(Phase.SUCCEEDED, finished_at=NOW - MINUTE, fine_tuned_model="ft:a")
    recalled = observation_from_status(status)

    assert recalled is not None
    assert recalled.phase is Phase.SUCCEEDED
    assert decide(OBSERVED, Observed(recalled), status, NOW + DAY).status == status
    assert observation_from_status(a_past(OBSERVED, Phase.ABSENT)) is None


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
def test_a_finish_time_makes_a_terminal_phase_final_immediately(phase: Phase) -> None:
    assert ended(phase, finished_at=NOW, fine_tuned_model="ft:a").final


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_finish_time_in_the_future_is_accepted_only_within_five_minutes(edge: timedelta, where: str) -> None:
    status = ended(Phase.FAILED, finished_at=NOW + 5 * MINUTE + edge)

    assert status.final == (where != "just after")


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_without_a_finish_time_two_observations_a_minute_apart_make_a_phase_final(
    phase: Phase, edge: timedelta, where: str
) -> None:
    assert ended(phase, age=MINUTE + edge).final == (where != "just before")


def test_a_clock_step_back_does_not_make_a_phase_final() -> None:
    assert not ended(Phase.FAILED, age=-HOUR).final


def test_a_final_status_stays_final_after_a_clock_step() -> None:
    status = ended(Phase.FAILED, finished_at=NOW)
    at = [decide(OBSERVED, a_look(Phase.FAILED, finished_at=NOW), status, NOW + jump) for jump in (-DAY, DAY)]

    assert [decision.status.final for decision in at] == [True, True]


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
@pytest.mark.parametrize("has_end", [True, False], ids=["by its end time", "by our first sight of it"])
def test_a_succeeded_job_without_a_model_name_is_final_only_after_an_hour(
    edge: timedelta, where: str, *, has_end: bool
) -> None:
    end = NOW - HOUR - edge if has_end else None
    status = ended(Phase.SUCCEEDED, age=HOUR + edge, finished_at=end, fine_tuned_model=None)

    assert status.final == (where != "just before")


def test_a_succeeded_job_with_a_model_name_is_final_immediately() -> None:
    assert ended(Phase.SUCCEEDED, finished_at=NOW, fine_tuned_model="ft:a").final


def test_a_cancelled_job_after_an_accepted_cancel_is_final_without_a_finish_time() -> None:
    subject = a_subject("cancelled")
    asked = carried_out(subject, a_look(), None, NOW)
    status = decide(subject, a_look(Phase.CANCELLED, NOW + SECOND), asked, NOW + SECOND).status

    assert status.final


def test_a_cancelled_job_after_an_unaccepted_cancel_is_not_final_at_first() -> None:
    subject = a_subject("cancelled")
    last = a_past(subject, Phase.RUNNING, a_receipt(age=SECOND))

    assert not decide(subject, a_look(Phase.CANCELLED), last, NOW).status.final


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
def test_the_status_of_a_finished_job_does_not_change_when_the_provider_deletes_it(phase: Phase) -> None:
    status = ended(phase, finished_at=NOW, fine_tuned_model="ft:a")

    assert decide(OBSERVED, ABSENT, status, NOW + DAY).status == status


@given(
    st.builds(
        ObservedJob,
        id=st.just(REF.id),
        phase=st.sampled_from(Phase),
        provider_status=st.text(),
        model=st.none() | st.text(),
        fine_tuned_model=st.just(UNSET) | st.none() | st.text(),
        created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        started_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        finished_at=st.none() | st.datetimes(timezones=st.just(UTC)),
        trained_tokens=st.integers() | st.just(UNSET) | st.floats() | st.booleans(),
        error=st.none() | st.builds(JobError, st.none() | st.text(), st.none() | st.text(), st.none() | st.text()),
        as_of=st.none() | st.just(NOW),
    )
)
def test_every_provider_response_gives_a_status_that_can_be_parsed_again(job: ObservedJob) -> None:
    status = decide(a_subject("running"), Observed(job), None, NOW).status
    text = render_status(status)

    assert render_status(parse_status(text)) == text


@pytest.mark.parametrize("absurd", [10**18, -1, 10**30])
def test_a_number_outside_the_range_of_a_status_is_ignored(absurd: int) -> None:
    known = decide(OBSERVED, a_look(Phase.RUNNING, trained_tokens=7), None, NOW).status

    assert merge(REF, a_job(trained_tokens=absurd), known, NOW).trained_tokens == 7
    assert merge(REF, a_job(trained_tokens=10**18 - 1), known, NOW).trained_tokens == 10**18 - 1


@pytest.mark.parametrize("count", [0, 1, COUNT_MAX])
def test_a_number_within_the_range_of_a_status_is_kept(count: int) -> None:
    last = a_past(OBSERVED, **KNOWN)

    assert merge(REF, a_look(trained_tokens=count).job, last, NOW).trained_tokens == count


@pytest.mark.parametrize("field", KNOWN)
def test_an_observation_from_a_status_contains_every_known_fact(field: str) -> None:
    recalled = observation_from_status(a_past(OBSERVED, Phase.SUCCEEDED, **KNOWN))

    assert recalled is not None
    assert (recalled.id, recalled.phase, recalled.provider_status) == (REF.id, Phase.SUCCEEDED, "succeeded")
    assert getattr(recalled, field) == KNOWN[field]


def test_a_status_of_an_absent_job_gives_no_observation() -> None:
    assert observation_from_status(a_past(OBSERVED, Phase.ABSENT)) is None
