"""When a job is polled next, at each boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.conditions import Readiness, Verdict, conclude
from reconciler.core.schedule import next_poll
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from reconciler.model.status import HistoryEntry, JobFacts, JobStatus
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import a_receipt, a_subject


def a_job_in(phase: Phase, since: datetime, created_at: datetime | None = None, **rest: Any) -> JobStatus:
    facts = JobFacts(account=str(ACCOUNT), id="ftjob-abc123", provider_status=str(phase), created_at=created_at)
    history = (HistoryEntry(since, phase, a_status().ready.reason),)
    return a_status(phase=phase, final=False, job=facts, history=history, **rest)


def seconds_after(lasted_s: float, phase: Phase) -> float:
    after = next_poll(a_subject("running"), a_job_in(phase, NOW - timedelta(seconds=lasted_s)), NOW)
    assert after is not None
    return after.total_seconds()


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.PAUSED, Phase.VALIDATING_FILES])
@pytest.mark.parametrize(("lasted_s", "after_s"), [(0, 60), (60, 60), (61, 61), (299, 299), (300, 300), (9e6, 300)])
def test_the_poll_interval_of_an_unfinished_job_grows_from_one_to_five_minutes(
    phase: Phase, lasted_s: float, after_s: float
) -> None:
    assert seconds_after(lasted_s, phase) == after_s


@pytest.mark.parametrize(("lasted_s", "after_s"), [(0, 5), (5, 5), (6, 6), (59, 59), (60, 60), (7200, 60)])
def test_the_poll_interval_of_a_cancelling_job_grows_from_five_seconds_to_a_minute(
    lasted_s: float, after_s: float
) -> None:
    assert seconds_after(lasted_s, Phase.CANCELLING) == after_s


def test_a_final_job_is_never_polled_again() -> None:
    assert next_poll(a_subject(), a_status(final=True), NOW) is None


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.CANCELLED, Phase.FAILED, Phase.ABSENT, Phase.UNKNOWN])
def test_a_finished_absent_or_unknown_job_that_is_not_final_is_polled_every_interval(phase: Phase) -> None:
    assert seconds_after(9e6, phase) == 60


@pytest.mark.parametrize(
    ("ahead_s", "after_s"),
    [(1, 1), (120, 120), (299, 299), (301, 300), (0, 60), (-60, 60), (-90, 90), (-9e6, 300)],
)
def test_a_job_is_polled_at_its_estimated_finish_and_then_at_growing_intervals(ahead_s: float, after_s: float) -> None:
    status = a_job_in(Phase.RUNNING, NOW - timedelta(days=1))

    after = next_poll(a_subject("running"), status, NOW, NOW + timedelta(seconds=ahead_s))

    assert after == timedelta(seconds=after_s)


@pytest.mark.parametrize(("ahead_s", "after_s"), [(100, 101), (0, 1), (-1, 60), (-3600, 60), (86400, 300)])
def test_a_job_is_polled_just_after_its_not_after_limit_and_then_every_interval(ahead_s: float, after_s: float) -> None:
    at = NOW + timedelta(seconds=ahead_s)
    subject = a_subject("running", limits={"notAfter": render_instant(at)})

    after = next_poll(subject, a_job_in(Phase.RUNNING, NOW - timedelta(days=1)), NOW)

    assert after == timedelta(seconds=after_s)


@pytest.mark.parametrize(("ahead_s", "after_s"), [(1, 1), (100, 100), (0, 300), (-1, 300), (400, 300)])
def test_a_suspended_job_is_polled_when_its_suspension_ends(ahead_s: float, after_s: float) -> None:
    until = render_instant(NOW + timedelta(seconds=ahead_s))
    subject = a_subject("cancelled", suspend={"until": until})

    after = next_poll(subject, a_job_in(Phase.RUNNING, NOW - timedelta(days=1)), NOW)

    assert after == timedelta(seconds=after_s)


def test_an_unobserved_job_with_a_pending_change_is_polled_every_interval() -> None:
    status = a_job_in(Phase.RUNNING, NOW - timedelta(days=1))
    undecided = conclude(status, Verdict(Readiness.UNOBSERVED, Reason.CANNOT_OBSERVE_PROVIDER, "away"), status, NOW)

    assert next_poll(a_subject(), undecided, NOW) == timedelta(seconds=60)


@pytest.mark.parametrize("reason", [Reason.REFUSED_BY_GUARD, Reason.REVISION_NOT_TRUSTED])
def test_a_job_whose_change_is_not_allowed_is_polled_every_interval(reason: Reason) -> None:
    status = a_job_in(Phase.RUNNING, NOW - timedelta(days=1))
    withheld = conclude(status, Verdict(Readiness.STALLED, reason, "not now"), status, NOW)

    assert next_poll(a_subject(), withheld, NOW) == timedelta(seconds=60)


@pytest.mark.parametrize(("ahead_s", "after_s"), [(1, 1), (100, 100), (0, None), (-1, None)])
def test_a_final_job_is_decided_again_when_its_suspension_ends(ahead_s: float, after_s: float | None) -> None:
    subject = a_subject("cancelled", suspend={"until": render_instant(NOW + timedelta(seconds=ahead_s))})
    status = replace(a_job_in(Phase.CANCELLED, NOW - timedelta(days=1)), final=True)

    after = next_poll(subject, status, NOW)

    assert after == (None if after_s is None else timedelta(seconds=after_s))


@pytest.mark.parametrize(("age_s", "after_s"), [(0, 0.5), (3, 2), (4, 1), (30, 30), (3600, 60)])
def test_a_job_with_an_unanswered_request_is_polled_when_its_next_attempt_is_due(age_s: float, after_s: float) -> None:
    receipt = a_receipt(age=timedelta(seconds=age_s))
    status = a_job_in(Phase.RUNNING, NOW - timedelta(days=1), receipts=(receipt,))

    after = next_poll(a_subject(), status, NOW)

    assert after == timedelta(seconds=after_s)


@pytest.mark.parametrize(("phase", "after_s"), [(Phase.RUNNING, 0.5), (Phase.CANCELLING, 5)])
def test_an_accepted_cancel_is_polled_after_half_a_second_or_five_seconds_while_cancelling(
    phase: Phase, after_s: float
) -> None:
    status = a_job_in(phase, NOW - timedelta(days=1), receipts=(a_receipt(accepted_at=NOW),))

    assert next_poll(a_subject(), status, NOW) == timedelta(seconds=after_s)


@pytest.mark.parametrize(("phase", "after_s"), [(Phase.QUEUED, 101), (Phase.RUNNING, 300)])
def test_max_queued_brings_the_poll_forward_only_while_the_job_is_queued(phase: Phase, after_s: float) -> None:
    subject = a_subject("running", limits={"maxQueued": "1h"})
    created_at = NOW - timedelta(hours=1) + timedelta(seconds=100)

    after = next_poll(subject, a_job_in(phase, NOW - timedelta(days=1), created_at), NOW)

    assert after == timedelta(seconds=after_s)


@pytest.mark.parametrize("limit", ["maxAge", "maxQueued"])
def test_a_job_is_polled_just_after_its_max_age_or_max_queued_limit(limit: str) -> None:
    subject = a_subject("running", limits={limit: "1h"})
    created_at = NOW - timedelta(hours=1) + timedelta(seconds=100)

    after = next_poll(subject, a_job_in(Phase.QUEUED, NOW - timedelta(days=1), created_at), NOW)

    assert after == timedelta(seconds=101)
