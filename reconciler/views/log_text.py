"""A line of a watch's log for people: when, who it is about, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from reconciler.views.text import clean

STYLES = {"warning": "yellow", "error": "red"}
FOR_MACHINES = frozenset({"account", "revision", "phase", "reason", "action", "verb", "jobs"})
"""What is shown with `-v` only, because the message says as much."""
_TIME = slice(len("2026-11-23T"), len("2026-11-23T14:03:20"))


def log_line(event: Mapping[str, Any], *, is_verbose: bool) -> Text:
    """Return `14:03:20 support-triage  cancel sent`, in UTC.

    Args:
        event: its fields; `event`, `level` and `at` are always there.
        is_verbose: whether all fields are shown.
    """
    subject = event.get("name") or event.get("provider")
    line = Text.assemble((str(event["at"])[_TIME], "dim"), " ", (f"{clean(str(subject))}  " if subject else "", "bold"))
    line.append(clean(str(event["event"])), STYLES.get(event["level"], ""))
    said = {"event", "level", "at", "name" if event.get("name") else "provider"}
    hidden = said if is_verbose else said | FOR_MACHINES
    more = [f"{key}={clean(str(value))}" for key, value in event.items() if key not in hidden]
    if more:
        line.append(f"  {' '.join(more)}", "dim")
    return line
