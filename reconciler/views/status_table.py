"""Where every job stands, as a table: `get`, and the end of a pass. Narrow, it drops what matters least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text

from reconciler.model.report import Report, Row
from reconciler.views.layout import STYLES, Column, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import RowState, outlook
from reconciler.views.text import NOTHING
from reconciler.views.usage import age_of, finishes, left_of, tokens

MESSAGE_FOLD = 24
NO_JOBS = "No jobs found."
NARROW = ("LEFT", "AGE", "PROVIDER", "WANTED", "PHASE")
WIDE = ("ACCOUNT", "TOKENS", "SOURCE", "JOB ID", *NARROW)


def get_text(report: Report, context: RenderContext) -> str:
    """Return the table that `get` prints; a sentence, if there is no row."""
    return context.canvas.render([live_table(report, context) if report.rows else styled(NO_JOBS)])


def get_wide(report: Report, context: RenderContext) -> str:
    """Return the same table with everything that is known of a job."""
    return context.canvas.render([live_wide_table(report, context) if report.rows else styled(NO_JOBS)])


def live_table(report: Report, context: RenderContext) -> Text:
    """Return the table as a terminal shows it while it is kept up to date."""
    return rows_table(report.rows, context.canvas.width, context.now)


def live_wide_table(report: Report, context: RenderContext) -> Text:
    """Return the same table with everything that is known of a job."""
    return rows_table(report.rows, context.canvas.width, context.now, is_wide=True)


def rows_table(rows: Sequence[Row], width: int, now: datetime, *, is_wide: bool = False) -> Text:
    """Return the rows as a table, in the order given."""
    looks = [outlook(row) for row in rows]

    def column(title: str, said: Callable[[Row], str | None]) -> Column:
        return Column(title, [styled(said(row) or NOTHING) for row in rows])

    columns = [
        column("NAME", lambda row: row.name),
        column("PROVIDER", lambda row: row.provider),
        column("WANTED", lambda row: row.wanted),
        column("PHASE", lambda row: row.status.phase),
        Column("READY", [Text(look.ready, STYLES[look.standing]) for look in looks]),
        Column("REASON", [_reason(look) for look in looks]),
        column("AGE", lambda row: age_of(row, now)),
    ]
    if any(finishes(row) for row in rows):
        columns.append(column("LEFT", lambda row: left_of(row, now)))
    if is_wide and any(tokens(row) for row in rows):
        columns.append(column("TOKENS", lambda row: f"{count:,}" if (count := tokens(row)) else None))
    if is_wide:
        columns += [
            column("JOB ID", _job_id),
            column("ACCOUNT", lambda row: str(row.ref.account) if row.ref else None),
            column("SOURCE", lambda row: row.source),
            Column("MESSAGE", [styled(look.message or NOTHING) for look in looks], fold_at=MESSAGE_FOLD),
        ]
    return table(columns, width, drop=WIDE if is_wide else NARROW)


def _reason(look: RowState) -> Text:
    return styled(look.reason, STYLES[look.standing])


def _job_id(row: Row) -> str | None:
    return row.ref.id if row.ref else None
