"""The state of every job as a table, for `get` and for the result of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    columns = [
        _column("NAME", rows, lambda row: row.name),
        _column("PROVIDER", rows, lambda row: row.provider),
        *(_kind_column(rows) if is_wide else ()),
        _column("WANTED", rows, lambda row: row.wanted),
        _column("PHASE", rows, lambda row: row.status.phase),
        Column("READY", _cells((state.ready, STYLES[state.job_state]) for state in states)),
        Column("REASON", _cells((state.reason, STYLES[state.job_state]) for state in states)),
        _column("AGE", rows, lambda row: job_age(row, now)),
    ]
    if any(map(expected_end, rows)):
        columns.append(_column("LEFT", rows, lambda row: time_left(row, now)))
    if is_wide:
        columns += [*_usage_columns(rows, now), *_place_columns(rows, states)]
    return table(columns, width, drop=DROPPED_WIDE if is_wide else DROPPED)


def _column(title: str, rows: Sequence[Row], value: Callable[[Row], str | None]) -> Column:
    return Column(title, _cells((value(row) or NO_VALUE, "") for row in rows))


def _cells(texts: Iterable[tuple[str, str]]) -> list[Text]:
    """Return a cell for each text and its style. Equal cells are one object, which saves memory in long tables."""
    known: dict[tuple[str, str], Text] = {}
    return [known.get(each) or known.setdefault(each, styled(*each)) for each in texts]


def _kind_column(rows: Sequence[Row]) -> Iterator[Column]:
    """Yield the column with the kinds of the jobs if they differ."""
    if len({row.status.kind.name for row in rows}) > 1:
        yield _column("KIND", rows, lambda row: row.status.kind.name)


def _usage_columns(rows: Sequence[Row], now: datetime) -> Iterator[Column]:
    """Yield the columns with the tokens, the costs and the requests, each if any job has such a value."""
    if any(map(used_tokens, rows)):
        yield _column("TOKENS", rows, lambda row: f"{count:,}" if (count := used_tokens(row)) else None)
    if any(row.price for row in rows):
        yield _column("COST", rows, lambda row: amount_text(spent(row, now)))
        yield _column("COST LEFT", rows, lambda row: amount_text(left(row, now)))
    if any(map(done_requests, rows)):
        yield _column("REQUESTS", rows, done_requests)


def _place_columns(rows: Sequence[Row], states: Sequence[RowState]) -> Iterator[Column]:
    """Yield the columns that show where a job and its spec are, and the message."""
    yield _column("JOB ID", rows, _job_id)
    yield _column("ACCOUNT", rows, lambda row: str(row.ref.account) if row.ref else None)
    yield _column("SOURCE", rows, lambda row: row.source)
    yield Column("MESSAGE", _cells((state.message or NO_VALUE, "") for state in states), fold_at=MESSAGE_FOLD)


def _job_id(row: Row) -> str | None:
    return row.ref.id if row.ref else None
