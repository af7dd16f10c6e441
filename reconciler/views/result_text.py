"""The result of a pass as text: each change with its outcome, the state of every job, stalled jobs, and the totals.

If there are more than `LISTED_MAX` jobs, those in their desired state are only counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.action import Action, Progress
from reconciler.model.report import Report, Row
from reconciler.model.status import Receipt
from reconciler.model.transition import closed_since
from reconciler.views.layout import Canvas, styled
from reconciler.views.orphans_text import orphan_part
from reconciler.views.plan_text import limits_part, state_part
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import (
    NO_JOBS,
    JobState,
    requested_text,
    row_state,
    rows_by_state,
    totals_text,
    waiting_rows,
    withheld_text,
)
from reconciler.views.status_table import rows_table
from reconciler.views.text import clean, count, names
from reconciler.views.unobserved_text import unobserved_part

LISTED_MAX = 50
REFUSED_MAX = 5
"""The maximum number of refused changes that have a line each. If there are more, all of them share one line."""

PROGRESS_TEXT = {
    Progress.PLANNED: "is pending: not sent in this pass",
    Progress.REFUSED: "was refused by the guard, so it was not sent",
    Progress.ACCEPTED: "accepted",
    Progress.UNANSWERED: "was sent, but got no clear response: the next observation shows whether it worked",
    Progress.NOT_DELIVERED: "could not be delivered: the next pass retries it",
    Progress.FORBIDDEN: "was forbidden: the provider refused the credential",
    Progress.REJECTED: "was rejected by the provider",
    Progress.ALREADY_OVER: "refused: already",
    Progress.WITHHELD: "would be requested: shadow mode withholds it",
    Progress.NOT_RECORDED: "was not sent: its receipt could not be recorded first",
    Progress.OVERTAKEN: "was not sent: it was no longer wanted or allowed, or another writer changed its status",
}
ALL_REFUSED_TEXT = "the guard refused these changes, so none was sent"
SENT = frozenset({Progress.ACCEPTED, Progress.UNANSWERED, Progress.FORBIDDEN, Progress.REJECTED, Progress.ALREADY_OVER})
"""The outcomes of requests that may have reached the provider."""


def result_text(report: Report, context: RenderContext) -> str:
    """Return the result of a pass as text, without changes that were already printed during the run."""
    changes = list(_change_lines(report, context.reported))
    by_state = rows_by_state(report.rows)
    parts: list[RenderableType] = [styled(line) for line in changes]
    if changes:
        parts.append(Text())
    parts += unobserved_part(report, by_state[JobState.UNOBSERVED])
    parts += _table(report, by_state, context.canvas, context.now)
    parts += state_part(by_state[JobState.STALLED], JobState.STALLED)
    parts += state_part(waiting_rows(by_state[JobState.WITHHELD]), JobState.WITHHELD)
    parts += limits_part(report.rows)
    if not report.rows:
        parts += [styled(NO_JOBS), Text()]
    parts += orphan_part(report.orphans)
    if report.removed:
        parts += [styled(_removed_text(report.removed)), Text()]
    return context.canvas.render([*parts, styled(f"{requests_text(report)}. Now: {totals_text(by_state)}.", "bold")])


def requests_text(report: Report) -> str:
    """Return what a pass requested, or, in shadow mode, what it withheld."""
    if report.is_shadow:
        return f"Shadow mode, nothing requested. Withheld: {withheld_text(report.rows)}"
    return f"Requested: {requested_text(row for row in report.rows if row.progress in SENT)}"


def _change_lines(report: Report, reported: Collection[str]) -> Iterator[str]:
    """Yield a line for each change whose job is not in `reported`. Many refused changes share one line."""
    refused = [row for row in report.rows if row.progress is Progress.REFUSED]
    are_many = len(refused) > REFUSED_MAX
    for row in report.rows:
        line = None if row.name in reported else change_line(row)
        if line is not None and not (are_many and row.progress is Progress.REFUSED):
            yield line
    if are_many:
        yield f"{names([row.name for row in refused])}: {ALL_REFUSED_TEXT}"


def change_line(row: Row) -> str | None:
    """Return one line with the outcome of a job's change, or None if no change had an outcome in this pass."""
    closed = _closed_receipt(row)
    if row.action is not None and row.progress is not None:
        return f"{clean(row.name)}: {_outcome(row, row.action, row.progress, closed)}"
    if closed is not None:
        return f"{clean(row.name)}: {closed.verb} requested earlier, {_end(closed)}"
    return None


def _outcome(row: Row, action: Action, progress: Progress, closed: Receipt | None) -> str:
    outcome = f"{action.verb} {PROGRESS_TEXT[progress]}"
    if progress is Progress.ACCEPTED:
        return f"{outcome}, {'not confirmed yet' if closed is None else _end(closed)}"
    if progress is Progress.REJECTED:
        return f"{outcome}: {clean(row_state(row).message)}"
    if progress is Progress.ALREADY_OVER:
        return f"{outcome} {row.status.phase}"
    return outcome


def _closed_receipt(row: Row) -> Receipt | None:
    """Return the newest receipt if this pass closed it, or None."""
    closed = closed_since(row.before, row.status)
    return closed[0] if closed and closed[0] is row.status.receipts[0] else None


def _end(receipt: Receipt) -> str:
    return "ended unconfirmed" if receipt.confirmed_at is None else f"confirmed {receipt.outcome}"


def _table(
    report: Report, by_state: Mapping[JobState, list[Row]], canvas: Canvas, now: datetime
) -> list[RenderableType]:
    rows = report.rows
    if len(rows) > LISTED_MAX:
        others = {id(row) for state, found in by_state.items() for row in found if state is not JobState.AS_DESIRED}
        rows = tuple(row for row in rows if id(row) in others)
    parts: list[RenderableType] = [rows_table(rows, canvas.width, now), Text()] if rows else []
    if hidden := len(report.rows) - len(rows):
        parts[1:] = [styled(f"and {count(hidden, 'job')} as desired: `reconcile get` lists them all", "dim"), Text()]
    return parts


def _removed_text(removed: tuple[str, ...]) -> str:
    return f"Removed the status of {count(len(removed), 'deleted spec')}: {names(removed)}"
