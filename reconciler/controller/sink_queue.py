"""The notifications that wait for one sink: which is sent next, with which text, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.quiet import held_until, not_held
from reconciler.core.storm import WINDOW, excess, next_delivery, summary
from reconciler.model.message_template import filled
from reconciler.model.notification import Notification, SinkDelivery, Waiting
from reconciler.model.operator import NotifySink
from reconciler.model.quiet_hours import QuietHours
from reconciler.ports import NotificationSink, Outbox


@dataclass(slots=True)
class SinkQueue:
    """The queue of one sink in the outbox.

    Args:
        sink: the sink.
        rules: the sink in the operator's file.
        quiet: its quiet hours, or None if it has none.
        outbox: the outbox.
    """

    sink: NotificationSink
    rules: NotifySink
    quiet: QuietHours | None
    outbox: Outbox
    counts: Counter[str] = field(default_factory=Counter)
    """How many notifications were sent, failed and were dropped, by the name of the field of `SinkDelivery`."""
    _sent_at: list[datetime] = field(default_factory=list)
    """When the sink received notifications, within `WINDOW`."""
    _concluded: Notification | None = None
    """The notification that need not be sent again, if this could not be recorded yet."""

    def conclude(self, message: Notification, result: str, now: datetime) -> None:
        """Record that a notification need not be sent again, because it was sent or dropped.

        Raises `OSError` if this cannot be recorded. Then `catch_up` records it.
        """
        self.counts[result] += 1
        self._sent_at = [*(at for at in self._sent_at if at > now - WINDOW), now]
        self._concluded = message
        self.catch_up()

    def disable(self, now: datetime) -> int:
        """Disable the sink, and return how many notifications are dropped. Raises `OSError` if that is not recorded."""
        dropped = len(self.outbox.waiting(self.sink.name))
        self.outbox.disable(self.sink.name, now)
        self.counts["dropped"] += dropped
        return dropped

    def catch_up(self) -> bool:
        """Record what could not be recorded before, and return whether there was anything. May raise `OSError`."""
        if self._concluded is None:
            return False
        self.outbox.finish(self.sink.name, self._concluded)
        self._concluded = None
        return True

    def next(self, now: datetime, *, is_ending: bool) -> Waiting | datetime | None:
        """Return what to send now, or until when to wait, or None if nothing waits. May create a summary first.

        `is_ending` is that of `next_delivery`.
        """
        while True:
            waiting = self.outbox.waiting(self.sink.name)
            due = self._due(waiting, now)
            step = next_delivery(due, self._sent_at, now, is_for_people=self.sink.is_for_people, is_ending=is_ending)
            merged = excess(waiting) or step.summarise
            if not merged:
                return step.send or step.rest_until or self._end_of_hold(waiting, now)
            self.outbox.merge(self.sink.name, merged, by=summary(merged))

    def message(self, notification: Notification) -> Notification:
        """Return a notification with the text that the template of the sink gives it."""
        template = self.rules.templates.get(notification.type, self.rules.template)
        return notification if template is None else replace(notification, text=filled(template, notification))

    def delivery(self, now: datetime) -> SinkDelivery:
        """Return what became of the notifications so far."""
        waiting = self.outbox.waiting(self.sink.name)
        due = self._due(waiting, now)
        since = due[0].notification.at if due else None
        disabled_since = self.outbox.disabled_since(self.sink.name)
        return SinkDelivery(**self.counts, waiting=len(waiting), due_since=since, disabled_since=disabled_since)

    def _due(self, waiting: Sequence[Waiting], now: datetime) -> Sequence[Waiting]:
        """Return what is not held by quiet hours, oldest first."""
        return waiting if self.quiet is None else not_held(waiting, self.quiet, now)

    def _end_of_hold(self, waiting: Sequence[Waiting], now: datetime) -> datetime | None:
        return held_until(self.quiet, now) if waiting and self.quiet is not None else None
