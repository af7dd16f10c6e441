"""The watch at one moment, as everybody else may see it: one immutable value, replaced whole.

The thread that serves it only reads it, so it never sees half of anything, and a watch that hangs cannot keep it from
answering. Moments in `float` are monotonic seconds; `liveness_problems` says what is wrong by their age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.report import Report

PATIENCE = 1.5
"""In intervals: what has not moved for so long is ill, so that everybody knows within two."""


class Result(StrEnum):
    """How one job came out of one pass, as controller-runtime counts it."""

    SUCCESS = "success"
    ERROR = "error"
    REQUEUE = "requeue"
    """Something failed, and it is tried again soon."""
    REQUEUE_AFTER = "requeue_after"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A job that will be looked at."""

    name: str
    at: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """What a watch knows of itself and of its jobs."""

    interval_s: float
    beat_at: float
    """When the event loop last got round to saying so."""
    progress_at: float
    """When a pass last moved (a request that ended, a pass that did), or was not under way at all."""
    watched_at: float
    """When a change of the specs would last have been noticed."""
    finished_at: datetime | None = None
    """When the last pass ended."""
    is_stopping: bool = False
    is_halted: bool = False
    """The documents hold an error that stops every action."""
    report: Report = field(default_factory=Report)
    """Of the last pass; its rows are of all specs."""
    seen_at: Mapping[str, datetime] = field(default_factory=dict)
    """When the job of an account that has not been seen for the longest was last seen, or first wanted; by the line
    that stands in statuses."""
    unobserved: tuple[str, ...] = ()
    """The accounts that have neither been observed since the watch began nor said why not."""
    upcoming: tuple[Upcoming, ...] = ()
    """What is due next, the earliest first; not all of it."""
    waiting: int = 0
    """How many jobs are due at some time."""


def liveness_problems(overview: WatchStatus, now: float) -> tuple[str, ...]:
    """Return a sentence for each thing that is wrong with the watch itself; none while it is well."""
    limit, beat_at = PATIENCE * overview.interval_s, overview.beat_at
    if now - beat_at > limit:
        # The other signs are told with each beat: how they are, nobody knows now.
        return (f"the event loop is blocked: nothing runs, for {now - beat_at:.0f} s",)
    signs = {
        "a look hangs: no request of its account has ended": overview.progress_at,
        "the specs are not watched: a change is found only by the scan": overview.watched_at,
    }
    return tuple(f"{what}, for {now - at:.0f} s" for what, at in signs.items() if beat_at - at > limit)


def readiness_problems(overview: WatchStatus) -> tuple[str, ...]:
    """Return a sentence for each reason why the watch is not ready to be relied on; none once it is."""
    found = {
        "it is stopping": overview.is_stopping,
        "the first pass has not ended yet": overview.finished_at is None,
        f"not observed yet: {', '.join(overview.unobserved)}": bool(overview.unobserved),
        "the documents hold an error that stops every action": overview.is_halted,
    }
    return tuple(what for what, is_so in found.items() if is_so)
