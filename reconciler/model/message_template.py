"""Templates of notifications: text with fields of a notification in braces, such as `[prod] {text}`.

Rules: a field is a name of `FIELDS`, and nothing else is accepted in braces, so a template can neither run code nor
read other values. A field without a value is empty. `{{` and `}}` are braces.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator

from reconciler.model.notification import Notification
from reconciler.model.scalar import Word, quoted
from reconciler.model.spec import render_instant

_FACTS = (
    *("jobId", "source", "phase", "message", "verb", "because", "specReason", "commit", "author"),
    *("requestedAt", "acceptedAt", "confirmedAt", "attempts", "outcome", "sunkCost", "notSpent", "since"),
)
FIELDS = ("text", "type", "severity", "reason", "jobs", "kind", "account", "at", *_FACTS)
"""The fields. `text` is the sentence without the template, and `jobs` are the names of the jobs."""
JOBS_MAX = 5


def checked_template(text: str) -> str:
    """Return the text of a template. Raises `ValueError` if it is not a template."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        msg = f"{quoted(text)} has a brace without its pair: write a field as {{text}}, and a brace as {{{{ or }}}}"
        raise ValueError(msg) from None
    for _, field, format_, conversion in parts:
        if field is not None and (field not in FIELDS or format_ or conversion):
            msg = f"{{{field}}} is not a field of a notification: write one of {', '.join(FIELDS)} in braces"
            raise ValueError(msg)
    return text


TemplateText = Annotated[Word, AfterValidator(checked_template)]


def filled(template: str, message: Notification) -> str:
    """Return the text of a valid template with the fields of a notification."""
    values = _values(message)
    parts = Formatter().parse(template)
    text = "".join(f"{literal}{values.get(field, '') if field else ''}" for literal, field, _, _ in parts)
    return text.strip() or message.text


def _values(message: Notification) -> Mapping[str, str]:
    more = f" and {len(message.jobs) - JOBS_MAX} more" if len(message.jobs) > JOBS_MAX else ""
    return {
        **message.facts,
        "text": message.text,
        "type": message.type,
        "severity": message.severity,
        "reason": message.reason,
        "jobs": ", ".join(message.jobs[:JOBS_MAX]) + more,
        "kind": message.kind,
        "account": message.account,
        "at": render_instant(message.at),
    }
