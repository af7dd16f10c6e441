"""A signed webhook that follows the specification Standard Webhooks 1.0 (https://www.standardwebhooks.com).

Rules: `webhook-id` is the id of the notification, so a receiver that remembers ids receives each notification once.
`webhook-timestamp` is the time of the attempt. The signature covers both and the exact body.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.notification import Notification
from reconciler.model.spec import render_instant
from reconciler.ports import Now, Transport
from reconciler.telemetry.delivery import post

PREFIX = "whsec_"
KEY_MIN, KEY_MAX = 24, 64
"""The length of a key in bytes, according to the Standard Webhooks specification."""


def signing_keys(text: str) -> tuple[bytes, ...]:
    """Return the keys in a secret: one, or several with spaces between them while a key is rotated.

    Raises `ValueError` with a message that does not contain the secret.
    """
    return tuple(map(_key, text.split())) or (_key(""),)


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not word.startswith(PREFIX) or not KEY_MIN <= len(key) <= KEY_MAX:
        msg = f"its secret must be {PREFIX} followed by {KEY_MIN} to {KEY_MAX} bytes in base64"
        raise ValueError(msg)
    return key


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """The `NotificationSink` for a signed webhook. The base URL of the transport is the URL of the webhook."""

    name: str
    transport: Transport
    keys: tuple[bytes, ...]
    now: Now
    is_for_people: bool = False
    knows_ids: bool = True

    async def deliver(self, message: Notification, *, may_be_repeat: bool) -> None:  # noqa: ARG002  the id says it
        """Send a notification, as `NotificationSink` describes."""

        def sign(_method: str, _url: str, body: bytes) -> Mapping[str, str]:
            at = f"{self.now().timestamp():.0f}"
            content = f"{message.id}.{at}.".encode() + body
            signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in self.keys)
            return {
                "webhook-id": message.id,
                "webhook-timestamp": at,
                "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
            }

        await post(self.transport, webhook_body(message), sign=sign, may_be_gone=True)


def webhook_body(message: Notification) -> Mapping[str, object]:
    """Return the body: the type, the time, and the data of a notification."""
    data = {
        "severity": message.severity,
        "text": message.text,
        "reason": message.reason,
        "jobs": list(message.jobs),
        "kind": message.kind,
        "account": message.account,
        "problem": message.problem,
        "resolved": message.is_resolved if message.problem else None,
        "facts": dict(message.facts),
        "counts": dict(message.counts),
    }
    return {
        "type": str(message.type),
        "timestamp": render_instant(message.at),
        "data": {key: value for key, value in data.items() if value not in ("", None, [], {})},
    }
