"""Which files below a specs directory are specs, by their names alone, and what on the way is not read.

Rules: every file that may hold specs is found, or named with why it is not read; what begins with `.` or `_` is none,
nor is the tree of statuses; nothing is opened here but directories.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.lookalikes import SUFFIXES, intended_name
from reconciler.model.diagnostic import Severity
from reconciler.ports import Disk, Entry

FILES_MAX = 100_000
DEPTH_MAX = 32
NOT_THERE = "there is no such directory: make it, or say with --specs where the specs are"
HOLDS_GIT = "holds a Git repository, and specs are only data: remove it, or keep the specs in a folder of the checkout"
NO_DIRECTORY = "is no directory: name the one that the specs are in with --specs"

_WHY: dict[type[OSError], str] = {FileNotFoundError: NOT_THERE, NotADirectoryError: NO_DIRECTORY}
_HIDDEN = (".", "_")
_LAYOUT = frozenset({"HEAD", "objects", "refs"})
"""What Git takes a directory for a bare repository by."""

Stamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may hold specs, relative to the root."""

    path: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A file that is not read because of its name, relative to the root."""

    path: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something on the way that is not read."""

    path: str
    message: str
    severity: Severity = Severity.ERROR
    may_hold_anything: bool = False
    """It is there, and the disk does not give it out."""
    is_repository: bool = False
    """It is a directory that Git would take for a repository, with settings that whoever wrote it chose."""


def may_hold_specs(path: str) -> bool:
    """Return whether a file below the specs directory is one of specs, by its path alone."""
    parts = path.split("/")
    return path.endswith(SUFFIXES) and parts[0] != "status" and not any(part.startswith(_HIDDEN) for part in parts)


def stamps(disk: Disk, root: Path, status_root: Path) -> frozenset[object]:
    """Return what differs from before wherever a spec file was changed, within the limits of its stamp."""
    return frozenset(walk(disk, root, not_ours(root, status_root)))


def not_ours(root: Path, status_root: Path) -> frozenset[str]:
    """Return which directories below the root hold no specs, whichever way the paths are written."""
    if status_root == root / "status":
        return frozenset({"status"})  # a link there leads nowhere that we follow, and hides no specs
    real, statuses = root.resolve(), status_root.resolve()
    inside = {statuses.relative_to(real).as_posix()} if statuses.is_relative_to(real) else set()
    return frozenset({"status", *inside})


def walk(disk: Disk, root: Path, without: frozenset[str]) -> Iterator[Found | Lookalike | Trouble]:
    """Yield each file that holds specs, or looks as though it should, and each trouble."""
    count = 0
    directories = [""]
    while directories:
        directory = directories.pop()
        try:
            entries = disk.list(root / directory)
        except OSError as error:
            why = _WHY.get(type(error))
            unread = f"cannot be read: {error.strerror or error}"
            yield Trouble(directory, why or unread, may_hold_anything=why is None)
            continue
        names = {entry.name for entry in entries}
        if ".git" in names or names >= _LAYOUT:
            yield Trouble(directory, HOLDS_GIT, is_repository=True)
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if entry.name.startswith(_HIDDEN) or path in without:
                continue
            found = _found(path, entry)
            if entry.is_dir and found is None:
                directories.append(path)
            elif found is not None:
                count += isinstance(found, Found)
                yield found
        if count > FILES_MAX:
            said = f"holds more than {FILES_MAX:,} spec files; the rest is not read"
            yield Trouble("", said, may_hold_anything=True)
            return


def _found(path: str, entry: Entry) -> Found | Lookalike | Trouble | None:
    """Return what a name in a directory is; None for a directory to go into, and for what is no matter of ours."""
    trouble = _trouble(path, entry)
    if trouble is not None or entry.is_dir:
        return trouble
    if path.endswith(SUFFIXES):
        return Found(path, entry.stamp)
    return None if intended_name(path) is None else Lookalike(path, entry.stamp)


def _trouble(path: str, entry: Entry) -> Trouble | None:
    may_hold_specs = entry.is_dir or entry.name.endswith(SUFFIXES)
    if may_hold_specs and not entry.name.isprintable():
        return Trouble(path, "this name is not UTF-8, or contains control characters: rename it")
    if entry.is_dir and path.count("/") >= DEPTH_MAX:
        return Trouble(path, f"directories are nested deeper than {DEPTH_MAX}")
    if entry.is_dir or entry.is_file:
        return None
    severity = Severity.ERROR if may_hold_specs else Severity.WARNING
    return Trouble(path, f"is not read: {entry.why_neither}", severity)
