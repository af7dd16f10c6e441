"""Whether files that could not be read for a moment were left unchanged."""

from __future__ import annotations

from collections.abc import Iterator

from tests.scenario.history import ExternalEvent, FileWritten, History
from tests.scenario.oracles.passes import pass_records

_ROOT = "specs/status"


def unread_overwritten(history: History) -> Iterator[str]:
    """Yield the statuses that were written in a pass that could not read them or their directory."""
    for one_pass, _ in pass_records(history):
        refused: set[str] = set()
        for event in one_pass.events:
            match event:
                case ExternalEvent(kind="disk refuses", what=path) if path.startswith(_ROOT):
                    refused.add(path)
                case ExternalEvent(kind="disk yields", what=path):
                    refused.discard(path)
                case FileWritten(path=path):
                    if any(f"{_ROOT}/{path}/".startswith(f"{each}/") for each in refused):
                        yield f"{event.at:%T} {path} was written, although it could not be read before"
