"""The bytes of the files in the status tree, and how several files are replaced and made durable together.

Rules:

- The new bytes of a file are durable before it takes the place of the old file. A crash leaves one of the two.
- All files of one call are written first and then synced at the same time, because a disk needs little more time for
  many files than for one. An error of one file does not prevent the replacement of other files.
- A crash may also undo the replacement of a file. Its old bytes then say less, but nothing wrong, unless the new bytes
  are an intent. Therefore directories are synced only for intents, and for files that are new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.formats.status_writer import render_status
from reconciler.local.status_walk import Walked
from reconciler.model.status import JobStatus
from reconciler.ports import Disk


class StatusBytes:
    """The bytes of each file, as they were last read or written. Paths are relative to the tree."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self.known: dict[str, bytes | JobStatus] = {}
        """The bytes of each file, or a status whose rendered text equals them."""
        self.written: dict[str, bytes] = {}
        """The hash of the bytes that this process wrote to each path, unless others have been read there since."""
        self.changed: set[str] = set()
        """The paths that have been written or removed since they were last parsed."""
        self._undoable: set[str] = set()
        """The paths of replaced files whose replacement a crash may undo."""
        self._temporary: list[str] = []
        """The temporary files of killed processes, until the first write removes them."""
        self._was_there: bool | None = None
        """Whether the tree existed before the first `load`; None before it."""

    def begin(self, walked: Walked) -> None:
        """Forget what is known, because the tree is read again. `walked` is what was found there."""
        self.known, self.changed = {}, set()
        if self._was_there is None:
            self._was_there, self._temporary = not walked.is_missing, walked.temporary

    def of(self, path: str) -> bytes | None:
        """Return the last known bytes of a file, or None if there is no file."""
        found = self.known.get(path)
        return render_status(found).encode() if isinstance(found, JobStatus) else found

    def was_written(self, path: str, data: bytes) -> bool:
        """Return whether this process wrote these bytes to a path, and has read no other bytes at this path since."""
        return self.written.get(path) == _hash(data)

    def replace(self, files: Mapping[str, bytes], *, durable: bool, are_intents: bool = False) -> dict[str, OSError]:
        """Replace files, and return the error of each file that could not be replaced or synced."""
        while self._temporary:
            with suppress(OSError):
                self._disk.remove(self._root / self._temporary.pop())
        synced = [path for path in files if are_intents or path not in self.known] if durable else []
        failed = self._replaced_durably(files) if durable else self._replaced(files)
        for path, data in files.items():
            if path not in failed:
                self.known[path], self.written[path] = data, _hash(data)
                self.changed.add(path)
                self._undoable.add(path)
        return failed | self._synced([path for path in synced if path not in failed]) if synced else failed

    def _replaced(self, files: Mapping[str, bytes]) -> dict[str, OSError]:
        """Replace files, without making anything durable. Return the error of each file that could not be replaced."""
        failed: dict[str, OSError] = {}
        for path, data in files.items():
            try:
                self._disk.replace(self._root / path, data)
            except OSError as error:
                failed[path] = error
        return failed

    def _replaced_durably(self, files: Mapping[str, bytes]) -> dict[str, OSError]:
        """Replace files, and return the error of each file that could not be replaced. Directories are not synced."""
        fresh: dict[str, tuple[Path, Path]] = {}
        failed: dict[str, OSError] = {}
        for path, data in files.items():
            target = self._root / path
            try:
                fresh[path] = self._disk.write_beside(target, data), target
            except OSError as error:
                failed[path] = error
        unsynced = self._disk.sync_all([new for new, _ in fresh.values()])
        for path, (new, target) in fresh.items():
            try:
                if new in unsynced:
                    raise unsynced[new]
                self._disk.rename(new, target)
            except OSError as error:
                failed[path] = error
                with suppress(OSError):
                    self._disk.remove(new)
        return failed

    def _synced(self, paths: Collection[str]) -> dict[str, OSError]:
        """Sync the directories above files, each once. Return the error of each file for which that failed."""
        above = {path: tuple(self._above(path)) for path in paths}
        failed: dict[Path, OSError] = {}
        for directory in dict.fromkeys(each for directories in above.values() for each in directories):
            try:
                self._disk.sync_dir(directory)
            except OSError as error:
                failed[directory] = error
        wrong = {path: failed[each] for path, directories in above.items() for each in directories if each in failed}
        self._undoable.difference_update(above.keys() - wrong.keys())
        return wrong

    def _above(self, path: str) -> Iterator[Path]:
        """Yield the directories above a file whose entries may be new, the nearest first."""
        last = self._root if self._was_there else self._root.parent
        for directory in (self._root / path).parents:
            yield directory
            if directory == last:
                return

    def remove(self, path: str, successors: Iterable[str] = ()) -> None:
        """Remove a file. Raises `OSError` if it cannot be removed, or if one of its successors cannot be synced.

        `successors` are the paths of the files that have taken over its content.
        """
        for error in self._synced(self._undoable.intersection(successors)).values():
            raise error
        self._disk.remove(self._root / path)
        self.known.pop(path, None)
        self.written.pop(path, None)
        self._undoable.discard(path)
        self.changed.add(path)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
