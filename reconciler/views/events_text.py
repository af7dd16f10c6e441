"""The events of several jobs as one list, the oldest first: from the last recorded status of each job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.report import Row
from reconciler.model.spec import render_instant
from reconciler.views.cost_text import saved_text
from reconciler.views.job_history import timeline
from reconciler.views.layout import Column, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.text import second

NO_EVENTS = "No events."
SOURCE_WIDTH = len("requested")
"""The width of the longest source in a timeline without the log of a provider."""
EVENT_FOLD = 30


@dataclass(frozen=True, slots=True)
class JobHappening:
    """One event of a job.

    Args:
        at: when it happened.
        name: the name of the job's spec.
        kind: the kind of the job.
        provider: the provider in the spec; None if the spec is not valid.
        source: who reports it: `requested`, `provider`, `observed` or `confirmed`.
        text: what happened.
    """

    at: datetime
    name: str
    kind: str
    provider: str | None
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class EventList:
    """Events to show, the oldest first.

    Args:
        events: the events.
        name_width: the width of the column of names, so that later events are aligned with earlier ones.
        is_continued: whether the events follow an earlier list, so that no titles are shown.
        saved: the spending that the confirmed cancels among them prevented, as text; None if that is unknown.
    """

    events: Sequence[JobHappening]
    name_width: int = 0
    is_continued: bool = False
    saved: str | None = None


def events_of(rows: Iterable[Row], since: datetime | None = None) -> list[JobHappening]:
    """Return the events of these jobs that happened at `since` or later, the oldest first. None means all events.

    They are read from the recorded statuses. The status of a row may contain an entry that no pass has recorded.
    """
    found = [
        JobHappening(at, row.name, row.status.kind.name, row.provider, source, text)
        for row in rows
        if row.before is not None
        for at, _, source, text in timeline(row.before)
        if at is not None and (since is None or at >= since)
    ]
    return sorted(found, key=lambda each: (each.at, each.name))  # a job's own events keep their order


def saved_since(rows: Iterable[Row], since: datetime | None = None) -> str | None:
    """Return the spending that the cancels confirmed at `since` or later prevented, as text, or None if unknown."""
    receipts = (receipt for row in rows if row.before is not None for receipt in row.before.receipts)
    return saved_text(each for each in receipts if since is None or (each.confirmed_at or since) >= since)


def events_text(shown: EventList, context: RenderContext) -> str:
    """Return the events as a table, or a message if there are none."""
    if not shown.events:
        return "" if shown.is_continued else context.canvas.render([styled(NO_EVENTS)])
    columns = [
        Column("TIME (UTC)", [styled(second(each.at), "dim") for each in shown.events]),
        Column("JOB", [styled(each.name.ljust(shown.name_width)) for each in shown.events]),
        Column("SOURCE", [styled(each.source.ljust(SOURCE_WIDTH)) for each in shown.events]),
        Column("EVENT", [styled(each.text) for each in shown.events], fold_at=EVENT_FOLD),
    ]
    parts: list[RenderableType] = [table(columns, context.canvas.width, has_titles=not shown.is_continued)]
    if shown.saved is not None:
        parts += [Text(), styled(f"Not spent because of these cancels: {shown.saved}.")]
    return context.canvas.render(parts)


def events_json(shown: EventList, _context: RenderContext) -> str:
    """Return the events as JSON, one object on each line."""
    return "".join(f"{json.dumps(_event(each))}\n" for each in shown.events)


def _event(event: JobHappening) -> dict[str, str | None]:
    return {
        "at": render_instant(event.at),
        "name": event.name,
        "kind": event.kind,
        "provider": event.provider,
        "source": event.source,
        "message": event.text,
    }
