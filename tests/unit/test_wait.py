"""Waiting for jobs: which reports end it, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from reconciler.controller.wait import Goal, judge, wait_for
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.status import ConditionType
from tests.support.in_memory import HandClock
from tests.support.reports import a_row, a_stalled_row, a_suspended_row, a_waiting_row

FAILED = a_row(phase=Phase.FAILED, reason=Reason.JOB_FAILED, also=ConditionType.STALLED)


def ended(phase: Phase) -> Row:
    """Return the row of a job that is final in this phase, as its spec desires."""
    row = a_row(phase=phase)
    return replace(row, status=replace(row.status, final=True))


def waited(
    looks: Sequence[tuple[Row, ...]], goal: Goal, timeout_s: float = 60
) -> tuple[ExitCode, list[float], list[Report]]:
    """Wait with these reports, of which the last one repeats. Return the exit code, the sleeps and the reports."""
    left, clock, looked, told = list(looks), HandClock(), list[Report](), list[Report]()

    async def look() -> Report:
        looked.append(Report(rows=left.pop(0) if len(left) > 1 else left[0]))
        return looked[-1]

    report, code = asyncio.run(wait_for(look, goal, clock, interval_s=10, timeout_s=timeout_s, on_report=told.append))

    assert report is looked[-1]
    assert told == looked[:-1], "the result of the command shows the last report"
    return code, clock.slept, looked


@pytest.mark.parametrize(
    ("row", "goal", "answer"),
    [
        (a_row(), Goal.SETTLED, True),
        (a_suspended_row("chat"), Goal.SETTLED, True),
        (a_waiting_row(), Goal.SETTLED, None),
        (a_stalled_row("chat"), Goal.SETTLED, False),
        (a_row(unobserved="no answer"), Goal.SETTLED, None),
        (replace(FAILED, unobserved=a_row(unobserved="no answer").unobserved), Goal.SUCCEEDED, None),
        (a_row(phase=Phase.CANCELLED), Goal.CANCELLED, True),
        (a_row(phase=Phase.RUNNING), Goal.CANCELLED, None),
        (a_stalled_row("chat"), Goal.CANCELLED, False),
        (FAILED, Goal.FAILED, True),
        (FAILED, Goal.SUCCEEDED, False),
        (ended(Phase.SUCCEEDED), Goal.SUCCEEDED, True),
        (ended(Phase.SUCCEEDED), Goal.CANCELLED, False),
        (a_row(phase=Phase.SUCCEEDED), Goal.CANCELLED, None),
        (ended(Phase.ABSENT), Goal.CANCELLED, None),
    ],
    ids=[
        "ready is settled",
        "suspended is settled",
        "a pending cancel is not settled yet",
        "stalled cannot settle",
        "unobserved is undecided",
        "unobserved is undecided for a stalled job too",
        "cancelled is the goal",
        "running may still be cancelled",
        "stalled cannot be cancelled",
        "failed is the goal",
        "failed cannot succeed",
        "final succeeded is the goal",
        "final succeeded cannot be cancelled",
        "succeeded but not final is undecided",
        "absent is undecided",
    ],
)
def test_the_goal_of_a_job_is_reached_pending_or_unreachable(row: Row, goal: Goal, answer: object) -> None:
    assert judge(row, goal) is answer


def test_waiting_ends_at_the_first_report_that_reaches_the_goal() -> None:
    looks = [(a_waiting_row(),), (a_waiting_row(),), (a_row(phase=Phase.CANCELLED),)]
    code, slept, told = waited(looks, Goal.CANCELLED)

    assert (code, slept) == (ExitCode.OK, [10, 10])
    assert [each.rows for each in told] == looks


def test_waiting_ends_only_when_every_job_has_reached_the_goal() -> None:
    there = a_row("a", phase=Phase.CANCELLED)
    looks = [(there, a_waiting_row("b")), (there, a_row("b", phase=Phase.CANCELLED))]

    assert waited(looks, Goal.CANCELLED)[:2] == (ExitCode.OK, [10])


def test_waiting_ends_as_soon_as_one_job_is_stalled_even_if_others_are_pending() -> None:
    looks = [(a_waiting_row("a"), a_waiting_row("b")), (a_waiting_row("a"), a_stalled_row("b"))]

    assert waited(looks, Goal.SETTLED)[:2] == (ExitCode.STALLED, [10])


def test_waiting_for_no_job_ends_at_once() -> None:
    assert waited([()], Goal.SETTLED)[:2] == (ExitCode.OK, [])


def test_waiting_stops_exactly_at_its_timeout() -> None:
    assert waited([(a_waiting_row(),)], Goal.SETTLED, timeout_s=25)[:2] == (ExitCode.TIMED_OUT, [10, 10, 5])


def test_waiting_with_a_timeout_of_zero_makes_one_report() -> None:
    code, slept, told = waited([(a_waiting_row(),)], Goal.SETTLED, timeout_s=0)

    assert (code, slept, len(told)) == (ExitCode.TIMED_OUT, [], 1)
