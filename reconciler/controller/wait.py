"""Waiting for jobs: look, judge, sleep, until all are where they should be, one never will be, or time runs out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

from reconciler.model.job import TERMINAL
from reconciler.model.reason import Reason
from reconciler.model.report import ExitCode, Report, Row
from reconciler.ports import Clock


class Goal(StrEnum):
    """What can be waited for."""

    SETTLED = "settled"
    """Ready or suspended: nothing is on its way any more."""
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"


def judge(row: Row, goal: Goal) -> bool | None:
    """Return whether a job is there; None while it may still get there. A look that failed says nothing new."""
    status = row.status
    if row.unseen is not None:
        return None
    if goal is not Goal.SETTLED and status.phase.value == goal.value:
        return True
    if status.is_stalled:
        return False
    if goal is Goal.SETTLED:
        return True if status.is_ready or status.ready.reason is Reason.SUSPENDED else None
    return False if status.final and status.phase in TERMINAL else None


async def wait_for(
    look: Callable[[], Awaitable[Report]],
    goal: Goal,
    clock: Clock,
    *,
    interval_s: float,
    timeout_s: float,
    tell: Callable[[Report], None],
) -> tuple[Report, ExitCode]:
    """Return the last report, and 0, or 1 as soon as one job cannot get there, or 75 once time has run out.

    Args:
        look: returns a report with the rows that are waited for, and no others.
        goal: what is waited for.
        clock: the time.
        interval_s: seconds between two looks.
        timeout_s: how long to wait, in seconds.
        tell: is given each report.
    """
    until = clock.monotonic() + timeout_s
    while True:
        report = await look()
        tell(report)
        answers = [judge(row, goal) for row in report.rows]
        if False in answers:
            return report, ExitCode.STALLED
        if None not in answers:
            return report, ExitCode.OK
        left = until - clock.monotonic()
        if left <= 0:
            return report, ExitCode.TIMED_OUT
        await clock.sleep(min(interval_s, left))
