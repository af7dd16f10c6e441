"""What a pass did: each change and what became of it, where every job stands, what a person must see to, the sum.

Beyond `LISTED_MAX` jobs those that are as desired are counted, not listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.report import Action, Progress, Report, Row
from reconciler.model.status import Receipt
from reconciler.views.layout import Canvas, styled
from reconciler.views.plan_text import standing_part
from reconciler.views.row_state import Standing, outlook, told_standings, told_verbs
from reconciler.views.status_table import rows_table
from reconciler.views.text import clean, count, names
from reconciler.views.unobserved_text import unseen_part

LISTED_MAX = 50
REFUSED_MAX = 5

FATES = {
    Progress.PLANNED: "is due, and was not asked for",
    Progress.REFUSED: "was refused; nothing was sent",
    Progress.ACCEPTED: "accepted",
    Progress.UNANSWERED: "was asked for, without an answer; the next look will show",
    Progress.NOT_DELIVERED: "could not be delivered; the next pass asks again",
    Progress.FORBIDDEN: "was forbidden: the credential may not do this",
    Progress.REJECTED: "was rejected by the provider",
    Progress.NOT_RECORDED: "was not sent: its receipt could not be written first",
    Progress.OVERTAKEN: "was not sent: its spec, or what is published, changed meanwhile",
}
FATES_OF_MANY = "all were refused; nothing was sent"
ASKED = frozenset({Progress.ACCEPTED, Progress.UNANSWERED, Progress.FORBIDDEN, Progress.REJECTED})
"""What became of a request that the provider may have got."""


def result_text(report: Report, canvas: Canvas, now: datetime) -> str:
    """Return the result of a pass as text."""
    changes = list(_change_lines(report))
    parts: list[RenderableType] = [styled(line) for line in changes]
    if changes:
        parts.append(Text())
    parts += unseen_part(report)
    parts += _table(report, canvas, now)
    parts += standing_part(report.rows, Standing.STALLED)
    if not report.rows:
        parts += [styled("No jobs found."), Text()]
    if report.removed:
        parts += [styled(_removed(report.removed)), Text()]
    asked = [row for row in report.rows if row.progress in ASKED]
    return canvas.render([*parts, styled(f"Asked: {told_verbs(asked)}. Now: {told_standings(report.rows)}.", "bold")])


def _change_lines(report: Report) -> Iterator[str]:
    """Each change with what became of it. Many that were refused are one line: the table has each of them."""
    refused = [row for row in report.rows if row.progress is Progress.REFUSED]
    are_many = len(refused) > REFUSED_MAX
    for row in report.rows:
        line = change_line(row)
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
        return f"{clean(row.name)}: {closed.verb} asked for earlier, {_end(closed)}"
    return None


def _fate(row: Row, action: Action, progress: Progress, closed: Receipt | None) -> str:
    fate = f"{action.verb} {FATES[progress]}"
    if progress is Progress.ACCEPTED:
        return f"{fate}, {'not confirmed yet' if closed is None else _end(closed)}"
    if progress is Progress.REJECTED:
        return f"{fate}: {clean(outlook(row).message)}"
    return fate


def _closed(row: Row) -> Receipt | None:
    """The newest receipt, if it was closed in this pass."""
    newest = row.status.receipts[0] if row.status.receipts else None
    if newest is None or newest.is_open:
        return None
    before = row.before.receipts if row.before is not None else ()
    was_closed = any(each.requested_at == newest.requested_at and not each.is_open for each in before)
    return None if was_closed else newest


def _end(receipt: Receipt) -> str:
    return "ended unconfirmed" if receipt.confirmed_at is None else f"confirmed {receipt.outcome}"


def _table(report: Report, canvas: Canvas, now: datetime) -> list[RenderableType]:
    rows = report.rows
    if len(rows) > LISTED_MAX:
        rows = tuple(row for row in rows if outlook(row).standing is not Standing.AS_DESIRED)
    parts: list[RenderableType] = [rows_table(rows, canvas.width, now), Text()] if rows else []
    if hidden := len(report.rows) - len(rows):
        parts[1:] = [styled(f"and {count(hidden, 'job')} as desired: `reconcile get` lists them all", "dim"), Text()]
    return parts


def _removed(removed: tuple[str, ...]) -> str:
    return f"Forgot {count(len(removed), 'deleted spec')}; the jobs were left alone: {names(removed)}"
