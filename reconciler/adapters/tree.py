"""A commit's tree as a disk that can only be read.

Rules: nothing is checked out, so no hook, filter, link or submodule of a repository can do anything: a link and a
submodule are neither file nor directory, and a name is only a name. One commit is read from beginning to end, whatever
is fetched meanwhile. A blob that was left out of the clone for its size is too large to read, and is not fetched.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reconciler.adapters.git import Git, GitError
from reconciler.ports import Entry

FILES_MAX = 200_000
BLOB_MAX = 8 * 1024 * 1024
_FILES = ("100644", "100755")
NOT_LAZY = ("-c", "remote.origin.promisor=false")
"""What keeps Git from fetching a blob that the clone left out."""


@dataclass(frozen=True, slots=True)
class _Blob:
    name: str
    size: int


@dataclass(slots=True)
class TreeDisk:
    """The `Disk` of one commit at a time, below `root`, which stands for a directory in its tree.

    Args:
        git: the repository.
        inside: the directory in the tree, with `/`; empty for its top.
        root: the path that stands for that directory.
    """

    git: Git
    inside: str
    root: Path
    commit: str | None = None
    _blobs: dict[str, _Blob] = field(default_factory=dict)
    _directories: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def turn_to(self, commit: str) -> None:
        """Read another commit from now on. Raises `GitError`."""
        within = ["--", f"{self.inside}/"] if self.inside else []
        listed = self.git.run(*NOT_LAZY, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, *within)
        entries = [entry for entry in listed.decode("utf-8", "surrogateescape").split("\0") if entry]
        if len(entries) > FILES_MAX:
            msg = f"more than {FILES_MAX:,} files"
            raise GitError(msg)
        self._blobs, self._directories, self.commit = {}, {"": {}}, commit
        for entry in entries:
            facts, _, path = entry.partition("\t")
            mode, _, name, size = facts.split()
            self._add(path.removeprefix(f"{self.inside}/") if self.inside else path, mode, name, size)

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises OSError."""
        blob = self._blobs.get(self._key(path))
        if blob is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if blob.size > BLOB_MAX:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        try:
            return self.git.run(*NOT_LAZY, "cat-file", "blob", blob.name)
        except GitError as error:
            raise OSError(errno.EIO, str(error), str(path)) from None

    def list(self, path: Path) -> list[Entry]:
        """Return what stands in a directory, sorted by name. Raises OSError."""
        entries = self._directories.get(self._key(path))
        if entries is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return sorted(entries.values(), key=lambda entry: entry.name)

    def write(self, path: Path, data: bytes) -> None:
        """Refuse. Raises OSError."""
        raise _read_only(path, len(data))

    def sync(self, path: Path) -> None:
        """Refuse. Raises OSError."""
        raise _read_only(path)

    def rename(self, source: Path, target: Path) -> None:
        """Refuse. Raises OSError."""
        raise _read_only(target, source)

    def sync_dir(self, path: Path) -> None:
        """Refuse. Raises OSError."""
        raise _read_only(path)

    def remove(self, path: Path) -> None:
        """Refuse. Raises OSError."""
        raise _read_only(path)

    def _key(self, path: Path) -> str:
        key = path.relative_to(self.root).as_posix()
        return "" if key == "." else key

    def _add(self, path: str, mode: str, name: str, size: str) -> None:
        is_file = mode in _FILES
        if is_file:
            self._blobs[path] = _Blob(name, int(size) if size.isdigit() else BLOB_MAX + 1)
        above = PurePosixPath(path)
        entry = Entry(above.name, is_dir=False, is_file=is_file, stamp=(int(name, 16),))
        for parent in above.parents:
            key = "" if str(parent) == "." else str(parent)
            is_known = key in self._directories
            self._directories.setdefault(key, {})[entry.name] = entry
            if is_known:
                return
            entry = Entry(parent.name, is_dir=True, is_file=False)


def _read_only(path: Path, *_: object) -> OSError:
    return OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
