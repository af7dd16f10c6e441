"""A disk that forgets: what was not synced may be lost, torn or kept when the machine goes down.

Rules: a file's bytes are safe once the file is synced; a name is safe once its directory is, and a directory once its
own parent is, as POSIX has it and no more. What a person puts there (an editor, a checkout) is safe at once.
"""

from __future__ import annotations

import errno
import os
import random
from dataclasses import dataclass
from pathlib import Path

from reconciler.ports import Entry


@dataclass(eq=False, slots=True)
class _File:
    data: bytes
    safe: bytes = b""

    def after_crash(self, rng: random.Random) -> _File:
        """Return what is found of it: the old bytes, nothing, a beginning of the new ones, or all of them."""
        if self.data == self.safe:
            return self
        torn = self.data[: rng.randrange(len(self.data) + 1)]
        found = rng.choice([self.safe, b"", torn, self.data])
        return _File(found, found)


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of a directory's entries, which happens whole or not at all."""

    puts: Path | None = None
    file: _File | None = None
    drops: Path | None = None
    makes: Path | None = None

    def onto(self, files: dict[Path, _File], directories: set[Path]) -> None:
        if self.drops is not None:
            files.pop(self.drops, None)
        if self.puts is not None and self.file is not None:
            files[self.puts] = self.file
        if self.makes is not None:
            directories.add(self.makes)


class ForgetfulDisk:
    """The `Disk` of a test, in memory."""

    def __init__(self, root: Path) -> None:
        self._files: dict[Path, _File] = {}
        self._directories = {root}
        self._safe_files: dict[Path, _File] = {}
        self._safe_directories = {root}
        self._pending: dict[Path, list[_Change]] = {}

    def read(self, path: Path) -> bytes:
        """Return a file's bytes."""
        return self._file(path).data

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, sorted by name."""
        if path not in self._directories:
            raise _missing(path)
        files = [Entry(each.name, is_dir=False, is_file=True) for each in self._files if each.parent == path]
        below = [Entry(each.name, is_dir=True, is_file=False) for each in self._directories if each.parent == path]
        return sorted([*files, *below], key=lambda entry: entry.name)

    def write(self, path: Path, data: bytes) -> None:
        """Create or replace a file's bytes, making its directories; nothing of this is safe yet."""
        self._make(path.parent)
        if path in self._files:
            self._files[path].data = data
        else:
            self._change(path.parent, _Change(puts=path, file=_File(data)))

    def sync(self, path: Path) -> None:
        """Make a file's bytes safe."""
        file = self._file(path)
        file.safe = file.data

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another in one step."""
        self._change(target.parent, _Change(puts=target, file=self._file(source), drops=source))

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries safe."""
        if path not in self._directories:
            raise _missing(path)
        for change in self._pending.pop(path, []):
            change.onto(self._safe_files, self._safe_directories)

    def remove(self, path: Path) -> None:
        """Remove a file, and nothing if there is none."""
        if path in self._files:
            self._change(path.parent, _Change(drops=path))

    def put(self, path: Path, data: bytes) -> None:
        """Do what a person's editor does: write and sync everything."""
        self.write(path, data)
        self.sync(path)
        self._sync_all(path.parent)

    def drop(self, path: Path) -> None:
        """Remove a file as a person does, for good."""
        self.remove(path)
        self._sync_all(path.parent)

    def crash(self, rng: random.Random) -> None:
        """Forget: of what was not synced, the random source says what is lost, torn and kept."""
        for changes in self._pending.values():
            for change in changes:
                if rng.random() < 0.5:
                    change.onto(self._safe_files, self._safe_directories)
        self._pending.clear()
        reachable = {each for each in self._safe_directories if self._safe_directories.issuperset(self._way_to(each))}
        self._safe_directories = reachable
        kept = {path: file for path, file in self._safe_files.items() if path.parent in reachable}
        self._safe_files = {path: file.after_crash(rng) for path, file in kept.items()}
        self._files, self._directories = dict(self._safe_files), set(reachable)

    def files(self) -> dict[Path, bytes]:
        """Return everything that stands on the disk."""
        return {path: file.data for path, file in self._files.items()}

    def _file(self, path: Path) -> _File:
        if path not in self._files:
            raise _missing(path)
        return self._files[path]

    def _make(self, directory: Path) -> None:
        for each in reversed([directory, *self._way_to(directory)]):
            if each not in self._directories:
                self._change(each.parent, _Change(makes=each))

    def _way_to(self, directory: Path) -> list[Path]:
        """Return the directories above one, up to the root."""
        root = min(self._directories, key=lambda each: len(each.parts))
        return [each for each in directory.parents if each.is_relative_to(root)]

    def _change(self, directory: Path, change: _Change) -> None:
        change.onto(self._files, self._directories)
        self._pending.setdefault(directory, []).append(change)

    def _sync_all(self, directory: Path) -> None:
        for each in [directory, *self._way_to(directory)]:
            self.sync_dir(each)


def _missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
