"""An incoming webhook of Slack.

Rules: Slack has no idempotency key. If the outcome of an attempt is unknown, the message is sent again with a mark that
it may be a repeat. Only `&`, `<` and `>` have a special meaning, so they are escaped, and no text can mention a
channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.notification import Notification
from reconciler.ports import Transport
from reconciler.telemetry.delivery import post
from reconciler.views.notification_text import details, line, severity_word

_SIGNS = {
    "error": ":red_circle:",
    "warning": ":warning:",
    "info": ":information_source:",
    "resolved": ":white_check_mark:",
}


@dataclass(frozen=True, slots=True)
class SlackSink:
    """The `NotificationSink` for Slack. The base URL of the transport is the URL of the incoming webhook."""

    name: str
    transport: Transport
    is_for_people: bool = True
    knows_ids: bool = False

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:
        """Send a notification, as `NotificationSink` describes."""
        await post(self.transport, slack_body(message, may_be_repeat=may_be_repeat))


def slack_body(message: Notification, *, may_be_repeat: bool) -> Mapping[str, object]:
    """Return the body: blocks, and the text for notifications and screen readers."""
    text = _escaped(line(message, may_be_repeat=may_be_repeat))
    sign = _SIGNS[severity_word(message)]
    return {
        "text": text,
        "blocks": [
            {"type": "section", "text": _markup(f"{sign} {text}")},
            {"type": "context", "elements": [_markup(_escaped(details(message)))]},
        ],
    }


def _markup(text: str) -> Mapping[str, object]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
