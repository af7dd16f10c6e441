"""Pass retry requests from `reconcile retry` to a watch that holds the lock, as one file per spec name.

Rules: the files are in the state directory, which only this user can write to. A retry request makes the next attempt
for its job due at once, and has no other effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER = "retry"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def leave_retry_requests(state_dir: Path, names: Iterable[str]) -> None:
    """Write a retry request for each spec name. Raises `OSError` if a file cannot be written."""
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o600)


def take_retry_requests(state_dir: Path) -> frozenset[str]:
    """Return the requested spec names, and remove their files.

    If a file cannot be removed, its request and the remaining ones are left for the next call.
    """
    taken = set()
    with suppress(OSError):
        for path in (state_dir / FOLDER).iterdir():
            if _NAME.fullmatch(path.name):
                path.unlink()
                taken.add(path.name)
    return frozenset(taken)
