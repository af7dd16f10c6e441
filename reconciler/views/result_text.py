"""What a pass did: each change and what became of it, where every job stands, what a person must see to, the sum.

Beyond `LISTED_MAX` jobs those that are as desired are counted, not listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.action import Action, Progress
from reconciler.model.report import Report, Row
from reconciler.model.status import Receipt
from reconciler.model.transition import closed_since
from reconciler.views.layout import Canvas, styled
from reconciler.views.orphans_text import orphan_part
from reconciler.views.plan_text import standing_part, unjudged_part
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, outlook, told_standings, told_verbs
from reconciler.views.status_table import rows_table
from reconciler.views.text import clean, count, names
from reconciler.views.unobserved_text import unseen_part

LISTED_MAX = 50
REFUSED_MAX = 5

FATES = {
    Progress.PLANNED: "is pending: not sent in this pass",
    Progress.REFUSED: "was refused: not sent",
    Progress.ACCEPTED: "accepted",
    Progress.UNANSWERED: "was sent without a reply: the next check will show whether it worked",
    Progress.NOT_DELIVERED: "could not be delivered: the next pass retries it",
    Progress.FORBIDDEN: "was forbidden: the credential may not do this",
    Progress.REJECTED: "was rejected by the provider",
    Progress.ALREADY_OVER: "refused: already",
    Progress.NOT_RECORDED: "was not sent: its receipt could not be written first",
    Progress.OVERTAKEN: "was not sent: its spec, or what is published, changed meanwhile",
}
FATES_OF_MANY = "all were refused: none was sent"
ASKED = frozenset(
    {Progress.ACCEPTED, Progress.UNANSWERED, Progress.FORBIDDEN, Progress.REJECTED, Progress.ALREADY_OVER}
)
"""What became of a request that the provider may have got."""


def result_text(report: Report, context: RenderContext) -> str:
    """Return the result of a pass as text, without what became of the changes that have been told already."""
    changes = list(_change_lines(report, context.told))
    parts: list[RenderableType] = [styled(line) for line in changes]
    if changes:
        parts.append(Text())
    parts += unseen_part(report)
    parts += _table(report, context.canvas, context.now)
    parts += standing_part(report.rows, JobState.STALLED)
    parts += unjudged_part(report.rows)
    if not report.rows:
        parts += [styled("No jobs found."), Text()]
    parts += orphan_part(report.orphans)
    if report.removed:
        parts += [styled(_removed(report.removed)), Text()]
    asked = [row for row in report.rows if row.progress in ASKED]
    return context.canvas.render(
        [*parts, styled(f"Asked: {told_verbs(asked) or 'nothing'}. Now: {told_standings(report.rows)}.", "bold")]
    )


def _change_lines(report: Report, is_said: Collection[str]) -> Iterator[str]:
    """Each change with what became of it. Many that were refused are one line: the table has each of them."""
    refused = [row for row in report.rows if row.progress is Progress.REFUSED]
    are_many = len(refused) > REFUSED_MAX
    for row in report.rows:
        line = None if row.name in is_said else change_line(row)
        if line is not None and not (are_many and row.progress is Progress.REFUSED):
            yield line
    if are_many:
        yield f"{names([row.name for row in refused])}: {FATES_OF_MANY}"


def change_line(row: Row) -> str | None:
    """Return what became of a job's change, in one line; None if nothing did."""
    closed = _closed(row)
    if row.action is not None and row.progress is not None:
        return f"{clean(row.name)}: {_fate(row, row.action, row.progress, closed)}"
    if closed is not None:
        return f"{clean(row.name)}: {closed.verb} requested earlier, {_end(closed)}"
    return None


def _fate(row: Row, action: Action, progress: Progress, closed: Receipt | None) -> str:
    fate = f"{action.verb} {FATES[progress]}"
    if progress is Progress.ACCEPTED:
        return f"{fate}, {'not confirmed yet' if closed is None else _end(closed)}"
    if progress is Progress.REJECTED:
        return f"{fate}: {clean(outlook(row).message)}"
    if progress is Progress.ALREADY_OVER:
        return f"{fate} {row.status.phase}"
    return fate


def _closed(row: Row) -> Receipt | None:
    """Return the newest receipt, if it was closed in this pass."""
    closed = closed_since(row.before, row.status)
    return closed[0] if closed and closed[0] is row.status.receipts[0] else None


def _end(receipt: Receipt) -> str:
    return "ended unconfirmed" if receipt.confirmed_at is None else f"confirmed {receipt.outcome}"


def _table(report: Report, canvas: Canvas, now: datetime) -> list[RenderableType]:
    rows = report.rows
    if len(rows) > LISTED_MAX:
        rows = tuple(row for row in rows if outlook(row).standing is not JobState.AS_DESIRED)
    parts: list[RenderableType] = [rows_table(rows, canvas.width, now), Text()] if rows else []
    if hidden := len(report.rows) - len(rows):
        parts[1:] = [styled(f"and {count(hidden, 'job')} as desired: `reconcile get` lists them all", "dim"), Text()]
    return parts


def _removed(removed: tuple[str, ...]) -> str:
    return f"Removed the status of {count(len(removed), 'deleted spec')}: {names(removed)}"
