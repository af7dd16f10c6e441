"""Wait for jobs: poll their reports until all reach a goal, one can no longer reach the goal, or a timeout passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

from reconciler.core.shadow import WOULD
from reconciler.model.exit_code import ExitCode
from reconciler.model.job import TERMINAL
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.ports import Clock


class Goal(StrEnum):
    """The goals that `reconcile wait` supports."""

    SETTLED = "settled"
    """The job is ready or suspended, so no change is in progress."""
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"


_LEFT_ALONE = frozenset({Reason.SUSPENDED, *WOULD.values()})
"""The reasons of jobs for which reconcile deliberately requests no change."""


def judge(row: Row, goal: Goal) -> bool | None:
    """Return whether a job reached the goal.

    False means that it cannot reach the goal any more, or not before a person acts. None means that it still can, or
    that it is unobserved.
    """
    status = row.status
    if row.unobserved is not None:
        return None
    if goal is not Goal.SETTLED and status.phase.value == goal.value:
        return True
    if status.is_stalled:
        return False
    if goal is Goal.SETTLED:
        return True if status.is_ready or status.ready.reason in _LEFT_ALONE else None
    return False if status.final and status.phase in TERMINAL else None


async def wait_for(
    look: Callable[[], Awaitable[Report]],
    goal: Goal,
    clock: Clock,
    *,
    interval_s: float,
    timeout_s: float,
    on_report: Callable[[Report], None],
) -> tuple[Report, ExitCode]:
    """Wait until every job reaches the goal. Return the last report, and the exit code.

    The exit code is 0 if every job reached the goal, 1 if `judge` returned False for a job, and 75 after the timeout.

    Args:
        look: returns a report that contains only the awaited jobs.
        goal: the goal.
        clock: the clock.
        interval_s: seconds between two reports.
        timeout_s: how long to wait, in seconds.
        on_report: receives each report after which the wait continues.
    """
    until = clock.monotonic() + timeout_s
    while True:
        report = await look()
        answers = [judge(row, goal) for row in report.rows]
        if False in answers:
            return report, ExitCode.STALLED
        if None not in answers:
            return report, ExitCode.OK
        left = until - clock.monotonic()
        if left <= 0:
            return report, ExitCode.TIMED_OUT
        on_report(report)
        await clock.sleep(min(interval_s, left))
