"""Notifications: what people and other systems are told about jobs, accounts and the watch.

A notification is sent as it was first recorded. Its id stays the same over all attempts, restarts and crashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.account_line import FINE_TUNING_JOB

Mark = tuple[str, ...] | None
"""What is remembered about a subject that was told, or None to forget the subject."""
Told = Mapping[str, tuple[str, ...]]
"""What has been told, by subject: the last closed receipt of a job, or a problem that has not ended."""


class NotificationSeverity(StrEnum):
    """How urgent a notification is. The end of a problem has the severity of the problem."""

    ERROR = "error"
    """A person must act, or nothing can be observed."""
    WARNING = "warning"
    """A limit will cancel a job, or only some jobs of an account cannot be observed."""
    INFO = "info"
    """Something happened as intended."""


class NotificationType(StrEnum):
    """What a notification is about."""

    JOB_CANCELLED = "job.cancelled"
    JOB_PAUSED = "job.paused"
    JOB_RESUMED = "job.resumed"
    JOB_FINISHED = "job.finished"
    """The job ended by itself, although a change was requested."""
    JOB_GONE = "job.gone"
    JOB_STALLED = "job.stalled"
    JOB_RECOVERED = "job.recovered"
    CHANGES_REFUSED = "changes.refused"
    CHANGES_RELEASED = "changes.released"
    """The guard no longer refuses a change of the account."""
    CHANGE_WITHHELD = "change.withheld"
    """A change is due, and shadow mode does not request it."""
    LIMIT_NEAR = "limit.near"
    """A limit will cancel the job."""
    ACCOUNT_AWAY = "account.away"
    ACCOUNT_BACK = "account.back"
    WATCH_STARTED = "watch.started"
    WATCH_STOPPED = "watch.stopped"
    SUMMARY = "summary"
    """Several notifications in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification. It contains no secret."""

    id: str
    type: NotificationType
    at: datetime
    severity: NotificationSeverity
    text: str
    """A sentence that is complete by itself."""
    reason: str = ""
    """The reason in the status, or an empty string."""
    jobs: tuple[str, ...] = ()
    """The names of the jobs that the notification is about."""
    kind: str = FINE_TUNING_JOB
    account: str = ""
    """The account line (`model.account_line`), or an empty string."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Further facts, such as those of a receipt, by their camel-case names."""
    problem: str = ""
    """The key of the problem that begins or ends, or an empty string."""
    is_resolved: bool = False
    """Whether the problem has ended."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """For a summary: how many notifications of each type it replaces."""


@dataclass(frozen=True, slots=True)
class News:
    """A notification to be recorded, with what decides who receives it and what is remembered afterwards."""

    notification: Notification
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """What is remembered once the notification is recorded, by subject."""
    labels: tuple[Mapping[str, str], ...] = ()
    """The labels of each job that the notification is about."""


def told_after(told: Told, marks: Iterable[Mapping[str, Mark]]) -> Told:
    """Return the record of what was told, after the news that sets these marks was told too, in this order."""
    after = dict(told)
    for subject, mark in (pair for each in marks for pair in each.items()):
        if mark is None:
            after.pop(subject, None)
        else:
            after[subject] = mark
    return after


@dataclass(frozen=True, slots=True)
class SinkDelivery:
    """What became of the notifications of one sink since the process started."""

    sent: int = 0
    failed: int = 0
    """The number of attempts that failed and are repeated."""
    dropped: int = 0
    """The number of notifications that the sink refused, so that they are not sent again."""
    waiting: int = 0
    """The number of notifications that wait now."""
    due_since: datetime | None = None
    """When the oldest notification that may be sent now was recorded, or None if there is none.

    A notification that quiet hours hold may not be sent.
    """
    disabled_since: datetime | None = None
    """When the sink was disabled because its receiver responded with HTTP 410, or None if it is in use."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification that one sink has not received yet."""

    notification: Notification
    is_attempted: bool = False
    """Whether an attempt was begun whose outcome is not known."""
