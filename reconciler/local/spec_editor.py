"""Edits of the spec files on disk: all that belong together, or none.

Rules: every edit is made in memory first; a file is replaced in one step and keeps its mode; what is there already is
never overwritten by a new file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.yaml_edit import Edit, SpliceRefused, splice


@dataclass(frozen=True, slots=True)
class Change:
    """One file, before and after."""

    path: Path
    before: bytes
    after: bytes


def edited(edits: Iterable[tuple[Path, Edit]]) -> tuple[Change, ...]:
    """Return the files that the edits change, in their order. Raises `SpliceRefused` with the place, or OSError."""
    before: dict[Path, bytes] = {}
    after: dict[Path, bytes] = {}
    for path, edit in edits:
        if path not in before:
            before[path] = after[path] = path.read_bytes()
        try:
            after[path] = splice(after[path], edit)
        except SpliceRefused as refusal:
            msg = f"{path}: {edit.name}: {refusal}; edit it by hand"
            raise SpliceRefused(msg) from None
    return tuple(Change(path, before[path], after[path]) for path in before if before[path] != after[path])


def write(changes: Iterable[Change]) -> None:
    """Put the changed files in place, each in one step. Raises OSError."""
    for change in changes:
        target = change.path.resolve()  # a link is written through, as an editor would
        fresh = target.with_name(f".{target.name}.tmp")
        fresh.write_bytes(change.after)
        fresh.chmod(target.stat().st_mode & 0o777)
        _sync(fresh)
        fresh.replace(target)


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet, and its directories. Raises OSError, FileExistsError too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
