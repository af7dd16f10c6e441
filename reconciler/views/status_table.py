"""The state of every job as a table, for `get` and for the result of a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text

from reconciler.model.report import Report, Row
from reconciler.views.cost_text import amount_text, left, spent
from reconciler.views.layout import STYLES, Column, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import NO_JOBS, RowState, row_state
from reconciler.views.text import NO_VALUE
from reconciler.views.usage import done_requests, expected_end, job_age, time_left, used_tokens

MESSAGE_FOLD = 24
DROPPED = ("LEFT", "AGE", "PROVIDER", "WANTED", "PHASE")
"""The columns that a narrow terminal leaves out, the least important first."""
DROPPED_WIDE = ("ACCOUNT", "COST LEFT", "TOKENS", "REQUESTS", "SOURCE", "JOB ID", "KIND", *DROPPED)


def get_text(report: Report, context: RenderContext) -> str:
    """Return the table that `get` prints, or a message if there are no jobs."""
    return context.canvas.render([live_table(report, context) if report.rows else styled(NO_JOBS)])


def get_wide(report: Report, context: RenderContext) -> str:
    """Return the table that `get -o wide` prints, or a message if there are no jobs."""
    return context.canvas.render([live_wide_table(report, context) if report.rows else styled(NO_JOBS)])


def live_table(report: Report, context: RenderContext) -> Text:
    """Return the table of `get` for a terminal that is updated in place."""
    return rows_table(report.rows, context.canvas.width, context.now)


def live_wide_table(report: Report, context: RenderContext) -> Text:
    """Return the table of `get -o wide` for a terminal that is updated in place."""
    return rows_table(report.rows, context.canvas.width, context.now, is_wide=True)


def rows_table(rows: Sequence[Row], width: int, now: datetime, *, is_wide: bool = False) -> Text:
    """Return the rows as a table, in the order given.

    With `is_wide`, it also shows the costs, the tokens, the requests of batches, job ids, accounts, files and messages,
    and the kinds if they differ.
    """
    states = [row_state(row) for row in rows]
    kinds = {row.status.kind.name for row in rows}

    def column(title: str, value: Callable[[Row], str | None]) -> Column:
        return Column(title, [styled(value(row) or NO_VALUE) for row in rows])

    columns = [
        column("NAME", lambda row: row.name),
        column("PROVIDER", lambda row: row.provider),
        *([column("KIND", lambda row: row.status.kind.name)] if is_wide and len(kinds) > 1 else []),
        column("WANTED", lambda row: row.wanted),
        column("PHASE", lambda row: row.status.phase),
        Column("READY", [Text(state.ready, STYLES[state.job_state]) for state in states]),
        Column("REASON", [_reason(state) for state in states]),
        column("AGE", lambda row: job_age(row, now)),
    ]
    if any(expected_end(row) for row in rows):
        columns.append(column("LEFT", lambda row: time_left(row, now)))
    if is_wide and any(used_tokens(row) for row in rows):
        columns.append(column("TOKENS", lambda row: f"{count:,}" if (count := used_tokens(row)) else None))
    if is_wide and any(row.price for row in rows):
        columns.append(column("COST", lambda row: amount_text(spent(row, now))))
        columns.append(column("COST LEFT", lambda row: amount_text(left(row, now))))
    if is_wide and any(done_requests(row) for row in rows):
        columns.append(column("REQUESTS", done_requests))
    if is_wide:
        columns += [
            column("JOB ID", _job_id),
            column("ACCOUNT", lambda row: str(row.ref.account) if row.ref else None),
            column("SOURCE", lambda row: row.source),
            Column("MESSAGE", [styled(state.message or NO_VALUE) for state in states], fold_at=MESSAGE_FOLD),
        ]
    return table(columns, width, drop=DROPPED_WIDE if is_wide else DROPPED)


def _reason(state: RowState) -> Text:
    return styled(state.reason, STYLES[state.job_state])


def _job_id(row: Row) -> str | None:
    return row.ref.id if row.ref else None
