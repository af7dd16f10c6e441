"""Where the world is not what the specs say: jobs that stand elsewhere, and jobs that no spec speaks of."""

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
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, outlook
from reconciler.views.text import NOTHING, age, count

LISTED_MAX = 50


@dataclass(frozen=True, slots=True)
class Stranger:
    """A job with no spec, at the account that goes by this name."""

    provider: str
    job: ObservedJob


@dataclass(frozen=True, slots=True)
class Drift:
    """What drifts. Without `is_whole`, not everything could be seen."""

    rows: Sequence[Row]
    strangers: Sequence[Stranger]
    is_whole: bool


def drift_text(drift: Drift, context: RenderContext) -> str:
    """Return what drifts, and in the last line how much of it."""
    rows, strangers, canvas = drift.rows, drift.strangers, context.canvas
    parts: list[RenderableType] = []
    if rows:
        parts.append(section("Not as the spec wants", _rows(rows, canvas.width), STYLES[JobState.STALLED]))
    if strangers:
        parts.append(
            section("Without a spec", _strangers(strangers, canvas.width, context.now), STYLES[JobState.OUT_OF_DATE])
        )
    if len(strangers) > LISTED_MAX:
        parts[-1:] = [
            parts[-1],
            styled(f"and {len(strangers) - LISTED_MAX:,} more: -o json lists them all", "dim"),
            Text(),
        ]
    calm = "Nothing drifts." if drift.is_whole else "Nothing drifts, as far as could be seen."
    unfinished = sum(each.job.phase in UNFINISHED for each in strangers)
    told = f"{count(len(rows), 'job')} not as wanted; {len(strangers):,} without a spec, {unfinished:,} unfinished."
    return canvas.render([*parts, styled(f"Drift: {told}" if rows or strangers else calm, "bold")])


def drift_json(drift: Drift, _context: RenderContext) -> str:
    """Return the same as one JSON object."""
    drifting = [
        {
            "name": row.name,
            "source": row.source,
            "desiredState": row.wanted,
            "phase": row.status.phase,
            "reason": outlook(row).reason,
            "action": row.action.verb if row.action else None,
        }
        for row in drift.rows
    ]
    unknown = [
        {
            "provider": each.provider,
            "jobId": each.job.id,
            "phase": each.job.phase,
            "model": _text(each.job.model),
            "createdAt": render_instant(at) if (at := _created(each.job)) else None,
        }
        for each in drift.strangers
    ]
    return json.dumps({"drifting": drifting, "strangers": unknown}, indent=2) + "\n"


def _rows(rows: Sequence[Row], width: int) -> Text:
    looks = [outlook(row) for row in rows]
    columns = [
        Column("NAME", [styled(row.name) for row in rows]),
        Column("WANTED", [styled(row.wanted or NOTHING) for row in rows]),
        Column("PHASE", [styled(row.status.phase) for row in rows]),
        Column("REASON", [styled(look.reason, STYLES[look.standing]) for look in looks]),
        Column("NEXT PASS", [styled(row.action.verb if row.action else NOTHING) for row in rows]),
    ]
    return table(columns, width, drop=("NEXT PASS",))


def _strangers(strangers: Sequence[Stranger], width: int, now: datetime) -> Text:
    shown = strangers[:LISTED_MAX]
    columns = [
        Column("JOB ID", [styled(each.job.id) for each in shown]),
        Column("PROVIDER", [styled(each.provider) for each in shown]),
        Column("PHASE", [styled(each.job.phase) for each in shown]),
        Column("AGE", [Text(age(_created(each.job), now)) for each in shown]),
        Column("MODEL", [styled(_text(each.job.model) or NOTHING) for each in shown]),
    ]
    return table(columns, width, drop=("MODEL", "PROVIDER"))


def _text(value: object) -> str | None:
    """A field that the provider left out is not known."""
    return value if isinstance(value, str) else None


def _created(job: ObservedJob) -> datetime | None:
    return job.created_at if isinstance(job.created_at, datetime) else None
