"""A disk that is not durable: unsynced data may be lost, torn or kept when the machine goes down.

Rules: the contents of a file are durable once the file is synced. A name is durable once its directory is synced, and a
directory once its own parent is, as in POSIX. A change by a person (an editor, a checkout) is durable at once.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.ports import Disk, Entry


@dataclass(eq=False, slots=True)
class _File:
    data: bytes
    safe: bytes = b""

    def after_crash(self, rng: random.Random) -> _File:
        """Return the contents after a crash: the old bytes, no bytes, or the beginning or all of the new bytes."""
        if self.data == self.safe:
            return self
        torn = self.data[: rng.randrange(len(self.data) + 1)]
        found = rng.choice([self.safe, b"", torn, self.data])
        return _File(found, found)


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of a directory's entries, which is durable completely or not at all."""

    puts: str | None = None
    file: _File | None = None
    drops: str | None = None
    makes: str | None = None

    def onto(self, files: dict[str, _File], directories: set[str]) -> None:
        if self.drops is not None:
            files.pop(self.drops, None)
        if self.puts is not None and self.file is not None:
            files[self.puts] = self.file
        if self.makes is not None:
            directories.add(self.makes)


class NonDurableDisk:
    """The `Disk` of a test, in memory."""

    # Paths are kept as text, because creating `Path` objects would take most of the time of a run.

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: dict[str, _File] = {}
        self._directories = {self._root}
        self._safe_files: dict[str, _File] = {}
        self._safe_directories = {self._root}
        self._pending: dict[str, list[_Change]] = {}
        self._temporary = 0

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises `FileNotFoundError` if it does not exist."""
        return self._file(str(path)).data

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, sorted by name. Raises `FileNotFoundError` if it does not exist."""
        here = str(path)
        if here not in self._directories:
            raise _missing(here)
        found = [Entry(_name(each), is_dir=False, is_file=True) for each in self._files if _parent(each) == here]
        found += [Entry(_name(each), is_dir=True, is_file=False) for each in self._directories if _parent(each) == here]
        return sorted(found, key=lambda entry: entry.name)

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file beside another. Neither its contents nor its name is durable yet."""
        self._temporary += 1
        fresh = target.with_name(f".reconcile-{self._temporary:016x}.tmp")
        self._write(fresh, data)
        return fresh

    def _write(self, path: Path, data: bytes) -> None:
        self._make(str(path.parent))
        if str(path) in self._files:
            self._files[str(path)].data = data
        else:
            self._change(_Change(puts=str(path), file=_File(data)), at=str(path))

    def replace(self, target: Path, data: bytes) -> None:
        """Write a new file and rename it, so that a crash may happen in between."""
        replaced_in_two_steps(self, target, data)

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable."""
        file = self._file(str(path))
        file.safe = file.data

    def sync_all(self, paths: Sequence[Path]) -> dict[Path, OSError]:
        """Make the bytes of files durable."""
        for path in paths:
            self.sync(path)
        return {}

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file in one step, and replace the file that has the new name, if any."""
        moved = _Change(puts=str(target), file=self._file(str(source)), drops=str(source))
        self._change(moved, at=str(target))

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable."""
        if str(path) not in self._directories:
            raise _missing(str(path))
        for change in self._pending.pop(str(path), []):
            change.onto(self._safe_files, self._safe_directories)

    def remove(self, path: Path) -> None:
        """Remove a file, if it exists."""
        if str(path) in self._files:
            self._change(_Change(drops=str(path)), at=str(path))

    def put(self, path: Path, data: bytes) -> None:
        """Write a file durably, as a person does."""
        self._write(path, data)
        self.sync(path)
        self._sync_way_to(path)

    def drop(self, path: Path) -> None:
        """Remove a file durably, as a person does."""
        self.remove(path)
        self._sync_way_to(path)

    def crash(self, rng: random.Random) -> None:
        """Lose unsynced data. The random source determines which data is lost, torn or kept."""
        for changes in self._pending.values():
            for change in changes:
                if rng.random() < 0.5:
                    change.onto(self._safe_files, self._safe_directories)
        self._pending.clear()
        reachable = {each for each in self._safe_directories if self._safe_directories.issuperset(self._above(each))}
        kept = {path: file for path, file in self._safe_files.items() if _parent(path) in reachable}
        self._safe_directories = reachable
        self._safe_files = {path: file.after_crash(rng) for path, file in kept.items()}
        self._files, self._directories = dict(self._safe_files), set(reachable)

    def files(self) -> dict[str, bytes]:
        """Return all files on the disk."""
        return {path: file.data for path, file in self._files.items()}

    def _file(self, path: str) -> _File:
        if path not in self._files:
            raise _missing(path)
        return self._files[path]

    def _make(self, directory: str) -> None:
        if directory in self._directories:
            return
        for each in (*reversed(self._above(directory)), directory):
            if each not in self._directories:
                self._change(_Change(makes=each), at=each)

    def _above(self, path: str) -> tuple[str, ...]:
        """Return the parents of a file or directory, from the nearest parent to the root."""
        found = []
        while path != self._root:
            path = _parent(path)
            found.append(path)
        return tuple(found)

    def _change(self, change: _Change, *, at: str) -> None:
        change.onto(self._files, self._directories)
        self._pending.setdefault(_parent(at), []).append(change)

    def _sync_way_to(self, path: Path) -> None:
        for each in self._above(str(path)):
            if each in self._directories:
                self.sync_dir(Path(each))


def replaced_in_two_steps(disk: Disk, target: Path, data: bytes) -> None:
    """Replace a file by `write_beside` and `rename` of a disk, which may record these steps or fail in them."""
    fresh = disk.write_beside(target, data)
    try:
        disk.rename(fresh, target)
    except OSError:
        disk.remove(fresh)
        raise


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _missing(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
