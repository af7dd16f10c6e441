"""Which sinks receive a notification."""

from __future__ import annotations

from reconciler.model.notification import News
from reconciler.model.operator import NotifyRoute, NotifySink
from reconciler.model.selector import parse_selector


def is_received(sink: NotifySink, news: News) -> bool:
    """Return whether a sink receives news: if at least one of its routes matches, or if it has no routes.

    PagerDuty receives only problems, because each event pages a person.
    """
    if sink.type == "pagerduty" and not news.notification.problem:
        return False
    return not sink.routes or any(_is_matched(each, news) for each in sink.routes)


def _is_matched(route: NotifyRoute, news: News) -> bool:
    message = news.notification
    if route.selector is not None:
        wanted = parse_selector(route.selector)
        if not any(all(labels.get(key) == value for key, value in wanted) for labels in news.labels):
            return False
    return (
        route.kind in {None, message.kind}
        and (not route.reasons or message.reason in route.reasons)
        and (not route.severities or message.severity in route.severities)
    )
