"""The state of a watch at one point in time, as an immutable value that is replaced as a whole.

Theory: the HTTP server for health and metrics runs in its own thread and only reads this value. It never sees a partial
update, and it responds even if the watch hangs. Times of type `float` are in monotonic seconds. The functions below
derive problems from the ages of these times, because a watch that hangs cannot report that it hangs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.election import ElectionStatus
from reconciler.model.guard_use import GuardUse
from reconciler.model.job import JobRef, ObservedJob
from reconciler.model.notification import SinkDelivery
from reconciler.model.report import Report, Row
from reconciler.model.request_rate import RequestRate
from reconciler.model.status import ProviderStatus

STALE_AFTER_INTERVALS = 1.5
"""After this many intervals without progress, a problem is reported, so that a probe sees it within two intervals."""

HALTED = "no change is requested: the specs cannot be acted on, or the Settings are not valid"
"""The problem of a watch that is halted."""


class Result(StrEnum):
    """The result of one pass for one job, in the terminology of controller-runtime."""

    SUCCESS = "success"
    """The job needs no further poll."""
    ERROR = "error"
    """The job could not be observed."""
    REQUEUE = "requeue"
    """The job is handled again soon, after a failed request or a conflict."""
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
    """When the event loop last recorded that it runs."""
    progress_at: float
    """When the slowest running worker or pass last made progress.

    A worker makes progress when a request ends, and a pass when it starts. If nothing runs, this is `heartbeat_at`.
    """
    watched_at: float
    """When the file watcher or poller was last known to work, so that a change of the specs would be noticed."""
    finished_at: datetime | None = None
    """When the last pass ended; None until the first pass has ended."""
    passes: int = 0
    """A number that rises with each pass that ends, and with the end of each term as a leader."""
    took_s: float = 0.0
    """The duration of the last pass, in seconds."""
    is_stopping: bool = False
    is_halted: bool = False
    """Whether no change may be requested, because Settings are invalid or the revision is not trusted."""
    report: Report = field(default_factory=Report)
    """The report of the last pass, with a row for each selected spec that has a status."""
    seen_at: Mapping[str, datetime] = field(default_factory=dict)
    """When the least recently observed unsettled job of each account was last observed, by account line.

    For a job that has never been observed, the start of the first pass that included the job is used.
    """
    unobserved: tuple[str, ...] = ()
    """The accounts that no pass has tried to observe yet. Once it is empty after a pass, it stays empty."""
    upcoming: tuple[Upcoming, ...] = ()
    """The next polls, earliest first. Only the first few are listed."""
    rates: Mapping[str, RequestRate] = field(default_factory=dict)
    """The current request rate of each open account, by account line (`model.account_line`)."""
    outages: tuple[ProviderStatus, ...] = ()
    """The failures of accounts that statuses record."""
    observed: Mapping[JobRef, ObservedJob] = field(default_factory=dict)
    """Each job as this watch last observed it. It has facts that a status does not have."""
    guard: Mapping[str, GuardUse] = field(default_factory=dict)
    """How much of the limit on changes each account has used, by account line."""
    waiting: int = 0
    """The number of jobs with a scheduled poll."""
    overdue: int = 0
    """The number of jobs whose scheduled poll is due while an earlier observation of their account continues."""
    warned_since: datetime | None = None
    """When the first of the consecutive last passes with a notice or an error ended; None if the last pass had none."""
    sinks: Mapping[str, SinkDelivery] = field(default_factory=dict)
    """What became of the notifications of each sink, by its name."""
    leadership: ElectionStatus | None = None
    """What the watch knows of the election; None if it does not take part in one."""

    @property
    def standing_by(self) -> str | None:
        """Why the watch does nothing, as text for users, if it waits to lead; else None."""
        return None if self.leadership is None or self.leadership.is_leader else self.leadership.text

    def last_seen(self, row: Row) -> ObservedJob | None:
        """Return the last observation of a job, by the pass of the row or an earlier pass of the watch."""
        return row.seen or (self.observed.get(row.ref) if row.ref is not None else None)


def liveness_problems(watch: WatchStatus, now: float) -> tuple[str, ...]:
    """Return a message for each problem of the watch itself. Empty means that the watch works.

    `now` is the current time, in monotonic seconds.
    """
    limit, heartbeat_at = STALE_AFTER_INTERVALS * watch.interval_s, watch.heartbeat_at
    if now - heartbeat_at > limit:
        # The other times are updated with each heartbeat, so they are out of date.
        return (f"the event loop is blocked: nothing has run for {now - heartbeat_at:.0f} s",)
    signs = {
        "a request or a pass hangs: it has made no progress": watch.progress_at,
        "the specs are not watched: only the periodic scan finds changes, because the watcher has not worked": (
            watch.watched_at
        ),
    }
    return tuple(f"{what} for {now - at:.0f} s" for what, at in signs.items() if heartbeat_at - at > limit)


def readiness_problems(watch: WatchStatus) -> tuple[str, ...]:
    """Return a message for each reason why the watch is not ready. Empty means that it is ready."""
    if watch.standing_by is not None:
        return (watch.standing_by,)
    found = {
        "the watch is stopping": watch.is_stopping,
        "the first pass has not ended yet": watch.finished_at is None,
        f"not observed yet: {', '.join(watch.unobserved)}": bool(watch.unobserved),
        HALTED: watch.is_halted,
    }
    return tuple(what for what, is_so in found.items() if is_so)
