"""The result of `wait`: a line for each job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.report import Row
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import row_state
from reconciler.views.text import clean


@dataclass(frozen=True, slots=True)
class WaitResult:
    """What `reconcile wait` found when it ended."""

    goal: str
    """The state to wait for."""
    jobs: tuple[tuple[Row, bool | None], ...]
    """Each job, and whether it reached the goal: True, False if it no longer can, or None if that is still open."""
    is_timed_out: bool
    """Whether `--timeout` passed before every job had reached the goal."""


def wait_text(result: WaitResult, _context: RenderContext) -> str:
    """Return a line for each job: its state and, if it has not reached the goal, whether it can still reach it."""
    return "".join(f"{line}\n" for line in _lines(result))


def _lines(result: WaitResult) -> Iterator[str]:
    for row, has_reached_goal in result.jobs:
        state = row_state(row)
        name, summary = clean(row.name), f"{row.status.phase}, {state.reason}"
        if has_reached_goal:
            yield f"{name}: {summary}"
        elif has_reached_goal is False:
            yield f"{name}: will not be {result.goal}: {summary}: {clean(state.message)}"
        elif result.is_timed_out:
            yield f"{name}: not {result.goal} in time: {summary}: {clean(state.message)}"
        else:
            yield f"{name}: not {result.goal} yet: {summary}"
