"""How a `wait` ended: a line for each job that it waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.report import Row
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import outlook
from reconciler.views.text import clean


@dataclass(frozen=True, slots=True)
class WaitResult:
    """How a wait ended."""

    goal: str
    """The state that was waited for."""
    jobs: tuple[tuple[Row, bool | None], ...]
    """Each job, and whether it is there: False if it cannot get there any more, None if it still may."""
    is_out_of_time: bool


def wait_text(result: WaitResult, _context: RenderContext) -> str:
    """Return a line for each job: that it is there, or what keeps it."""
    return "".join(f"{line}\n" for line in _lines(result))


def _lines(result: WaitResult) -> Iterator[str]:
    for row, is_there in result.jobs:
        look = outlook(row)
        name, state = clean(row.name), f"{row.status.phase}, {look.reason}"
        if is_there:
            yield f"{name}: {state}"
        elif is_there is False:
            yield f"{name}: will not be {result.goal}: {state}: {clean(look.message)}"
        elif result.is_out_of_time:
            yield f"{name}: not {result.goal} in time: {state}: {clean(look.message)}"
        else:
            yield f"{name}: not {result.goal} yet: {state}"
