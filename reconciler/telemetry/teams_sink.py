"""A workflow of Microsoft Teams that posts an Adaptive Card ("When a Teams webhook request is received").

Rules: a workflow has no idempotency key. If the outcome of an attempt is unknown, the message is sent again with a mark
that it may be a repeat. The text is in `TextRun`s, which have no markup, so no text becomes a link. A response with 2xx
says that the workflow has started, not that the message is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.notification import Notification
from reconciler.ports import Transport
from reconciler.telemetry.delivery import post
from reconciler.views.notification_text import details, line, severity_word

RETIRED_HOST = ".webhook.office.com"
"""The end of the host of an Office 365 connector, which Microsoft has retired."""
_COLOURS = {"error": "Attention", "warning": "Warning", "info": "Default", "resolved": "Good"}


@dataclass(frozen=True, slots=True)
class TeamsSink:
    """The `NotificationSink` for Teams. The base URL of the transport is the URL of the workflow."""

    name: str
    transport: Transport
    is_for_people: bool = True
    knows_ids: bool = False

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:
        """Send a notification, as `NotificationSink` describes."""
        await post(self.transport, teams_body(message, may_be_repeat=may_be_repeat))


def teams_body(message: Notification, *, may_be_repeat: bool) -> Mapping[str, object]:
    """Return the body: a message with one Adaptive Card. Teams supports version 1.4 at most."""
    text = line(message, may_be_repeat=may_be_repeat)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": text,
        "body": [
            _block({"text": text, "weight": "Bolder", "color": _COLOURS[severity_word(message)]}),
            _block({"text": details(message), "isSubtle": True, "size": "Small"}),
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(run: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run}]}
