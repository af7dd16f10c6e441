"""The progress from one report to the next: a summary line, and a line for each job that changed."""

from __future__ import annotations

from reconciler.model.report import Report, Row
from reconciler.views.result_text import change_line
from reconciler.views.row_state import JobState, count_by_state, job_state, row_state
from reconciler.views.text import clean, names


def summary_line(report: Report) -> str:
    """Return text such as `3 as desired, 1 on the way; waiting for support-triage`.

    The totals come first, because a narrow terminal cuts off the end.
    """
    totals = ", ".join(f"{number:,} {state}" for state, number in count_by_state(report.rows).items() if number)
    waiting = [row.name for row in report.rows if job_state(row) is JobState.ON_THE_WAY]
    return f"{totals}; waiting for {names(waiting)}" if waiting else totals or "no jobs"


def changed_lines(before: Report | None, after: Report) -> tuple[str, ...]:
    """Return a line of text for each job whose text has changed since `before`.

    A job that is not in `before` gets a line only if a change to this job had an outcome in this pass. The first report
    is compared with None, which stands for a report without jobs.
    """
    old = {row.name: _line(row) for row in before.rows} if before is not None else {}
    new = ((row, _line(row)) for row in after.rows)
    return tuple(
        line for row, line in new if (old[row.name] != line if row.name in old else change_line(row) is not None)
    )


def _line(row: Row) -> str:
    state = row_state(row)
    return change_line(row) or f"{clean(row.name)}: {row.status.phase}, {clean(state.reason)}"
