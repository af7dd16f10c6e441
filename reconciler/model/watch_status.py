"""The state of a watch at one moment: an immutable value that is replaced as a whole.

Theory: the HTTP server for health and metrics runs in its own thread and only reads this value. It never sees a partial
state, and a watch that hangs cannot stop it from answering. Times of type `float` are monotonic seconds. The functions
below derive problems from the ages of these times, because a watch that hangs cannot report that it hangs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.report import Report

STALE_AFTER_INTERVALS = 1.5
"""In intervals: no progress for this long counts as a problem. A probe then notices it within two intervals."""


class Result(StrEnum):
    """The result of one pass for one job, in the terms of controller-runtime."""

    SUCCESS = "success"
    ERROR = "error"
    REQUEUE = "requeue"
    """A failure, which is retried soon."""
    REQUEUE_AFTER = "requeue_after"
    """The next poll is scheduled."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A job whose next poll is scheduled."""

    name: str
    at: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """The state of a watch and of its jobs."""

    interval_s: float
    heartbeat_at: float
    """The last heartbeat of the event loop."""
    progress_at: float
    """When a pass last made progress (a request or the pass ended), or no pass was running."""
    watched_at: float
    """The last time at which a change of the specs would have been noticed."""
    finished_at: datetime | None = None
    """When the last pass ended."""
    is_stopping: bool = False
    is_halted: bool = False
    """Whether an error in the documents stops every change."""
    report: Report = field(default_factory=Report)
    """The report of the last pass, with rows for all specs."""
    seen_at: Mapping[str, datetime] = field(default_factory=dict)
    """By account line: when its job that was not observed for the longest time was last observed, or first wanted."""
    unobserved: tuple[str, ...] = ()
    """The accounts that were neither observed since the watch started nor reported as unobservable."""
    upcoming: tuple[Upcoming, ...] = ()
    """The next polls, earliest first. The list is cut."""
    waiting: int = 0
    """The number of jobs with a scheduled poll."""


def liveness_problems(watch: WatchStatus, now: float) -> tuple[str, ...]:
    """Return a sentence for each problem of the watch itself, or nothing if it works."""
    limit, heartbeat_at = STALE_AFTER_INTERVALS * watch.interval_s, watch.heartbeat_at
    if now - heartbeat_at > limit:
        # The other times are updated with each heartbeat, so they say nothing now.
        return (f"the event loop is blocked: nothing runs, for {now - heartbeat_at:.0f} s",)
    signs = {
        "a request hangs: no request of its account has ended": watch.progress_at,
        "the specs are not watched: only the periodic scan finds changes": watch.watched_at,
    }
    return tuple(f"{what}, for {now - at:.0f} s" for what, at in signs.items() if heartbeat_at - at > limit)


def readiness_problems(watch: WatchStatus) -> tuple[str, ...]:
    """Return a sentence for each reason why the watch is not ready, or nothing if it is."""
    found = {
        "it is stopping": watch.is_stopping,
        "the first pass has not ended yet": watch.finished_at is None,
        f"not observed yet: {', '.join(watch.unobserved)}": bool(watch.unobserved),
        "an error in the documents stops every change": watch.is_halted,
    }
    return tuple(what for what, is_so in found.items() if is_so)
