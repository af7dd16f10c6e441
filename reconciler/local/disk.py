"""The real disk, held to one root: a symbolic link counts only while it stays inside.

A Kubernetes volume is made of links (`bots.yaml -> ..data/bots.yaml -> ..2026_11_23/bots.yaml`), so links are
followed. But a repository must not make us read or write elsewhere, so one that leads out of the root is neither file
nor directory, cannot be read, and is never written through. Below a linked directory no further link to a directory
counts, and so no walk goes round for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from reconciler.ports import Entry

READ_MAX_BYTES = 64 * 1024 * 1024


class LocalDisk:
    """The `Disk` below one root. What is outside of it raises `PermissionError`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: Path) -> bytes:
        """Return a regular file's bytes. Raises OSError, also for a pipe, a device, or more than 64 MiB."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.EMLINK}:
                raise
            descriptor = os.open(self._resolved(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            if facts.st_size > READ_MAX_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            return file.read()

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, sorted by name. Raises OSError."""
        here = self._resolved(path)
        is_linked = here != self._real_root / path.relative_to(self._root)
        with os.scandir(here) as entries:
            found = [self._entry(entry, here, is_linked=is_linked) for entry in entries]
        return sorted(found, key=lambda entry: entry.name)

    def write(self, path: Path, data: bytes) -> None:
        """Create or replace a file's bytes, making its directories; a link in its place is refused."""
        parent = self._resolved(path.parent)
        parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(parent / path.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable."""
        _sync(path, os.O_NOFOLLOW)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in the place of another in one step; a link in its place is replaced, not followed."""
        source.rename(self._resolved(target.parent) / target.name)

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable."""
        _sync(path, os.O_DIRECTORY)

    def remove(self, path: Path) -> None:
        """Remove a file or a link, and nothing if there is none."""
        (self._resolved(path.parent) / path.name).unlink(missing_ok=True)

    @property
    def _real_root(self) -> Path:
        return self._root.resolve()

    def _resolved(self, path: Path) -> Path:
        try:
            real = path.resolve()
        except RuntimeError:  # pathlib's word for a loop, before Python 3.13
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
        if not real.is_relative_to(self._real_root):
            raise PermissionError(errno.EPERM, "a link leads outside", str(path))
        return real

    def _entry(self, entry: os.DirEntry[str], here: Path, *, is_linked: bool) -> Entry:
        if not entry.is_symlink():
            is_file = entry.is_file(follow_symlinks=False)
            stamp = _stamp(entry) if is_file else None
            return Entry(entry.name, is_dir=entry.is_dir(follow_symlinks=False), is_file=is_file, stamp=stamp)
        try:
            real = self._resolved(here / entry.name)
        except OSError as error:
            why = "a link that goes round in a circle" if error.errno == errno.ELOOP else "a link that leads outside"
            return Entry(entry.name, is_dir=False, is_file=False, why_neither=why)
        goes_round = is_linked or here.is_relative_to(real)
        is_file = real.is_file()
        return Entry(
            entry.name,
            is_dir=real.is_dir() and not goes_round,
            is_file=is_file,
            why_neither="a link to a directory that would be read twice" if real.is_dir() else "a link to nothing",
            stamp=_stamp(real) if is_file else None,
        )


def _stamp(path: os.DirEntry[str] | Path) -> tuple[int, ...] | None:
    """Return what changes whenever a file's bytes do, but within one tick of a coarse clock; None if it is gone."""
    try:
        facts = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_dev


def _sync(path: Path, flag: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | flag)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
