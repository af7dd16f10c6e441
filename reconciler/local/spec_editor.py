"""Edit spec files on disk.

Rules: a command first makes all its edits in memory. If one of them is refused, no file is written. A file is replaced
in one step and keeps its permissions. A new file never overwrites an existing one. A link is followed only if its
target is below the specs directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.yaml_edit import Edit, YamlEditError, set_value
from reconciler.local.disk import LocalDisk
from reconciler.local.file_writer import create_file, errors_naming, replace_file


@dataclass(frozen=True, slots=True)
class SpecEdit:
    """The content of one file before and after its edits."""

    path: Path
    before: bytes
    after: bytes


def edited(root: Path, edits: Iterable[tuple[Path, Edit]]) -> tuple[SpecEdit, ...]:
    """Return each file below the root that the edits change, with its content before and after. Nothing is written.

    Raises `YamlEditError`, which names the file and the spec, if an edit cannot be made, or `OSError` if a file cannot
    be read.
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
            msg = f"{path}: {edit.name}: {refusal}; edit the file by hand"
            raise YamlEditError(msg) from None
    return tuple(SpecEdit(path, before[path], after[path]) for path in before if before[path] != after[path])


def write(root: Path, changes: Iterable[SpecEdit]) -> None:
    """Write the changed files below the root, each in one step.

    Raises an `OSError` that names the file if a file cannot be written. The files before it in `changes` have then been
    written already.
    """
    disk = LocalDisk(root)
    for change in changes:
        with errors_naming(change.path):
            replace_file(disk.resolved(change.path), change.after, is_durable=True)


def create(root: Path, path: Path, text: str) -> None:
    """Create a file below the root, with its parent directories.

    Raises `FileExistsError` if the file exists, or another `OSError`. The error names the file.
    """
    root.mkdir(parents=True, exist_ok=True)
    directory = LocalDisk(root).resolved(path.parent)
    with errors_naming(path):
        directory.mkdir(parents=True, exist_ok=True)
        create_file(directory / path.name, text.encode())
