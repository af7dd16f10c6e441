"""Differences between specs and providers: jobs that are not in their desired state, and unmanaged jobs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import UNFINISHED, ObservedJob
from reconciler.model.report import Row
from reconciler.model.spec import render_instant
from reconciler.views.layout import STYLES, Column, section, styled, table
from reconciler.views.read_lists import ReadList, bounds, lists_json
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, next_change, row_state
from reconciler.views.text import NO_VALUE, age, count

LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class UnmanagedJob:
    """A job without a spec. `provider` is a name of its account, and `kind` the name of its kind."""

    provider: str
    job: ObservedJob
    kind: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The drifting jobs and the unmanaged jobs.

    Args:
        rows: the jobs that are not in their desired state.
        unmanaged: the jobs that no spec names.
        is_complete: whether every job was observed and every account was listed.
        lists: how far the lists were read.
    """

    rows: Sequence[Row]
    unmanaged: Sequence[UnmanagedJob]
    is_complete: bool
    lists: Sequence[ReadList] = ()


def drift_text(drift: Drift, context: RenderContext) -> str:
    """Return the drifting jobs and the jobs without a spec as tables, with their numbers in the last line."""
    rows, unmanaged, canvas = drift.rows, drift.unmanaged, context.canvas
    parts: list[RenderableType] = []
    if rows:
        parts.append(section("Not as desired", _drifting_table(rows, canvas.width), STYLES[JobState.STALLED]))
    if unmanaged:
        table_ = _unmanaged_table(unmanaged, canvas.width, context.now)
        parts.append(section("Without a spec", table_, STYLES[JobState.OUT_OF_DATE]))
    if (more := len(unmanaged) - LISTED_MAX) > 0:
        parts += [styled(f"and {more:,} more: -o json lists them all", "dim"), Text()]
    if not (rows or unmanaged):
        nothing = "No drift." if drift.is_complete else "No drift among the jobs that could be observed."
        return canvas.render([*bounds(drift.lists), styled(nothing, "bold")])
    unfinished = sum(each.job.phase in UNFINISHED for each in unmanaged)
    numbers = (
        f"{count(len(rows), 'job')} not as desired; {len(unmanaged):,} without a spec ({unfinished:,} unfinished)."
    )
    return canvas.render([*parts, *bounds(drift.lists), styled(f"Drift: {numbers}", "bold")])


def drift_json(drift: Drift, _context: RenderContext) -> str:
    """Return the drifting and unmanaged jobs as one JSON object."""
    drifting = [
        {
            "name": row.name,
            "source": row.source,
            "desiredState": row.wanted,
            "phase": row.status.phase,
            "reason": row_state(row).reason,
            "action": row.action.verb if row.action else None,
        }
        for row in drift.rows
    ]
    unmanaged = [
        {
            "provider": each.provider,
            "kind": each.kind,
            "jobId": each.job.id,
            "phase": each.job.phase,
            "model": _text(each.job.model),
            "createdAt": render_instant(at) if (at := _created(each.job)) else None,
        }
        for each in drift.unmanaged
    ]
    return json.dumps({"drifting": drifting, "strangers": unmanaged, "lists": lists_json(drift.lists)}, indent=2) + "\n"


def _drifting_table(rows: Sequence[Row], width: int) -> Text:
    states = [row_state(row) for row in rows]
    columns = [
        Column("NAME", [styled(row.name) for row in rows]),
        Column("WANTED", [styled(row.wanted or NO_VALUE) for row in rows]),
        Column("PHASE", [styled(row.status.phase) for row in rows]),
        Column("REASON", [styled(state.reason, STYLES[state.job_state]) for state in states]),
        Column("NEXT PASS", [styled(next_change(row) or NO_VALUE) for row in rows]),
    ]
    return table(columns, width, drop=("NEXT PASS",))


def _unmanaged_table(unmanaged: Sequence[UnmanagedJob], width: int, now: datetime) -> Text:
    shown = unmanaged[:LISTED_MAX]
    columns = [
        Column("JOB ID", [styled(each.job.id) for each in shown]),
        Column("PROVIDER", [styled(each.provider) for each in shown]),
        *([Column("KIND", [styled(each.kind) for each in shown])] if len({each.kind for each in shown}) > 1 else []),
        Column("PHASE", [styled(each.job.phase) for each in shown]),
        Column("AGE", [Text(age(_created(each.job), now)) for each in shown]),
        Column("MODEL", [styled(_text(each.job.model) or NO_VALUE) for each in shown]),
    ]
    return table(columns, width, drop=("MODEL", "PROVIDER"))


def _text(value: object) -> str | None:
    """Return the value of a field, or None if the provider did not return text."""
    return value if isinstance(value, str) else None


def _created(job: ObservedJob) -> datetime | None:
    return job.created_at if isinstance(job.created_at, datetime) else None
