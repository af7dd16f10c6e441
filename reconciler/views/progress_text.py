"""What is going on, between two looks: one line of where everything stands, and a line for each job with news."""

from __future__ import annotations

from reconciler.model.report import Report, Row
from reconciler.views.result_text import change_line
from reconciler.views.row_state import JobState, outlook, standings
from reconciler.views.text import clean, names


def standing_line(report: Report) -> str:
    """Return `3 as desired, 1 on the way; waiting for support-triage`: the sums first, for a terminal cuts the end."""
    sums = ", ".join(f"{number:,} {word}" for word, number in standings(report.rows).items() if number)
    waiting = [row.name for row in report.rows if outlook(row).standing is JobState.ON_THE_WAY]
    return f"{sums}; waiting for {names(waiting)}" if waiting else sums or "nothing to look after"


def news(before: Report | None, after: Report) -> tuple[str, ...]:
    """Return a line for each job of which something was done or has changed since the report before; often none."""
    known = {row.name: _line(row) for row in before.rows} if before is not None else {}
    told = ((row, _line(row)) for row in after.rows)
    return tuple(
        line for row, line in told if (known[row.name] != line if row.name in known else change_line(row) is not None)
    )


def _line(row: Row) -> str:
    look = outlook(row)
    return change_line(row) or f"{clean(row.name)}: {row.status.phase}, {clean(look.reason)}"
