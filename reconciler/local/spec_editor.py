"""Edits of the spec files on disk: all that belong together, or none.

Rules: every edit is made in memory first; a file is replaced in one step and keeps its mode; what is there already is
never overwritten by a new file; a link is followed only to another file of the specs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.yaml_edit import Edit, YamlEditError, set_value
from reconciler.local.disk import LocalDisk
from reconciler.local.file_writer import create_file, replace_file, told_of


@dataclass(frozen=True, slots=True)
class SpecEdit:
    """One file, before and after."""

    path: Path
    before: bytes
    after: bytes


def edited(root: Path, edits: Iterable[tuple[Path, Edit]]) -> tuple[SpecEdit, ...]:
    """Return the files below the root that the edits change, in their order.

    Raises `YamlEditError` with the place, or OSError.
    """
    disk = LocalDisk(root)
    before: dict[Path, bytes] = {}
    after: dict[Path, bytes] = {}
    for path, edit in edits:
        if path not in before:
            before[path] = after[path] = disk.read(path)
        try:
            after[path] = set_value(after[path], edit)
        except YamlEditError as refusal:
            msg = f"{path}: {edit.name}: {refusal}; edit it by hand"
            raise YamlEditError(msg) from None
    return tuple(SpecEdit(path, before[path], after[path]) for path in before if before[path] != after[path])


def write(root: Path, changes: Iterable[SpecEdit]) -> None:
    """Put the changed files below the root in place, each in one step. Raises OSError that names the file."""
    disk = LocalDisk(root)
    for change in changes:
        with told_of(change.path):
            replace_file(disk.resolved(change.path), change.after, is_durable=True)


def create(root: Path, path: Path, text: str) -> None:
    """Write a file below the root that is not there yet, and its directories.

    Raises OSError that names the file, FileExistsError too.
    """
    root.mkdir(parents=True, exist_ok=True)
    directory = LocalDisk(root).resolved(path.parent)
    with told_of(path):
        directory.mkdir(parents=True, exist_ok=True)
        create_file(directory / path.name, text.encode())
