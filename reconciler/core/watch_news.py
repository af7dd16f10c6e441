"""The news about the watch itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.core.news import notification_id
from reconciler.core.news_text import named
from reconciler.model.notification import News, Notification, NotificationSeverity, NotificationType


def watch_started(specs: str, at: datetime) -> News:
    """Return the news that a watch of these specs has started."""
    return _news(NotificationType.WATCH_STARTED, specs, at, f"reconcile started: it watches {specs}.")


def watch_stopped(specs: str, at: datetime, pending: Sequence[str], *, has_failed: bool) -> News:
    """Return the news that a watch of these specs has stopped. `pending` are the jobs with an open request."""
    why = " because of an error" if has_failed else ""
    requests = "1 request is" if len(pending) == 1 else f"{len(pending)} requests are"
    left = f" {requests} not confirmed yet: {named(pending)}." if pending else ""
    severity = NotificationSeverity.ERROR if has_failed else NotificationSeverity.INFO
    return _news(
        NotificationType.WATCH_STOPPED, specs, at, f"reconcile stopped{why}: it watched {specs}.{left}", severity
    )


def _news(
    type_: NotificationType,
    specs: str,
    at: datetime,
    text: str,
    severity: NotificationSeverity = NotificationSeverity.INFO,
) -> News:
    return News(
        Notification(
            id=notification_id(type_, specs, at.isoformat()),
            type=type_,
            at=at,
            severity=severity,
            text=text,
        )
    )
