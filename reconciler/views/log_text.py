"""A line of a watch's log as text: the time, the name of the job or provider, the message, and further fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from reconciler.views.text import clean

STYLES = {"warning": "yellow", "error": "red"}
VERBOSE_ONLY = frozenset({"account", "revision", "phase", "reason", "action", "verb", "jobs"})
"""Fields that are shown only with `-v`, because the message usually contains the same information."""
_TIME = slice(len("2026-11-23T"), len("2026-11-23T14:03:20"))


def log_line(event: Mapping[str, Any], *, is_verbose: bool) -> Text:
    """Return an event as a line such as `14:03:20 support-triage  cancel sent`, with the time in UTC.

    Args:
        event: the fields of the event; `event`, `level` and `at` are always present.
        is_verbose: whether all fields are shown.
    """
    subject = event.get("name") or event.get("provider")
    line = Text.assemble((str(event["at"])[_TIME], "dim"), " ", (f"{clean(str(subject))}  " if subject else "", "bold"))
    line.append(clean(str(event["event"])), STYLES.get(event["level"], ""))
    shown_before = {"event", "level", "at", "name" if event.get("name") else "provider"}
    hidden = shown_before if is_verbose else shown_before | VERBOSE_ONLY
    more = [f"{key}={clean(str(value))}" for key, value in event.items() if key not in hidden]
    if more:
        line.append(f"  {' '.join(more)}", "dim")
    return line
