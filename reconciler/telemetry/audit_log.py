"""The audit log: one JSON line for each change request, with its author and its outcome.

Lines are only appended. Each line is synced to the disk before the worker continues, unless the file is a pipe or a
terminal. A file that was rotated or deleted is recreated. A line is written after its request was sent. If the machine
fails in between, only the receipt of the job records the request, because it is written before the request is sent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from reconciler.local.append_file import AppendFile
from reconciler.model.action_record import ActionRecord
from reconciler.model.spec import render_instant


class AuditFile:
    """An `Audit` that appends to a file, as a context manager.

    The constructor raises `OSError` if the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)

    def __enter__(self) -> Self:
        """Return the audit log, which is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def __call__(self, record: ActionRecord) -> None:
        """Append a line in one write, and sync it to the disk. Raises `OSError` if that fails."""
        self._file.append(audit_line(record).encode(errors="replace"), is_durable=True)

    def reopen(self) -> None:
        """Reopen the file by its name, and create it if it is missing. Raises `OSError` if that fails."""
        self._file.reopen()


def audit_line(record: ActionRecord) -> str:
    """Return a record as a line of JSON that ends with a newline."""
    action, origin = record.action, record.origin
    fields = {
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
    return json.dumps(fields, ensure_ascii=False) + "\n"
