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
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import ModuleType

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
"""How many rows are searched for secrets at once."""


class FileIndex:
    """One row for each file in a tree, by path.

    Args:
        file: the file that contains the index.
        disk: the disk that writes the index.
        reader: the identity of the code that creates and reads the rows.
        now: the clock.
        is_kept: whether `save` will be called. If not, each row is dropped once it has been used.
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
        self._known = dict(_entries(self._believed(_own_bytes(file))))
        self._kept: dict[str, str] = {}
        self._is_changed = False
        self._searched_at = -1
        self._is_secret_found = False

    def row(self, path: str, stamp: Stamp) -> str | None:
        """Return the row of a file, or None if the file must be read. `stamp` is the current stamp of the file.

        A row is returned only once, so the caller keeps what it needs.
        """
        known_stamp, _, row = self._known.get(path, "").partition("\t")
        if stamp is None or known_stamp != _stamp_text(stamp):
            return None
        entry = self._known.pop(path)
        if self.is_kept:
            self._kept[path] = entry
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
        before = self._kept.pop(path, None)
        if row is not None and stamp is not None and path.isprintable() and not is_racy(stamp, read_at):
            self._kept[path] = f"{_stamp_text(stamp)}\t{row}"
        self._is_changed |= before != self._kept.get(path)

    def vouches_for(self, stamp: Stamp, read_at: datetime) -> bool:
        """Return whether this process may rely on a stamp: a file that still has it is not read again.

        `read_at` is a time before the stamp was taken.
        """
        return self.is_brief and stamp is not None and not is_racy(stamp, read_at)

    def may_hold_secret(self) -> bool:
        """Return whether a row that was used or kept contains a secret that this process knows by now.

        If the index is not kept, return True, because its used rows are no longer known.
        """
        if not self.is_kept:
            return True
        if self._searched_at != KNOWN_SECRETS.changes:
            self._searched_at = KNOWN_SECRETS.changes
            entries = iter(self._kept.values())
            # A search copies the text several times. With all rows at once, it would set the peak memory use of a pass.
            parts = iter(lambda: "\n".join(islice(entries, _SEARCHED_AT_ONCE)), "")
            self._is_secret_found = any(map(KNOWN_SECRETS.is_in, parts))
        return self._is_secret_found

    def save(self) -> None:
        """Write the rows that were used or kept, and drop all other rows. A write error is ignored.

        If the index is not kept, or if it has not changed, do nothing.
        """
        if not self.is_kept or not (self._is_changed or self._known):
            return
        lines = (f"{path}\t{entry}\n".encode() for path, entry in self._kept.items())
        data = b"".join(_sealed(self._head.encode(), lines))
        with suppress(OSError):
            self._disk.rename(self._disk.write_beside(self._file, data), self._file)

    def _believed(self, data: bytes) -> str:
        """Return the rows as text, or an empty text if the index is damaged or another reader wrote it.

        `data` is the content of the index file.
        """
        body, seal = data[:-_SEAL_LENGTH], data[-_SEAL_LENGTH:]
        head = self._head.encode()
        return body[len(head) :].decode() if seal == _seal(body) and body.startswith(head) else ""


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


def _own_bytes(file: Path) -> bytes:
    """Return the bytes of a file, or no bytes if it cannot be read or another user could have written to it."""
    try:
        above = file.parent.stat()
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        facts = os.fstat(descriptor)
        is_ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not _is_open(facts)
        if not is_ours or above.st_uid not in {os.geteuid(), _ROOT} or _is_open(above):
            return b""
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read()
    except OSError:
        return b""
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


def _sealed(head: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of an index file, and the seal of all of them at the end. The parts are not joined for it."""
    seal = hashlib.sha256(head)
    yield head
    for line in lines:
        seal.update(line)
        yield line
    yield seal.hexdigest().encode()


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
