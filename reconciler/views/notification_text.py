"""A notification for people: one line, and the facts that are shown below it.

A text of a spec or a provider cannot begin a line of its own, which could look like another message.
"""

from __future__ import annotations

from reconciler.model.notification import Notification
from reconciler.views.text import clean

TEXT_MAX = 500
"""The maximum length of each line, in characters. Slack allows 3,000 after escaping, which may add four to each."""
MAYBE_REPEATED = " (may be a repeat)"
_FACTS = {"jobId": "job", "commit": "commit", "author": "author", "requestedAt": "requested", "confirmedAt": "proven"}
"""The facts that are shown, with their titles."""


def line(message: Notification, *, may_be_repeat: bool) -> str:
    """Return the text of a notification, cut at `TEXT_MAX`, with a mark if it may have been received before."""
    mark = MAYBE_REPEATED if may_be_repeat else ""
    return f"{_cut(clean(message.text), TEXT_MAX - len(mark))}{mark}"


def details(message: Notification) -> str:
    """Return the facts below the line, as one line. It is empty if there are none."""
    found = {"severity": severity_word(message), "reason": message.reason, "account": message.account}
    found |= {title: message.facts.get(key, "") for key, title in _FACTS.items()}
    return _cut(" · ".join(f"{title}: {clean(value)}" for title, value in found.items() if value), TEXT_MAX)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def severity_word(message: Notification) -> str:
    """Return the severity, or `resolved` if the notification is about the end of a problem."""
    return "resolved" if message.is_resolved else str(message.severity)
