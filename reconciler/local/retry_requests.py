"""Pass retry requests from `reconcile retry` to the watch that holds the lock. Each request is a file.

Rules: the name of the file is that of the spec. The files are in the state directory, which only this user can write
to. The effect of a retry request is that the next attempt for the job is due at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER = "retry"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def leave_retry_requests(state_dir: Path, names: Iterable[str]) -> None:
    """Create the file of a retry request for each spec name. Raises `OSError` if a file cannot be created."""
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o600)


def take_retry_requests(state_dir: Path) -> frozenset[str]:
    """Remove the files of retry requests, and return the names of their specs.

    If a file cannot be removed, it and the remaining files are left for the next call.
    """
    taken = set()
    with suppress(OSError):
        for path in (state_dir / FOLDER).iterdir():
            if _NAME.fullmatch(path.name):
                path.unlink()
                taken.add(path.name)
    return frozenset(taken)
