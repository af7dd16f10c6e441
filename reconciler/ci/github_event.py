"""The file with the event that started a workflow of GitHub Actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def event_value(event: str | None, *keys: str) -> Any:
    """Return the value at these keys; None if it is missing, if there is no event file, or if it cannot be read."""
    try:
        value = json.loads(Path(event).read_text(encoding="utf-8")) if event else {}
        for key in keys:
            value = value[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value
