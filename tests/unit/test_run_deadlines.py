"""The two clocks of `--once`: which jobs are due, and which expire when a clock has run out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.requeue import Requeue, RequeueReason
from reconciler.controller.run_deadlines import LAST_LOOK_S, RunDeadlines
from reconciler.model.job import Account, JobRef, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import Expired, ExpiredClock, Report, Row
from reconciler.model.status import JobStatus
from tests.support.build import ACCOUNT, a_spec, a_status
from tests.support.in_memory_accounts import a_case
from tests.support.subjects import MINUTE, REF, a_receipt
from tests.unit.test_log import a_row

UNDER_WAY = a_case(a_spec()).decision.status
OPEN = replace(UNDER_WAY, receipts=(a_receipt(),))
AWAY = Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
CODE = JobRef(ACCOUNT, "ftjob-code")
ELSEWHERE = JobRef(Account("openai", "https://slow.example.org/v1"), "ftjob-slow")
RETRY_S = 4.0
AGAIN_S = 0.1


def deadlines(wait_s: float | None = None, timeout_s: float = 60.0, begun_at: float = 100.0) -> RunDeadlines:
    """Return the clocks of a run that began at second 100."""
    return RunDeadlines(begun_at, wait_s, timeout_s)


def due(pace: RequeueReason, after_s: float = 60.0, retry_after_s: float | None = None, ref: JobRef = REF) -> Requeue:
    return Requeue(ref, timedelta(seconds=after_s), pace, retry_after_s)


def row(status: JobStatus, ref: JobRef = REF, unobserved: Unobserved | None = None) -> Row:
    return replace(a_row(status), name=ref.id, ref=ref, unobserved=unobserved)


def take_in(clocks: RunDeadlines, now: float, *found: Requeue, rows: tuple[Row, ...] = ()) -> None:
    """Record a pass that ended at `now`."""
    result = PassResult(Report(rows=rows), found, frozenset(), MINUTE)
    clocks.take_in(result, now, RETRY_S, AGAIN_S)


def test_a_resting_job_is_not_observed_again() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 101.0, due(RequeueReason.RESTING))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY)]) == ()


def test_a_job_under_way_is_not_observed_again_without_wait() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY))

    assert clocks.due_at == {}


def test_a_job_under_way_is_due_at_its_planned_observation_within_wait() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0))

    assert clocks.due_at == {REF: 106.0}


@pytest.mark.parametrize(
    ("wait_s", "last_look_at"), [(60.0, 160.0 - LAST_LOOK_S), (5.0, 104.0)], ids=["two seconds", "a fifth"]
)
def test_a_last_observation_begins_shortly_before_wait_runs_out(wait_s: float, last_look_at: float) -> None:
    clocks = deadlines(wait_s)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=600.0))

    assert clocks.due_at == {REF: last_look_at}


def test_a_job_still_under_way_at_its_last_observation_expires_with_wait() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY)]) == (Expired(ExpiredClock.WAIT, 60.0, (REF.id,)),)


def test_a_failed_observation_is_retried_after_the_retry_delay() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY))

    assert clocks.due_at == {REF: 101.0 + RETRY_S}


def test_a_superseded_change_is_planned_again_after_a_shorter_delay() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.AGAIN))

    assert clocks.due_at == {REF: 101.0 + AGAIN_S}


def test_a_job_that_a_long_pass_left_undecided_is_planned_again_after_that_pass() -> None:
    clocks = deadlines(wait_s=20.0, timeout_s=20.0)
    take_in(clocks, 150.0, due(RequeueReason.AGAIN))

    assert clocks.due_at == {REF: 150.0 + AGAIN_S}


def test_a_job_that_every_pass_leaves_undecided_expires_with_the_timeout() -> None:
    clocks = deadlines(timeout_s=20.0)
    take_in(clocks, 150.0, due(RequeueReason.AGAIN))
    clocks.pop_due(150.0 + AGAIN_S, ())
    take_in(clocks, 169.0, due(RequeueReason.AGAIN))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY, unobserved=AWAY)]) == (Expired(ExpiredClock.TIMEOUT, 20.0, (REF.id,)),)


def test_a_retry_waits_at_least_the_retry_after_of_the_provider() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY, retry_after_s=30.0))

    assert clocks.due_at == {REF: 131.0}


def test_a_retry_after_beyond_the_timeout_expires_the_job_at_once() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY, retry_after_s=600.0))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY, unobserved=AWAY)]) == (Expired(ExpiredClock.TIMEOUT, 60.0, (REF.id,)),)


def test_the_timeout_of_a_job_begins_with_its_first_failed_observation() -> None:
    clocks = deadlines(timeout_s=20.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY))
    looks = []
    for now in (105.0, 110.0, 115.0):
        clocks.pop_due(now, ())
        take_in(clocks, now, due(RequeueReason.RETRY))
        looks.append(dict(clocks.due_at))

    assert looks == [
        {REF: 109.0},
        {REF: 114.0},
        {REF: 118.0},
    ]  # the last time is 2 s before 100 + 20, when the timeout expires
    clocks.pop_due(118.0, ())
    take_in(clocks, 119.0, due(RequeueReason.RETRY))
    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY, unobserved=AWAY)]) == (Expired(ExpiredClock.TIMEOUT, 20.0, (REF.id,)),)


def test_a_successful_observation_restarts_the_timeout_of_a_job() -> None:
    clocks = deadlines(wait_s=600.0, timeout_s=20.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY))
    clocks.pop_due(105.0, ())
    take_in(clocks, 106.0, due(RequeueReason.UNDER_WAY, after_s=24.0))
    clocks.pop_due(130.0, ())
    take_in(clocks, 130.5, due(RequeueReason.RETRY))

    assert clocks.due_at == {REF: 130.5 + RETRY_S}
    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 150.0, ExpiredClock.TIMEOUT)


def test_an_expired_job_that_is_observed_as_settled_is_no_longer_reported() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))
    take_in(clocks, 159.5, due(RequeueReason.RESTING))

    assert clocks.left([row(UNDER_WAY)]) == ()


def test_wait_bounds_the_failing_observation_of_a_job_with_an_open_request() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY), rows=(row(OPEN),))

    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 130.0, ExpiredClock.WAIT)


def test_timeout_bounds_the_failing_observation_of_a_job_without_an_open_request() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY), rows=(row(UNDER_WAY),))

    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 700.0, ExpiredClock.TIMEOUT)


def test_due_jobs_are_returned_with_the_latest_deadline_that_bounds_them() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0), due(RequeueReason.RETRY, ref=CODE))

    assert clocks.pop_due(106.0, ()) == (frozenset({REF, CODE}), 700.0, ExpiredClock.TIMEOUT)
    assert clocks.due_at == {}


def test_a_job_that_is_not_due_yet_stays_scheduled() -> None:
    clocks = deadlines(wait_s=30.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0), due(RequeueReason.UNDER_WAY, 9.0, ref=CODE))

    assert clocks.pop_due(106.0, ())[0] == {REF}
    assert clocks.due_at == {CODE: 110.0}


def test_no_deadline_applies_if_no_job_is_due() -> None:
    assert deadlines().pop_due(106.0, ()) == (frozenset(), math.inf, ExpiredClock.TIMEOUT)


def test_a_due_job_of_a_busy_account_stays_scheduled() -> None:
    clocks = deadlines(wait_s=30.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, 1.0), due(RequeueReason.UNDER_WAY, 5.0, ref=ELSEWHERE))

    assert clocks.rest_s(103.0, {ACCOUNT}) == 3.0
    assert clocks.pop_due(110.0, {ACCOUNT})[0] == {ELSEWHERE}
    assert clocks.due_at == {REF: 102.0}


def test_a_run_waits_until_the_first_job_is_due() -> None:
    clocks = deadlines(wait_s=30.0)

    assert clocks.rest_s(101.0, ()) == math.inf
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, 4.0), due(RequeueReason.UNDER_WAY, 9.0, ref=CODE))
    assert clocks.rest_s(102.0, ()) == 3.0
    assert clocks.rest_s(120.0, ()) == 0.0


def test_each_expired_job_is_reported_with_its_own_clock_but_a_final_job_is_not() -> None:
    clocks = deadlines(wait_s=60.0, timeout_s=59.0)
    take_in(
        clocks,
        159.0,
        due(RequeueReason.UNDER_WAY),
        due(RequeueReason.UNDER_WAY, ref=ELSEWHERE),
        due(RequeueReason.RETRY, ref=CODE),
    )
    rows = (row(UNDER_WAY), row(a_status(phase=Phase.CANCELLED), ELSEWHERE), row(a_status(), CODE, AWAY))

    assert clocks.left(rows) == (
        Expired(ExpiredClock.WAIT, 60.0, (REF.id,)),
        Expired(ExpiredClock.TIMEOUT, 59.0, (CODE.id,)),
    )


def test_a_stalled_job_is_not_reported_as_expired() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))
    stalled = a_case(a_spec(desiredState="running"), Phase.FAILED).decision.status

    assert stalled.is_stalled
    assert clocks.left([row(stalled)]) == ()
