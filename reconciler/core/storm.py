"""Decide what to send to a sink next: one notification, or one summary of many.

Rules: a sink for people receives at most `BURST` notifications within `WINDOW`. If more than `BURST` are waiting, or if
several are waiting for the last place in the window, one summary replaces them. A notification whose first attempt has
an unknown outcome is repeated as it was, and never becomes part of a summary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from reconciler.core import news_text
from reconciler.core.news import notification_id
from reconciler.model.notification import Notification, NotificationSeverity, NotificationType, Waiting

BURST = 5
"""How many notifications a sink for people receives within `WINDOW`. Slack allows one a second, in short bursts."""
WINDOW = timedelta(minutes=1)
WAITING_MAX = 1000
"""The maximum number of notifications that wait for one sink. If more wait, a summary replaces the oldest."""
KEPT = 500
"""How many of the newest notifications such a summary leaves."""
JOBS_MAX = 100
"""The maximum number of jobs that a summary names."""
_ORDER = (NotificationSeverity.INFO, NotificationSeverity.WARNING, NotificationSeverity.ERROR)


@dataclass(frozen=True, slots=True)
class NextDelivery:
    """What to do next for one sink. If no notification waits, all fields have their defaults."""

    send: Waiting | None = None
    summarise: tuple[Notification, ...] = ()
    """The notifications to replace by a summary first."""
    rest_until: datetime | None = None
    """When the next notification may be sent, or None if it may be sent now or no notification waits."""


def next_delivery(
    waiting: Sequence[Waiting], sent_at: Collection[datetime], now: datetime, *, is_for_people: bool, is_ending: bool
) -> NextDelivery:
    """Return what to do next for a sink.

    Args:
        waiting: the notifications that wait for the sink, oldest first.
        sent_at: when the sink received notifications, at least those within `WINDOW`.
        now: the current time.
        is_for_people: whether people read the sink, so that many notifications become one summary.
        is_ending: whether the process ends, so that there is no reason to wait for further notifications.
    """
    if not waiting:
        return NextDelivery()
    if not is_for_people or waiting[0].is_attempted:
        return NextDelivery(send=waiting[0])
    recent = sorted(at for at in sent_at if now - WINDOW < at <= now)
    if len(recent) >= BURST and not is_ending:
        return NextDelivery(rest_until=recent[-BURST] + WINDOW)
    gathered = tuple(each.notification for each in takewhile(lambda each: not each.is_attempted, waiting))
    # If several notifications wait, the last place in the window is for a summary of them.
    if len(gathered) > (1 if len(recent) >= BURST - 1 else BURST):
        return NextDelivery(summarise=gathered)
    return NextDelivery(send=waiting[0])


def excess(waiting: Sequence[Waiting]) -> tuple[Notification, ...]:
    """Return the notifications to replace by a summary because too many wait. Empty if not too many wait."""
    if len(waiting) <= WAITING_MAX:
        return ()
    # All at once, because each summary rewrites the outbox.
    return tuple(each.notification for each in waiting[:-KEPT] if not each.is_attempted)


def summary(messages: Sequence[Notification]) -> Notification:
    """Return one notification that replaces several. Its severity is the highest severity of these."""
    return Notification(
        id=notification_id(NotificationType.SUMMARY, *(each.id for each in messages)),
        type=NotificationType.SUMMARY,
        at=max(each.at for each in messages),
        severity=max((each.severity for each in messages), key=_ORDER.index),
        text=news_text.summary(messages),
        jobs=tuple(dict.fromkeys(name for each in messages for name in each.jobs))[:JOBS_MAX],
        counts=news_text.counted(messages),
    )
