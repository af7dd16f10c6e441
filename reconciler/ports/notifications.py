"""The ports of notifications: the outbox in the state directory, and the sinks that receive notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reconciler.model.notification import News, Notification, Told, Waiting
from reconciler.ports.statuses import StoredStatuses


class Outbox(Protocol):
    """The notifications that a sink has not received yet, and the record of what was told.

    Every method that changes something returns once the change is on the disk, and raises `OSError` if that fails.
    """

    @property
    def told(self) -> Told:
        """What has been told, by subject."""
        ...

    def add(self, items: Iterable[tuple[News, Collection[str]]]) -> None:
        """Record news, each item with the names of the sinks that receive it, and remember that it was told."""
        ...

    def waiting(self, sink: str) -> Sequence[Waiting]:
        """Return what waits for a sink, oldest first."""
        ...

    def begin(self, sink: str, message: Notification) -> None:
        """Record that an attempt begins, after which it is unknown whether the sink received the notification."""
        ...

    def fail(self, sink: str, message: Notification) -> None:
        """Record that the sink certainly did not receive the notification."""
        ...

    def finish(self, sink: str, message: Notification) -> None:
        """Record that the sink received the notification, or will never receive it."""
        ...

    def disabled_since(self, sink: str) -> datetime | None:
        """Return when a sink was disabled, or None if it is in use."""
        ...

    def disable(self, sink: str, at: datetime) -> None:
        """Record that a sink is disabled from now on, and drop the notifications that wait for it."""
        ...

    def merge(self, sink: str, messages: Collection[Notification], by: Notification) -> None:
        """Replace several notifications that wait for a sink by one."""
        ...


class NewsRecorder(Protocol):
    """Records news for the sinks of notifications."""

    def tell_statuses(self, stored: StoredStatuses, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Record what is new in the statuses. `labels` are those of each spec, by its name.

        Raises `OSError` if the news cannot be recorded.
        """
        ...

    def tell_watch(self, news: News) -> None:
        """Record news about the watch. A failure is only logged."""
        ...


class NotificationSink(Protocol):
    """One receiver of notifications that the operator's file names, such as a channel in Slack."""

    @property
    def name(self) -> str:
        """The name of the sink in the operator's file."""
        ...

    @property
    def is_for_people(self) -> bool:
        """Whether people read what the sink receives, so that many notifications are replaced by one summary."""
        ...

    @property
    def knows_ids(self) -> bool:
        """Whether the receiver recognises a repeated notification by its id."""
        ...

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:
        """Send a notification once.

        Raises `TransientError` if a later attempt may succeed, and `PermanentError` if no attempt can. Raises
        `ReceiverGoneError` if the receiver accepts no further notifications.
        """
        ...
