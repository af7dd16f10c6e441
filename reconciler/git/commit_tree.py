"""The tree of a commit, presented as a read-only disk.

Rules: nothing is checked out, so that the hooks, filters, links and submodules of a repository have no effect. A link
or submodule is listed as neither a file nor a directory. All reads are from the same commit, even if another commit is
fetched meanwhile. A blob that the clone omits because of its size is reported as too large, and is not fetched.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reconciler.git.command import Git, GitError
from reconciler.local.specs_walk import may_hold_specs
from reconciler.ports import Entry

FILES_MAX = 200_000
"""The maximum number of files, links and submodules in a tree."""

PATHS_MAX = 16 * 1024 * 1024
"""The maximum total length of all directory paths, in characters. A commit may use one tree object at many paths."""
BYTES_MAX = 128 * 1024 * 1024
"""The maximum total size of all spec files, in bytes. A commit may use one blob for many files."""
BLOB_MAX = 8 * 1024 * 1024
"""The maximum size of one file, in bytes. Fetches omit larger blobs (`--filter=blob:limit=8m`)."""
BATCH_BYTES = 32 * 1024 * 1024
"""The maximum total size of the blobs that one Git command reads, in bytes."""
_FATAL = 128
"""The exit code with which Git reports a damaged object."""
_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class TreeListing:
    """An entry in a commit's tree. `path` is relative to the root of the tree, and `name` is the object id."""

    path: str
    mode: str
    name: str
    size: int | None
    """The size in bytes. None if the entry is not a blob, or if the clone omits the blob because of its size."""


def list_tree(git: Git, commit: str, inside: str) -> list[TreeListing]:
    """Return every file, link and submodule below a directory of a commit's tree. An empty `inside` is the whole tree.

    Raises `GitError` if there are too many entries, if an object is damaged, or if Git fails.
    """
    within = ["--", f"{inside}/"] if inside else []
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit, *within)
    if listed.count(b"\0") > FILES_MAX:
        msg = f"its tree has more than {FILES_MAX:,} files: keep the specs in a smaller repository"
        raise GitError(msg)
    text = listed.decode("utf-8", "surrogateescape")
    entries = [entry.partition("\t") for entry in text.split("\0") if entry]
    if not entries:
        return []
    # Most commands would fetch a missing blob to find its size. `rev-list --missing=print` does not.
    missing = ("--objects", "--missing=print", "--no-object-names", "--end-of-options")
    known = git.text("rev-list", *missing, f"{commit}:{inside}").split()
    here = {name for name in known if not name.startswith("?")}
    sizes = git.sizes(sorted(here))
    if sizes.keys() != here:
        msg = "some of its objects are damaged"
        raise GitError(msg, _FATAL)
    facts = [(path, *head.split()) for head, _, path in entries]
    return [
        TreeListing(path, mode, name, sizes.get(name) if kind == "blob" else None) for path, mode, kind, name in facts
    ]


@dataclass(frozen=True, slots=True)
class _Blob:
    name: str
    size: int


@dataclass(slots=True)
class TreeDisk:
    """A read-only `Disk` that shows a directory of one commit at a time.

    Args:
        git: the repository.
        inside: the path of the directory in the tree, with `/`. Empty for the whole tree.
        root: the path at which this disk shows the directory.
    """

    git: Git
    inside: str
    root: Path
    commit: str | None = None
    """The commit that is shown, or None before the first `switch_to`."""
    _blobs: dict[str, _Blob] = field(default_factory=dict)
    _directories: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _contents: dict[str, bytes] = field(default_factory=dict)
    """The contents of blobs by id, which may have been read for an earlier commit. An id identifies the content."""
    _paths_left: int = PATHS_MAX

    def switch_to(self, commit: str) -> None:
        """Show another commit.

        If its tree cannot be read or is too large, raise `GitError` and continue to show the current commit.
        """
        if commit == self.commit:
            return
        entries = list_tree(self.git, commit, self.inside)
        is_there = bool(entries) or not self.inside
        before = self._blobs, self._directories
        self._blobs, self._directories, self._paths_left = {}, {"": {}} if is_there else {}, PATHS_MAX
        try:
            for entry in entries:
                self._add(entry.path.removeprefix(f"{self.inside}/") if self.inside else entry.path, entry)
            self._check_size()
        except GitError:
            self._blobs, self._directories = before
            raise
        names = {blob.name for blob in self._blobs.values()}
        self._contents = {name: data for name, data in self._contents.items() if name in names}
        self.commit = commit

    def _check_size(self) -> None:
        """Raise `GitError` if the total size of the spec files exceeds `BYTES_MAX`."""
        sizes = (blob.size for path, blob in self._blobs.items() if may_hold_specs(path))
        if sum(size for size in sizes if size <= BLOB_MAX) > BYTES_MAX:
            msg = f"its spec files are larger than {BYTES_MAX // 1024**2} MiB together: use several repositories"
            raise GitError(msg)

    def read(self, path: Path) -> bytes:
        """Return a file's bytes. Raises `OSError` if the file is missing, too large or unreadable."""
        blob = self._blobs.get(self._key(path))
        if blob is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if blob.size > BLOB_MAX:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        if blob.name not in self._contents:
            try:
                self._read_with(blob, path.suffix)
            except GitError as error:
                raise OSError(errno.EIO, str(error), str(path)) from None
        return self._contents[blob.name]

    def list(self, path: Path) -> list[Entry]:
        """Return the entries of a directory, sorted by name. Raises `OSError` if there is no such directory."""
        entries = self._directories.get(self._key(path))
        if entries is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return sorted(entries.values(), key=lambda entry: entry.name)

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(target, len(data))

    def replace(self, target: Path, data: bytes) -> None:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(target, len(data))

    def sync(self, path: Path) -> None:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(path)

    def sync_all(self, paths: Sequence[Path]) -> dict[Path, OSError]:
        """Return an error for each file, because a commit cannot be changed."""
        return {path: _read_only(path) for path in paths}

    def rename(self, source: Path, target: Path) -> None:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(target, source)

    def sync_dir(self, path: Path) -> None:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(path)

    def remove(self, path: Path) -> None:
        """Raise `OSError`, because a commit cannot be changed."""
        raise _read_only(path)

    def _read_with(self, wanted: _Blob, suffix: str) -> None:
        """Read a blob, together with other blobs that have the same suffix, because callers usually read all."""
        total = 0
        names: dict[str, None] = {}
        for blob in (wanted, *(blob for path, blob in self._blobs.items() if path.endswith(suffix))):
            total += blob.size
            if blob.name in names or blob.name in self._contents or blob.size > BLOB_MAX:
                continue
            if total > BATCH_BYTES and names:
                break
            names[blob.name] = None
        self._contents |= dict(zip(names, self.git.read_blobs(list(names)), strict=True))

    def _key(self, path: Path) -> str:
        key = path.relative_to(self.root).as_posix()
        return "" if key == "." else key

    def _add(self, path: str, listed: TreeListing) -> None:
        is_file = listed.mode in _FILES
        if is_file:
            self._blobs[path] = _Blob(listed.name, BLOB_MAX + 1 if listed.size is None else listed.size)
        above = PurePosixPath(path)
        entry = Entry(above.name, is_dir=False, is_file=is_file, stamp=(int(listed.name, 16),))
        for parent in above.parents:
            key = "" if str(parent) == "." else str(parent)
            is_known = key in self._directories
            self._paths_left -= 0 if is_known else len(key)
            if self._paths_left < 0:
                msg = f"the paths of its directories take more than {PATHS_MAX // 1024**2} MiB: use shorter paths"
                raise GitError(msg)
            self._directories.setdefault(key, {})[entry.name] = entry
            if is_known:
                return
            entry = Entry(parent.name, is_dir=True, is_file=False)


def _read_only(path: Path, *_: object) -> OSError:
    return OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
