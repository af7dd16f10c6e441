"""The notifications that wait for one sink: which is sent next, with which text, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.core.quiet import held_until, not_held
from reconciler.core.storm import excess, next_delivery, summary
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

    def next(self, sent_at: Collection[datetime], now: datetime, *, is_ending: bool) -> Waiting | datetime | None:
        """Return what to send now, or until when to wait, or None if nothing waits. May create a summary first.

        For the arguments, see `next_delivery`.
        """
        while True:
            waiting = self.outbox.waiting(self.sink.name)
            due = self._due(waiting, now)
            step = next_delivery(due, sent_at, now, is_for_people=self.sink.is_for_people, is_ending=is_ending)
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
        return SinkDelivery(**self.counts, waiting=len(waiting), due_since=since)

    def _due(self, waiting: Sequence[Waiting], now: datetime) -> Sequence[Waiting]:
        """Return what is not held by quiet hours, oldest first."""
        return waiting if self.quiet is None else not_held(waiting, self.quiet, now)

    def _end_of_hold(self, waiting: Sequence[Waiting], now: datetime) -> datetime | None:
        return held_until(self.quiet, now) if waiting and self.quiet is not None else None
