"""Tell people and other systems what is new: record it in the outbox, and deliver it to each sink in order.

Rules: news is on the disk before the pass continues. A pass never waits for a sink: each sink has a task of its own,
and a sink that fails does not delay other sinks. A failed delivery is repeated after a backoff, and later notifications
for the same sink wait, so that the order is kept. What is not delivered when the process ends is delivered by the next
process.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.controller.sink_queue import SinkQueue
from reconciler.controller.workers import end, first
from reconciler.core.backoff import failure_delay
from reconciler.core.news import NewsSource, job_names, news_since
from reconciler.core.routes import is_received
from reconciler.errors import Delivered, PermanentError, ReceiverGoneError, TransientError, bug
from reconciler.model.notification import News, SinkDelivery, Told, Waiting, told_after
from reconciler.model.operator import NotifySink
from reconciler.model.quiet_hours import QuietHours
from reconciler.model.spec import render_instant
from reconciler.ports import Clock, NotificationSink, Outbox, StoredStatuses

ENABLE = "to enable it again, give it another URL, or another name in the operator's file, and restart"
"""How to enable a disabled sink again, for messages."""
REST_MAX_S = 60.0
"""The maximum time after which a sink task looks again for what it may send."""


@dataclass(slots=True)
class Notifier:
    """The outbox with the tasks that deliver from it.

    Args:
        outbox: the outbox.
        sinks: the sinks, with their routes in the operator's file.
        clock: the clock.
        jitter: returns random numbers in [0, 1).
        warn: logs that a sink begins to fail, works again, or refused a notification, and that news could not be
            recorded.
        quiet_hours: the quiet hours of each sink that has some, by its name.
        report: is called with what became of the notifications of each sink, by its name, when that may have changed.
    """

    outbox: Outbox
    sinks: Sequence[tuple[NotificationSink, NotifySink]]
    clock: Clock
    jitter: Callable[[], float]
    warn: Callable[[str], None]
    quiet_hours: Mapping[str, QuietHours] = field(default_factory=dict)
    report: Callable[[Mapping[str, SinkDelivery]], None] = lambda _: None
    _deliveries: dict[str, SinkDelivery] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _ends_at: float = math.inf
    """When the deliveries end, in monotonic seconds. It is infinite while the process is not ending."""

    def start(self) -> None:
        """Start to deliver, beginning with what earlier processes left."""
        queues = [SinkQueue(sink, rules, self.quiet_hours.get(sink.name), self.outbox) for sink, rules in self.sinks]
        for each in queues:
            if (since := self.outbox.disabled_since(each.sink.name)) is not None:
                name, at = each.sink.name, render_instant(since)
                self.warn(f"{name} is disabled since {at} and receives no notifications: {ENABLE}")
                self._report(each)
        self._tasks = [asyncio.create_task(self._serve(each)) for each in queues if self._is_in_use(each.sink)]

    def tell(self, news: Iterable[News]) -> None:
        """Record news for the sinks that receive it. Raises `OSError` if the news cannot be recorded."""
        sinks = [(sink.name, rules) for sink, rules in self.sinks if self._is_in_use(sink)]
        items = [(each, [name for name, rules in sinks if is_received(rules, each)]) for each in news]
        if items:
            try:
                self.outbox.add(items)
            finally:  # if only the second of its two files could not be written, the news is recorded
                self._wake()

    def tell_statuses(self, stored: StoredStatuses, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Record what is new in the statuses. `labels` are those of each spec, by its name.

        Raises `OSError` if the news cannot be recorded.
        """
        self.tell(news_since(self.outbox.told, _source(stored, self.clock.now(), labels, self.outbox.told)))

    def tell_watch(self, news: News) -> None:
        """Record news about the watch. A failure is only logged."""
        try:
            self.tell([news])
        except OSError as error:
            self.warn(f"a notification could not be recorded: {error.strerror or error}")

    async def finish(self, within_s: float) -> Mapping[str, int]:
        """Deliver the waiting notifications for at most `within_s` seconds, and stop.

        Return the number of notifications that still wait, by sink. The next process delivers them.
        """
        self._ends_at = self.clock.monotonic() + within_s
        self._ending.set()
        self._wake()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        await end(self._tasks)
        return {sink.name: left for sink, _ in self.sinks if (left := len(self.outbox.waiting(sink.name)))}

    def is_held(self, sink: str) -> bool:
        """Return whether quiet hours hold everything that waits for a sink."""
        delivery = self._deliveries.get(sink)
        return delivery is not None and delivery.waiting > 0 and delivery.due_since is None

    def _is_in_use(self, sink: NotificationSink) -> bool:
        return self.outbox.disabled_since(sink.name) is None

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _is_worth_waiting(self, delay_s: float) -> bool:
        """Wait before the next attempt. Return False at once if the deliveries end before it."""
        until = self.clock.monotonic() + delay_s
        await first(self.clock.sleep(delay_s), self._ending.wait())
        left_s = until - self.clock.monotonic()
        if until <= self._ends_at and left_s > 0:
            await self.clock.sleep(left_s)
        return until <= self._ends_at

    async def _serve(self, queue: SinkQueue) -> None:
        """Deliver to one sink until cancelled or disabled, or, once the process is ending, until nothing waits."""
        failures = 0
        while self._is_in_use(queue.sink):
            changed, now = self._changed, self.clock.now()
            try:
                if queue.catch_up():
                    failures = 0
                    self.warn(f"the notifications of {queue.sink.name} are recorded again")
                todo = queue.next(now, is_ending=self._ending.is_set())
                self._report(queue)
                if not isinstance(todo, Waiting):
                    if self._ending.is_set():
                        return
                    # The rest is limited, because the wall clock may be changed during it.
                    rests = [] if todo is None else [self.clock.sleep(min((todo - now).total_seconds(), REST_MAX_S))]
                    await first(changed.wait(), *rests)
                    continue
                delay_s = await self._attempt(queue, todo, failures)
                self._report(queue)
            except OSError as error:
                if not failures:
                    self.warn(f"the notifications of {queue.sink.name} cannot be recorded: {error.strerror or error}")
                delay_s = failure_delay(failures + 1, self.jitter())
            if delay_s is None:
                failures = 0
            else:
                failures += 1
                if not await self._is_worth_waiting(delay_s):
                    return
        self._report(queue)

    def _report(self, queue: SinkQueue) -> None:
        self._deliveries[queue.sink.name] = queue.delivery(self.clock.now())
        self.report(dict(self._deliveries))

    async def _attempt(self, queue: SinkQueue, todo: Waiting, failures: int) -> float | None:
        """Send one notification. Return None if it need not be sent again, or the seconds until the next attempt."""
        sink, message = queue.sink, todo.notification
        if not sink.knows_ids:
            self.outbox.begin(sink.name, message)
        try:
            await sink.deliver(queue.message(message), may_be_repeat=todo.is_attempted)
        except TransientError as error:
            if not sink.knows_ids and not todo.is_attempted and error.delivered is Delivered.NO:
                self.outbox.fail(sink.name, message)
            queue.counts["failed"] += 1
            if not failures:
                self.warn(f"notifications cannot be delivered to {sink.name}: {error}")
            return failure_delay(failures + 1, self.jitter(), error.retry_after_s)
        except ReceiverGoneError as error:
            dropped = queue.disable(self.clock.now())
            why = f"the receiver of {sink.name} refuses all notifications ({error}), so {sink.name} is disabled"
            self.warn(f"{why}, and {dropped} are dropped: {ENABLE}")
            return None
        except PermanentError as error:
            result = "dropped"
            self.warn(f"{sink.name} refused a notification ({error}), so it is not sent again: {message.text}")
        except Exception as error:  # noqa: BLE001  a bug in one sink must not end its task
            result = "dropped"
            self.warn(f"a notification was not sent to {sink.name}: {bug(error)}")
        else:
            result = "sent"
            if failures:
                self.warn(f"notifications are delivered to {sink.name} again")
        queue.conclude(message, result, self.clock.now())
        return None


def _source(stored: StoredStatuses, now: datetime, labels: Mapping[str, Mapping[str, str]], told: Told) -> NewsSource:
    """Return the statuses to search for news. If a status could not be read, no job counts as deleted."""
    if stored.unread or stored.discarded or stored.too_new:
        labels = {**{name: {} for name in job_names(told)}, **labels}
    return NewsSource(stored.jobs, stored.providers, now, labels)


def told_before(stored: StoredStatuses, now: datetime) -> Told:
    """Return a record of what was told that contains everything in these statuses, so that none of it is news."""
    return told_after({}, (each.marks for each in news_since({}, _source(stored, now, {}, {}))))
