"""The audit: one JSON line for each request that was to change something, by whom it was wanted, and its outcome.

Rules: lines are only ever appended, and each is on the disk before anything else happens; a file that was rotated or
deleted is made anew. What was sent when the power went is not here but in the job's receipt, which is written before
the request.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from reconciler.local.append_file import AppendFile
from reconciler.model.action_record import ActionRecord
from reconciler.model.spec import render_instant


class AuditFile:
    """The `Audit` of a file. Use it as a context manager; opening it raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)

    def __enter__(self) -> Self:
        """Keep the file open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def __call__(self, record: ActionRecord) -> None:
        """Append a line, in one write, and make it durable. Raises OSError."""
        self._file.append(audit_line(record).encode(errors="replace"), is_durable=True)

    def reopen(self) -> None:
        """Open the file again by its name, and make it where it is not there. Raises OSError."""
        self._file.reopen()


def audit_line(record: ActionRecord) -> str:
    """Return the line, with its end."""
    action, origin = record.action, record.origin
    told = {
        "at": render_instant(record.at.replace(microsecond=0)),
        "verb": action.verb,
        "account": str(action.ref.account),
        "jobId": action.ref.id,
        "name": action.name,
        "file": record.file,
        "commit": origin.commit if origin else None,
        "author": origin.author if origin else None,
        "because": action.because,
        "reason": action.reason,
        "outcome": record.progress,
        "message": record.message,
    }
    return json.dumps(told, ensure_ascii=False) + "\n"
