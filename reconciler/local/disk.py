"""Access to the local disk, restricted to one root directory.

Rules: a symbolic link is followed only if its target is inside the root. A Kubernetes volume consists of links
(`bots.yaml -> ..data/bots.yaml -> ..2026_11_23/bots.yaml`), so they must be followed. But a repository must not make
this process read or write elsewhere. Therefore a link that leads out of the root is listed as neither a file nor a
directory, and it is not used for reading or writing. Inside a linked directory, further links to directories are not
followed, to prevent loops. In a tree that only reconcile writes to, links are never followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from reconciler.local.file_writer import LINK_REFUSED, errors_naming, naming, new_name, sync, write_new
from reconciler.ports import Entry

READ_MAX_BYTES = 64 * 1024 * 1024
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
SYNCED_AT_ONCE = 16
"""How many files are synced at the same time, in threads. File systems join such syncs, so that they take less time."""
_SPARE = 4096
"""How many bytes more than a file's size are requested, because the file may have grown."""


class LocalDisk:
    """A `Disk` that is restricted to one root directory. A path that leads outside it raises `PermissionError`.

    Args:
        root: the directory.
        follows_links: whether links within the root are followed. If not, a link is neither a file nor a directory.
        read_max_bytes: the maximum size of a file that is read, in bytes.
        makes_root: whether a write creates the root if it is missing. If not, such a write raises `FileNotFoundError`.
    """

    def __init__(
        self,
        root: Path,
        *,
        follows_links: bool = True,
        read_max_bytes: int = READ_MAX_BYTES,
        makes_root: bool = True,
    ) -> None:
        self._root = root
        self._follows_links = follows_links
        self._read_max_bytes = read_max_bytes
        self._makes_root = makes_root
        self._resolved_root = _RealPath(root)
        self._listed: set[str] = set()
        """The directories that `list` has resolved, so they were inside the root."""

    def read(self, path: Path) -> bytes:
        """Return the bytes of a regular file. Raises `OSError` if it is unreadable, too large, or of another type."""
        where = str(path)
        if where.rpartition("/")[0] not in self._listed:  # resolving it for each of 10,000 files would take a second
            self.resolved(path.parent)
        try:
            descriptor = os.open(where, _READING)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.EMLINK}:
                raise
            descriptor = os.open(self.resolved(path), _READING)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", where)
            if facts.st_size > self._read_max_bytes:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), where)
            return _contents(descriptor, facts.st_size)
        finally:
            os.close(descriptor)

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, sorted by name. Raises `OSError` if it cannot be read."""
        self._listed.discard(str(path))
        here = self.resolved(path)
        self._listed.add(str(path))
        is_linked = here != self._real_root / path.relative_to(self._root)
        with os.scandir(here) as entries:
            found = [self._entry(entry, here, is_linked=is_linked) for entry in entries]
        return sorted(found, key=lambda entry: entry.name)

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Write bytes to a new file in the directory of `target`, and return its path. Create the directory if needed.

        Raises `OSError` if the file cannot be written.
        """
        name, (directory, _) = new_name(), self._place(target)
        try:
            write_new(f"{directory}/{name}", data, 0o644)
        except (FileNotFoundError, NotADirectoryError):
            made = self._made(target.parent)
            with errors_naming(target):
                write_new(f"{made}/{name}", data, 0o644)
        except OSError as error:
            raise naming(error, target) from None
        return target.with_name(name)

    def replace(self, target: Path, data: bytes) -> None:
        """Write a new file and move it to `target`, as `write_beside` and `rename` do. Raises `OSError` if that fails.

        A cold pass writes thousands of files, and two calls would resolve the directory of each file twice.
        """
        directory, name = self._place(target)
        fresh = f"{directory}/{new_name()}"
        try:
            write_new(fresh, data, 0o644)
        except (FileNotFoundError, NotADirectoryError):
            fresh = str(self.write_beside(target, data))
        except OSError as error:
            raise naming(error, target) from None
        try:
            os.rename(fresh, f"{directory}/{name}")  # noqa: PTH104  as in `rename`
        except OSError as error:
            with suppress(OSError):
                os.unlink(fresh)  # noqa: PTH108  as in `rename`
            raise naming(error, target) from None

    def _made(self, directory: Path) -> Path:
        """Create a directory, and return its path with links resolved. Raises `OSError` if it cannot be created."""
        real = self.resolved(directory)
        if not (self._makes_root or self._root.is_dir()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._root))
        real.mkdir(parents=True, exist_ok=True)
        return real

    def sync(self, path: Path) -> None:
        """Make a file's bytes durable. Raises `OSError` if that fails."""
        sync(path, os.O_NOFOLLOW)

    def sync_all(self, paths: Sequence[Path]) -> dict[Path, OSError]:
        """Make the bytes of files durable at the same time. Return the error of each file for which that failed."""
        if len(paths) > 1:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  slow to import

            with ThreadPoolExecutor(SYNCED_AT_ONCE) as threads:
                errors = list(threads.map(self._sync_error, paths))
        else:
            errors = list(map(self._sync_error, paths))
        return {path: error for path, error in zip(paths, errors, strict=True) if error is not None}

    def _sync_error(self, path: Path) -> OSError | None:
        try:
            self.sync(path)
        except OSError as error:
            return error
        return None

    def rename(self, source: Path, target: Path) -> None:
        """Move a file to the path `target` in one step. If `target` is a link, the link is replaced, not followed.

        Raises `OSError` if the file cannot be moved.
        """
        try:
            directory, name = self._place(target)
            os.rename(source, f"{directory}/{name}")  # noqa: PTH104  a path costs as much again
        except OSError as error:
            raise naming(error, target) from None

    def sync_dir(self, path: Path) -> None:
        """Make a directory's entries durable. Raises `OSError` if that fails."""
        sync(path, os.O_DIRECTORY)

    def remove(self, path: Path) -> None:
        """Remove a file or a link, if it exists. Raises `OSError` if it cannot be removed."""
        (self.resolved(path.parent) / path.name).unlink(missing_ok=True)

    @property
    def _real_root(self) -> Path:
        return self._root.resolve()

    def resolved(self, path: Path) -> Path:
        """Return a path with its links resolved.

        Raises `PermissionError` if the result is outside the root, or `OSError` if the path contains a link and links
        are not followed, or if its links form a loop.
        """
        return Path(self._real(path))

    def _real(self, path: Path) -> str:
        """Return the result of `resolved` as a text, because most callers only extend it. Raises its errors."""
        plain = self._plain(str(path))
        if plain is not None:
            return plain
        try:
            real = path.resolve()
        except RuntimeError:  # how pathlib reports a loop before Python 3.13
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
        if not real.is_relative_to(self._real_root):
            raise PermissionError(errno.EPERM, "a link on this path leads out of its root directory", str(path))
        if not self._follows_links and real != self._real_root / path.relative_to(self._root):
            raise OSError(errno.ELOOP, LINK_REFUSED, str(path))
        return str(real)

    def _place(self, target: Path) -> tuple[str, str]:
        """Return the directory of a path, with its links resolved, and the name in it. Raises the errors of `_real`."""
        above, _, name = str(target).rpartition("/")  # `Path.parent` and `Path.name` take several times as long
        return self._plain(above) or self._real(target.parent), name

    def _plain(self, whole: str) -> str | None:
        """Return a path below the real root, or None if the path must be resolved.

        It must be resolved if a part of it is missing or a link, if it contains `..`, or if it does not begin with the
        root. Each write needs this path, and `Path.resolve` takes several times as long.
        """
        root = str(self._root)
        below = whole.removeprefix(root)
        if below == whole or (below and not below.startswith("/")) or ".." in below:
            return None
        try:
            real = self._resolved_root.real()
            for name in filter(None, below.split("/")):
                real = f"{real}/{name}"
                if stat.S_ISLNK(os.lstat(real).st_mode):
                    return None
        except OSError:
            return None
        return real

    def _entry(self, entry: os.DirEntry[str], here: Path, *, is_linked: bool) -> Entry:
        if not entry.is_symlink():
            is_file = entry.is_file(follow_symlinks=False)
            stamp = _stamp(entry) if is_file else None
            return Entry(entry.name, is_dir=entry.is_dir(follow_symlinks=False), is_file=is_file, stamp=stamp)
        if not self._follows_links:
            return Entry(entry.name, is_dir=False, is_file=False, why_neither="a link")
        try:
            real = self.resolved(here / entry.name)
        except OSError as error:
            why = "a link in a loop" if error.errno == errno.ELOOP else "a link that leads out of the specs directory"
            return Entry(entry.name, is_dir=False, is_file=False, why_neither=why)
        is_loop = is_linked or here.is_relative_to(real)
        is_file, is_dir = real.is_file(), real.is_dir()
        target = "a directory that would be read twice" if is_dir else "nothing, or to a special file"
        return Entry(
            entry.name,
            is_dir=is_dir and not is_loop,
            is_file=is_file,
            why_neither=f"a link to {target}",
            stamp=_stamp(real) if is_file else None,
        )


class _RealPath:
    """A directory's path with links resolved. It is resolved again once the path leads to another directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = str(path)
        self._identity: tuple[int, int] | None = None
        self._is_plain = False
        """Whether the path contains no link, so that it leads to the directory as long as that is where it was."""

    def real(self) -> str:
        """Return the path with links resolved. Raises `OSError` if it does not exist."""
        if self._identity is None or not self._is_same():
            self._real = os.path.realpath(self._path, strict=True)  # `Path.resolve` may report a loop as RuntimeError
            self._identity = _identity(os.lstat(self._real))
            self._is_plain = self._real == os.path.abspath(self._path)  # noqa: PTH100  `Path.absolute` keeps `..`
        return self._real

    def _is_same(self) -> bool:
        is_there = _identity(os.lstat(self._real)) == self._identity
        return is_there and (self._is_plain or _identity(self._path.stat()) == self._identity)


def _contents(descriptor: int, size: int) -> bytes:
    """Return the bytes of an open file with this size. They may be more or fewer, if the file changes meanwhile."""
    data = os.read(descriptor, size + _SPARE)
    if len(data) == size:
        return data  # as the size says, so a further read, which would find the end of the file, is spared
    return data + b"".join(iter(partial(os.read, descriptor, size + _SPARE), b""))


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _stamp(path: os.DirEntry[str] | Path) -> tuple[int, ...] | None:
    """Return a stamp that changes when the file's bytes change, or None if the file cannot be examined.

    A second change within the same tick of the file system's clock may leave the stamp unchanged.
    """
    try:
        facts = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_dev
