"""Find the spec files below a specs directory by their names, and the paths that cannot be read.

Rules: every file that may be a spec is either found, or reported with the reason why it is not read. Files and
directories whose names start with `.` are ignored, and so is the status directory. Files are not opened. Files whose
name, or that of a directory, starts with `_` are *set aside*: they are not read as specs, but the first of these files
are yielded as lookalikes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.lookalikes import SUFFIXES, intended_name
from reconciler.model.diagnostic import Severity
from reconciler.ports import Disk, Entry

FILES_MAX = 100_000
DEPTH_MAX = 32
SET_ASIDE_MAX = 1000
"""How many of the files and directories that are set aside are examined. No warning is given for further entries."""
NOT_THERE = "there is no such directory: create it, or name the directory of the specs with --specs"
HOLDS_GIT = (
    "contains a Git repository, and spec authors could change its configuration: if it is the checkout of the specs, "
    "move them into a folder of the checkout and name the folder with --specs; otherwise remove the repository"
)
NO_DIRECTORY = "this is not a directory: name the directory of the specs with --specs"

_WHY: dict[type[OSError], str] = {FileNotFoundError: NOT_THERE, NotADirectoryError: NO_DIRECTORY}
_REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ESTALE})
_ASIDE = "_"
_HIDDEN = (".", _ASIDE)
_LAYOUT = frozenset({"HEAD", "objects", "refs"})
"""The names by which Git recognises a bare repository."""

Stamp = tuple[int, ...] | None
"""The stamp of a file, or None if it is unknown."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be a spec. `path` is relative to the root."""

    path: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A file that is not read because of its name. `path` is relative to the root."""

    path: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that is not read, and why, or a directory that contains a repository, which is read but reported.

    `path` is relative to the root. An empty path is the root itself.
    """

    path: str
    message: str
    severity: Severity = Severity.ERROR
    may_hold_anything: bool = False
    """Whether the path exists but could not be read, so that it may contain any document."""
    is_repository: bool = False
    """Whether Git would use the path as a repository, whose configuration a spec author may have written."""
    is_replaced: bool = False
    """Whether the path is no longer the directory that the listing shows."""
    is_neither: bool = False
    """Whether the path is neither a file nor a directory, such as a link to a file that was just removed."""


def may_hold_specs(path: str) -> bool:
    """Return whether a file in the specs directory is read as a spec, judged only by its path."""
    parts = path.split("/")
    return path.endswith(SUFFIXES) and parts[0] != "status" and not any(part.startswith(_HIDDEN) for part in parts)


def is_temporary_by_name(path: str) -> bool:
    """Return whether a path has a hidden name such as editors give to temporary files.

    Names that start with `..` are excluded, because files of a Kubernetes volume are links to such paths, and so is
    `.git`, because no change is requested while there is a repository.
    """
    hidden = [part for part in path.split("/") if part.startswith(".")]
    return bool(hidden) and not any(part == ".git" or part.startswith("..") for part in hidden)


def stamps(disk: Disk, root: Path, status_root: Path) -> frozenset[object]:
    """Return a value that changes when spec files change, as far as their stamps show that."""
    return frozenset(walk(disk, root, ignored_folders(root, status_root)))


def ignored_folders(root: Path, status_root: Path) -> frozenset[str]:
    """Return the paths, relative to the root, that are not searched for specs: `status` and the status directory."""
    if status_root == root / "status":
        return frozenset({"status"})  # only this path: if it is a link, its target is not ignored
    real, statuses = root.resolve(), status_root.resolve()
    inside = {statuses.relative_to(real).as_posix()} if statuses.is_relative_to(real) else set()
    return frozenset({"status", *inside})


def walk(disk: Disk, root: Path, without: frozenset[str]) -> Iterator[Found | Lookalike | Skipped]:
    """Yield each spec file, each lookalike, and a `Skipped` for each path that is not read or contains a repository.

    `without` is the result of `ignored_folders`.
    """
    count = 0
    directories, aside = [""], list[tuple[str, Entry]]()
    while directories:
        directory = directories.pop()
        try:
            entries = disk.list(root / directory)
        except OSError as error:
            yield _unread(directory, error)
            continue
        yield from _repository(directory, entries)
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if entry.name.startswith(_ASIDE):
                aside.append((path, entry))
            if entry.name.startswith(_HIDDEN) or path in without:
                continue
            found = _found(path, entry)
            if entry.is_dir and found is None:
                directories.append(path)
            elif found is not None:
                count += isinstance(found, Found)
                yield found
        if count > FILES_MAX:
            message = (
                f"the directory contains more than {FILES_MAX:,} spec files, so the rest is not read: divide the "
                "specs among several directories, each with its own reconcile"
            )
            yield Skipped("", message, may_hold_anything=True)
            return
    yield from _set_aside(disk, root, without, aside)


def why_not_trusted(skipped: Iterable[Skipped]) -> str | None:
    """Return which searched directory contains a Git repository, or None.

    The path is relative to the specs directory, because this text may reach a status.
    """
    repositories = (readable(each.path) or "the specs directory" for each in skipped if each.is_repository)
    repository = next(repositories, None)
    return repository and f"{repository} {HOLDS_GIT}"


def is_replaced(error: OSError) -> bool:
    """Return whether an error shows that a path is no longer the file or directory that the listing shows.

    `EINVAL` is the error of a path that is not a regular file.
    """
    return error.errno in _REPLACED


def readable(path: str) -> str:
    """Return a path with unprintable characters escaped."""
    return path if path.isprintable() else ascii(path)[1:-1]


def _unread(directory: str, error: OSError) -> Skipped:
    """Return the record of a directory that cannot be listed."""
    why = None if directory else _WHY.get(type(error))
    unread = f"the directory cannot be read: {error.strerror or error}"
    return Skipped(
        directory, why or unread, may_hold_anything=why is None, is_replaced=bool(directory) and is_replaced(error)
    )


def _repository(directory: str, entries: Iterable[Entry]) -> Iterator[Skipped]:
    """Yield a record of the directory if it contains a Git repository."""
    names = {entry.name for entry in entries}
    if ".git" in names or names >= _LAYOUT:
        yield Skipped(directory, f"the directory {HOLDS_GIT}", is_repository=True)


def _set_aside(
    disk: Disk, root: Path, without: frozenset[str], entries: Iterable[tuple[str, Entry]]
) -> Iterator[Lookalike]:
    """Yield the files among the first `SET_ASIDE_MAX` entries that are set aside, and in directories among these."""
    pending = list(entries)
    for _ in range(SET_ASIDE_MAX):
        if not pending:
            return
        path, entry = pending.pop()
        if path in without:
            continue
        if entry.is_dir:
            with suppress(OSError):
                inside = disk.list(root / path)
                pending += [(f"{path}/{each.name}", each) for each in inside if not each.name.startswith(".")]
        elif entry.is_file and path.endswith(SUFFIXES) and entry.name.isprintable():
            yield Lookalike(path, entry.stamp)


def _found(path: str, entry: Entry) -> Found | Lookalike | Skipped | None:
    """Return what to yield for an entry, or None if it is a directory to search or an unrelated file."""
    skipped = _skipped(path, entry)
    if skipped is not None or entry.is_dir:
        return skipped
    if path.endswith(SUFFIXES):
        return Found(path, entry.stamp)
    return None if intended_name(path) is None else Lookalike(path, entry.stamp)


def _skipped(path: str, entry: Entry) -> Skipped | None:
    may_hold_specs = entry.is_dir or entry.name.endswith(SUFFIXES)
    if may_hold_specs and not entry.name.isprintable():
        return Skipped(path, "this name is not UTF-8, or contains control characters: rename it")
    if entry.is_dir and path.count("/") >= DEPTH_MAX:
        return Skipped(path, f"the directory is more than {DEPTH_MAX} levels deep: move it")
    if entry.is_dir or entry.is_file:
        return None
    severity = Severity.ERROR if may_hold_specs else Severity.WARNING
    why = f"it is not read, because it is {entry.why_neither}: replace or remove it"
    return Skipped(path, why, severity, is_neither=may_hold_specs)
