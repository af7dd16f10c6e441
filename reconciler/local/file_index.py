"""An index on disk of the parsed contents of files, so that an unchanged file is not opened again.

Rules, as in Git's index:

- A row is used only while the file has the same stamp: its times, size, inode and device.
- A file that may have changed in the same tick of the clock in which it was read gets no row ("racily clean").
- An index is ignored if it belongs to another user, if others can write to it or replace it, if it is damaged, or if
  another version of the reader wrote it. The files are then read again.
- No request depends on a row, because a spec is read and parsed again before a request for its job is sent.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from reconciler.ports import Disk, Now
from reconciler.redaction import KNOWN_SECRETS

Stamp = tuple[int, ...] | None
"""The stamp of a file, or None if it is unknown."""

_FORMAT = "reconcile index 1"
_SEAL_LENGTH = 64
_SECOND = 10**9
_FINE = _SECOND // 50
"""The longest tick of the clock that stamps files, in nanoseconds, in most file systems."""
_COARSE = 2 * _SECOND
"""The longest tick of that clock in file systems that store only whole seconds, in nanoseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOT = 0
_SEARCHED_AT_ONCE = 500
_SEARCHED_BYTES = 2**18
"""How many rows, and how many bytes of the index file, are searched for secrets at once."""


class FileIndex:
    """One row for each file in a tree, by path.

    Args:
        file: the file that contains the index.
        disk: the disk that writes the index.
        reader: the identity of the code that creates and reads the rows.
        now: the clock.
        is_kept: whether `save` will be called. If not, no row is kept.
        is_brief: whether this process ends soon. Such a process does not read a file again while its stamp stays the
            same. A watch reads all files again from time to time, because a stamp does not show every change.
    """

    def __init__(self, file: Path, disk: Disk, reader: str, now: Now, *, is_kept: bool, is_brief: bool = True) -> None:
        self._file = file
        self._disk = disk
        self.now = now
        self.is_brief = is_brief
        self.is_kept = is_kept
        self._head = f"{_FORMAT} {reader}\n"
        self._seal, text = self._read()
        self._unused = dict(_entries(text))
        """The entries of the index file whose rows have not been returned yet."""
        self._kept: dict[str, str | None] = {}
        """The entries that are not in the index file yet; None for a file that must be read again next time."""
        self._searched_at = -1
        self._is_secret_found = False

    def row(self, path: str, stamp: Stamp) -> str | None:
        """Return the row of a file, or None if the file must be read. `stamp` is the current stamp of the file.

        A row is returned only once, so the caller keeps what it needs.
        """
        known_stamp, _, row = self._unused.get(path, "").partition("\t")
        if stamp is None or known_stamp != _stamp_text(stamp):
            return None
        del self._unused[path]
        return row

    def keep(self, path: str, stamp: Stamp, row: str | None, read_at: datetime) -> None:
        """Keep the row of a file that was just read. It replaces an earlier row. If the index is not kept, do nothing.

        Args:
            path: the path of the file.
            stamp: the stamp of the file just before it was read.
            row: one line, or None if the file must be read again next time.
            read_at: a time before the stamp was taken.
        """
        if not self.is_kept:
            return
        self._unused.pop(path, None)
        is_certain = stamp is not None and path.isprintable() and not is_racy(stamp, read_at)
        self._kept[path] = None if row is None or stamp is None or not is_certain else f"{_stamp_text(stamp)}\t{row}"

    def vouches_for(self, stamp: Stamp, read_at: datetime) -> bool:
        """Return whether this process may rely on a stamp: a file that still has it is not read again.

        `read_at` is a time before the stamp was taken.
        """
        return self.is_brief and stamp is not None and not is_racy(stamp, read_at)

    def may_hold_secret(self) -> bool:
        """Return whether a row in the index file, or a row that was kept, contains a secret that is known by now.

        If the index is not kept, return True.
        """
        if not self.is_kept:
            return True
        if self._searched_at != KNOWN_SECRETS.changes:
            self._searched_at = KNOWN_SECRETS.changes
            rows = filter(None, self._kept.values())
            # A search copies the text several times, so all rows at once would be the peak of a pass.
            parts = iter(lambda: "\n".join(islice(rows, _SEARCHED_AT_ONCE)), "")
            self._is_secret_found = self._may_file_hold_secret() or any(map(KNOWN_SECRETS.is_in, parts))
        return self._is_secret_found

    def _may_file_hold_secret(self) -> bool:
        """Return whether the index file contains a known secret, or is not the file that this process used."""
        if not self._seal:
            return False
        computed, seal = hashlib.sha256(), b""
        try:
            with _own_file(self._file) as file:
                while file is not None and (lines := file.readlines(_SEARCHED_BYTES)):
                    seal = b"" if lines[-1].endswith(b"\n") else lines.pop()
                    text = b"".join(lines)
                    computed.update(text)
                    if KNOWN_SECRETS.is_in(text.decode(errors="replace")):
                        return True
        except OSError:
            return True
        return not seal == computed.hexdigest().encode() == self._seal

    def save(self) -> None:
        """Write the rows that were used or kept, and drop all other rows. A write error is ignored.

        If the index is not kept, or if it has not changed, do nothing.
        """
        if not self.is_kept or not (self._kept or self._unused):
            return
        before = dict(_entries(self._read_again() or ""))
        if not self._unused and all(before.get(path) == entry for path, entry in self._kept.items()):
            return
        entries = {path: entry for path, entry in before.items() if path not in self._unused} | self._kept
        self._kept = {}
        data = _sealed(self._head.encode(), _drained(entries))
        with suppress(OSError):
            self._disk.rename(self._disk.write_beside(self._file, data), self._file)
            self._seal = data[-_SEAL_LENGTH:]
            self._unused = {}

    def _read(self) -> tuple[bytes, str]:
        """Return the seal and the rows of the index file. Both are empty if the file must not be believed."""
        try:
            with _own_file(self._file) as file:
                data = b"" if file is None else file.read()
        except OSError:
            data = b""
        # A view, because each copy would take as much memory as all documents or statuses of the tree.
        body, seal = memoryview(data)[:-_SEAL_LENGTH], data[-_SEAL_LENGTH:]
        head = self._head.encode()
        is_believed = seal == _seal(body) and body[: len(head)] == head
        return (seal, str(body[len(head) :], "utf-8")) if is_believed else (b"", "")

    def _read_again(self) -> str | None:
        """Return the rows of the index file, or None if it is not the file that this process read or wrote last.

        The rows are read again because they would take more memory than the documents and statuses that they contain.
        """
        seal, text = self._read()
        return text if seal == self._seal else None


def is_racy(stamp: tuple[int, ...], read_at: datetime) -> bool:
    """Return whether a file with this stamp may have changed after `read_at` without getting a new stamp."""
    if len(stamp) == 1:
        return False  # the stamp is the id of a Git blob, which identifies its content
    changed_at = max(stamp[:2])
    tick = _FINE if changed_at % _SECOND else _COARSE
    return changed_at + tick > _nanoseconds(read_at)


@lru_cache(1)
def _nanoseconds(moment: datetime) -> int:
    """Return a time in nanoseconds since 1970. All files of one reading have the same time."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def reader_id(modules: Iterable[ModuleType], *libraries: str) -> str:
    """Return the identity of a reader, computed from the source of its modules and from `libraries`.

    `libraries` names the libraries that the reader uses, with their versions. Raises `OSError` if the source of a
    module cannot be read.
    """
    source = b"".join(Path(str(each.__file__)).read_bytes() for each in modules)
    return " ".join([hashlib.sha256(source).hexdigest()[:16], *libraries])


@contextmanager
def _own_file(file: Path) -> Iterator[BinaryIO | None]:
    """Open a file. Yield None instead if it cannot be opened, or if another user could have written to it."""
    try:
        above = file.parent.stat()
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        facts = os.fstat(descriptor)
        is_ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not _is_open(facts)
        if not is_ours or above.st_uid not in {os.geteuid(), _ROOT} or _is_open(above):
            yield None
            return
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            yield opened
    finally:
        os.close(descriptor)


def _is_open(facts: os.stat_result) -> bool:
    """Return whether other users, or a group, may write to a file or directory."""
    return bool(facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield each path with its entry, which is the stamp of the file, a tab, and the row."""
    for line in text.split("\n")[:-1]:
        path, _, entry = line.partition("\t")
        yield path, entry


def _stamp_text(stamp: tuple[int, ...]) -> str:
    return " ".join(map(str, stamp))


def _drained(entries: dict[str, str | None]) -> Iterator[bytes]:
    """Remove each entry, to save memory, and yield its line unless it has no row."""
    while entries:
        path, entry = entries.popitem()
        if entry is not None:
            yield f"{path}\t{entry}\n".encode()


def _sealed(head: bytes, lines: Iterable[bytes]) -> bytes:
    """Return the bytes of an index file, which end with the seal of all others."""
    file = BytesIO()  # it needs less memory than a list of all lines
    file.write(head)
    file.writelines(lines)
    file.write(_seal(file.getbuffer()))
    return file.getvalue()


def _seal(body: bytes | memoryview) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
