"""The two clocks of `--once`: what is due by them, and what each gives up once it has run out."""

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
    """Take in a pass that ended now."""
    result = PassResult(Report(rows=rows), found, frozenset(), MINUTE)
    clocks.take_in(result, now, RETRY_S, AGAIN_S)


def test_what_rests_is_not_looked_at_again() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 101.0, due(RequeueReason.RESTING))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY)]) == ()


def test_what_is_under_way_is_not_waited_for_without_wait() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY))

    assert clocks.due_at == {}


def test_what_is_under_way_is_looked_at_by_plan_until_wait_runs_out() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0))

    assert clocks.due_at == {REF: 106.0}


@pytest.mark.parametrize(
    ("wait_s", "last_look_at"), [(60.0, 160.0 - LAST_LOOK_S), (5.0, 104.0)], ids=["two seconds", "a fifth"]
)
def test_a_last_look_begins_shortly_before_wait_runs_out(wait_s: float, last_look_at: float) -> None:
    clocks = deadlines(wait_s)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=600.0))

    assert clocks.due_at == {REF: last_look_at}


def test_what_is_still_under_way_at_its_last_look_is_left_with_the_clock_that_ran_out() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY)]) == (Expired(ExpiredClock.WAIT, 60.0, (REF.id,)),)


def test_what_failed_is_tried_again_after_its_rest() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY))

    assert clocks.due_at == {REF: 101.0 + RETRY_S}


def test_what_others_overtook_is_decided_again_after_a_shorter_one() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.AGAIN))

    assert clocks.due_at == {REF: 101.0 + AGAIN_S}


def test_the_providers_own_bound_is_never_undercut() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY, retry_after_s=30.0))

    assert clocks.due_at == {REF: 131.0}


def test_what_a_provider_bounds_beyond_the_clock_is_given_up_at_once() -> None:
    clocks = deadlines()
    take_in(clocks, 101.0, due(RequeueReason.RETRY, retry_after_s=600.0))

    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY, unobserved=AWAY)]) == (Expired(ExpiredClock.TIMEOUT, 60.0, (REF.id,)),)


def test_the_time_to_fail_begins_with_the_first_look_that_failed() -> None:
    clocks = deadlines(timeout_s=20.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY))
    looks = []
    for now in (105.0, 110.0, 115.0):
        clocks.pop_due(now, ())
        take_in(clocks, now, due(RequeueReason.RETRY))
        looks.append(dict(clocks.due_at))

    assert looks == [{REF: 109.0}, {REF: 114.0}, {REF: 118.0}]  # the last one two seconds before 100 + 20
    clocks.pop_due(118.0, ())
    take_in(clocks, 119.0, due(RequeueReason.RETRY))
    assert clocks.due_at == {}
    assert clocks.left([row(UNDER_WAY, unobserved=AWAY)]) == (Expired(ExpiredClock.TIMEOUT, 20.0, (REF.id,)),)


def test_a_job_that_went_well_in_between_has_its_whole_time_to_fail_again() -> None:
    clocks = deadlines(wait_s=600.0, timeout_s=20.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY))
    clocks.pop_due(105.0, ())
    take_in(clocks, 106.0, due(RequeueReason.UNDER_WAY, after_s=24.0))
    clocks.pop_due(130.0, ())
    take_in(clocks, 130.5, due(RequeueReason.RETRY))

    assert clocks.due_at == {REF: 130.5 + RETRY_S}
    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 150.0, ExpiredClock.TIMEOUT)


def test_a_job_that_was_given_up_and_seen_later_is_not_left() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))
    take_in(clocks, 159.5, due(RequeueReason.RESTING))

    assert clocks.left([row(UNDER_WAY)]) == ()


def test_a_request_that_is_on_its_way_is_bounded_by_wait_though_looking_at_it_fails() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY), rows=(row(OPEN),))

    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 130.0, ExpiredClock.WAIT)


def test_a_look_that_fails_is_bounded_by_timeout_where_nothing_is_on_its_way() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.RETRY), rows=(row(UNDER_WAY),))

    assert clocks.pop_due(200.0, ()) == (frozenset({REF}), 700.0, ExpiredClock.TIMEOUT)


def test_what_is_due_is_taken_out_with_the_last_clock_that_bounds_it() -> None:
    clocks = deadlines(wait_s=30.0, timeout_s=600.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0), due(RequeueReason.RETRY, ref=CODE))

    assert clocks.pop_due(106.0, ()) == (frozenset({REF, CODE}), 700.0, ExpiredClock.TIMEOUT)
    assert clocks.due_at == {}


def test_what_is_not_due_yet_stays() -> None:
    clocks = deadlines(wait_s=30.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, after_s=5.0), due(RequeueReason.UNDER_WAY, 9.0, ref=CODE))

    assert clocks.pop_due(106.0, ())[0] == {REF}
    assert clocks.due_at == {CODE: 110.0}


def test_where_nothing_is_due_nothing_bounds_it() -> None:
    assert deadlines().pop_due(106.0, ()) == (frozenset(), math.inf, ExpiredClock.TIMEOUT)


def test_what_an_account_at_work_would_have_to_look_at_stays_due() -> None:
    clocks = deadlines(wait_s=30.0)
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, 1.0), due(RequeueReason.UNDER_WAY, 5.0, ref=ELSEWHERE))

    assert clocks.rest_s(103.0, {ACCOUNT}) == 3.0
    assert clocks.pop_due(110.0, {ACCOUNT})[0] == {ELSEWHERE}
    assert clocks.due_at == {REF: 102.0}


def test_a_run_rests_until_the_first_of_all_is_due_and_for_ever_where_nothing_is() -> None:
    clocks = deadlines(wait_s=30.0)

    assert clocks.rest_s(101.0, ()) == math.inf
    take_in(clocks, 101.0, due(RequeueReason.UNDER_WAY, 4.0), due(RequeueReason.UNDER_WAY, 9.0, ref=CODE))
    assert clocks.rest_s(102.0, ()) == 3.0
    assert clocks.rest_s(120.0, ()) == 0.0


def test_a_job_that_has_arrived_is_not_left_and_each_other_is_with_its_own_clock() -> None:
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


def test_a_job_that_has_stalled_is_not_left() -> None:
    clocks = deadlines(wait_s=60.0)
    take_in(clocks, 159.0, due(RequeueReason.UNDER_WAY))
    stalled = a_case(a_spec(desiredState="running"), Phase.FAILED).decision.status

    assert stalled.is_stalled
    assert clocks.left([row(stalled)]) == ()
