from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.controller.wait import Goal, judge, wait_for
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import ExitCode, Report, Row
from reconciler.model.status import ConditionType
from tests.support.desk import Desk
from tests.support.reports import a_row, a_stalled_row, a_suspended_row, a_waiting_row


class Waiting:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the moment that it is."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        """Return how long somebody has slept."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Be later."""
        self.seconds += seconds


def waited(looks: Sequence[Row], goal: Goal, timeout_s: float = 60) -> tuple[ExitCode, float]:
    """Wait for a job that each look shows as given, and ever after as last; return the end, and when it was."""
    left, clock = list(looks), Waiting()

    async def look() -> Report:
        return Report(rows=(left.pop(0) if len(left) > 1 else left[0],))

    _, code = asyncio.run(wait_for(look, goal, clock, interval_s=10, timeout_s=timeout_s, tell=lambda _: None))
    return code, clock.seconds


@pytest.mark.parametrize(
    ("row", "goal", "answer"),
    [
        (a_row(), Goal.SETTLED, True),
        (a_suspended_row("chat"), Goal.SETTLED, True),
        (a_waiting_row(), Goal.SETTLED, None),
        (a_stalled_row("chat"), Goal.SETTLED, False),
        (a_row(unseen="no answer"), Goal.SETTLED, None),
        (a_row(phase=Phase.CANCELLED), Goal.CANCELLED, True),
        (a_row(phase=Phase.RUNNING), Goal.CANCELLED, None),
        (a_stalled_row("chat"), Goal.CANCELLED, False),
        (a_row(phase=Phase.FAILED, reason=Reason.JOB_FAILED, also=ConditionType.STALLED), Goal.FAILED, True),
        (a_row(phase=Phase.FAILED, reason=Reason.JOB_FAILED, also=ConditionType.STALLED), Goal.SUCCEEDED, False),
    ],
)
def test_a_job_is_there_or_on_its_way_or_never_will_be(row: Row, goal: Goal, answer: object) -> None:
    assert judge(row, goal) is answer


def test_waiting_ends_with_the_first_look_that_shows_it() -> None:
    assert waited([a_waiting_row(), a_waiting_row(), a_row(phase=Phase.CANCELLED)], Goal.CANCELLED) == (ExitCode.OK, 20)


def test_waiting_ends_as_soon_as_a_job_is_stalled() -> None:
    assert waited([a_waiting_row(), a_stalled_row("chat")], Goal.SETTLED) == (ExitCode.STALLED, 10)


def test_time_runs_out_to_the_second() -> None:
    assert waited([a_waiting_row()], Goal.SETTLED, timeout_s=25) == (ExitCode.TIMED_OUT, 25)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.declare("ftjob-chat")
    desk.want("chat", "cancelled")
    return desk


def test_wait_reads_what_another_pass_wrote(desk: Desk) -> None:
    before = desk.run("wait", "chat", "--timeout", "0s")
    desk.run("--once", "--wait")
    after = desk.run("wait", "chat", "--for", "cancelled")

    assert (before.code, before.out) == (
        75,
        "chat: not settled in time: unknown, OutOfDate: its job has not been looked at yet\n",
    )
    assert (after.code, after.out) == (0, "chat: cancelled, Cancelled\n")


def test_a_job_that_ended_otherwise_will_never_be_there(desk: Desk) -> None:
    desk.run("--once", "--wait")

    ran = desk.run("wait", "chat", "--for", "succeeded")

    assert ran.code == 1
    assert ran.out.startswith("chat: will not be succeeded: cancelled, Cancelled")


def test_wait_live_asks_the_provider_and_changes_nothing(desk: Desk) -> None:
    desk.want("chat", "running")

    ran = desk.run("wait", "chat", "--live")

    assert (ran.code, ran.out) == (0, "chat: running, AsDesired\n")
    assert not (desk.specs / "status").exists()


def test_retry_makes_one_pass_for_that_job_only(desk: Desk) -> None:
    desk.declare("ftjob-chat", "ftjob-other")
    desk.want("other", "cancelled")

    ran = desk.run("retry", "chat")

    assert ran.code == 0
    assert "chat: cancel accepted" in ran.out
    assert "other" not in ran.out
