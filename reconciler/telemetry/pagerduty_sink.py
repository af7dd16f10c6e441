"""PagerDuty's Events API v2: a problem triggers an alert when it begins, and resolves it when it ends.

Rules: only problems are sent, because an event pages a person. The `dedup_key` is that of the problem, so a repeated
event joins the open alert, and a repeated end has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.notification import Notification
from reconciler.model.spec import render_instant
from reconciler.ports import Transport
from reconciler.telemetry.delivery import post

EVENTS_URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_MAX = 1024
"""The maximum length of a summary, in characters."""


@dataclass(frozen=True, slots=True)
class PagerDutySink:
    """The `NotificationSink` for PagerDuty. The base URL of the transport is the URL of the events API."""

    name: str
    transport: Transport
    routing_key: str
    is_for_people: bool = False
    knows_ids: bool = True

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:  # noqa: ARG002  the key says it
        """Send a notification, as `NotificationSink` describes."""
        await post(self.transport, pagerduty_body(message, self.routing_key))


def pagerduty_body(message: Notification, routing_key: str) -> Mapping[str, object]:
    """Return the event that triggers or resolves the alert of a problem. A summary has an alert of its own."""
    event = {"routing_key": routing_key, "dedup_key": f"reconcile/{message.problem or message.id}"}
    if message.is_resolved:
        return {**event, "event_action": "resolve"}
    return {
        **event,
        "event_action": "trigger",
        "payload": {
            "summary": message.text[:SUMMARY_MAX],
            "source": message.account or "reconcile",
            "severity": str(message.severity),
            "timestamp": render_instant(message.at),
            "class": message.reason or str(message.type),
            "custom_details": {"type": str(message.type), "jobs": list(message.jobs), **message.facts},
        },
    }
