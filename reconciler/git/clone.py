"""Our own clone of a remote: a bare repository in the state directory.

Rules: everything in it can be fetched again, so a damaged clone is deleted and created again. Its configuration is
passed to each command and never read from it. The leftovers of an interrupted command never block a later one.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from reconciler.git.command import FETCH_MAX, OUTPUT_MAX, Git, GitError
from reconciler.git.commits import is_commit
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.git.settings import as_text

_TRANSFERS = frozenset({"fetch", "push"})
_LAYOUT = ("objects", "refs")
_SETTINGS = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


@dataclass(frozen=True, slots=True)
class Clone(Git):
    """A bare repository of our own for fetched objects.

    If its process holds the lock of the state directory (`is_exclusive`), no other process works in it, so that
    leftovers of interrupted commands can be removed.
    """

    is_exclusive: bool = False
    _transfer_lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def run(
        self,
        verb: str,
        *arguments: str,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
        file_max: int | None = None,
        output_max: int = OUTPUT_MAX,
    ) -> bytes:
        """Return the output of a command. If it fails, its leftovers are removed. Raises `GitError`."""
        if verb not in _TRANSFERS:
            return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max, output_max=output_max)
        # Only transfers lock branches, and they run one at a time. A lock that exists after a failed one is a leftover.
        with self._transfer_lock:
            try:
                return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max)
            except GitError as error:
                if self.is_exclusive and self.remove_leftovers() >= FETCH_MAX:
                    msg = f"the branch needs more than {FETCH_MAX // 1024**2} MiB, so it is no branch of specs"
                    raise GitError(msg) from error
                raise

    def remove_leftovers(self) -> int:
        """Remove the leftovers of interrupted commands, and return the size of the largest partial pack.

        They are partial packs, packs that are kept from housekeeping, locks, and branches that name no commit.
        """
        packs = self.git_dir / "objects" / "pack"
        partial = list(packs.glob("tmp_*"))
        size = max((file.stat().st_size for file in partial), default=0)
        branches = [file for file in (self.git_dir / "refs").rglob("*") if file.is_file()]
        broken = [file for file in branches if not is_commit(file.read_text(encoding="latin-1").strip())]
        for file in (*partial, *packs.glob("*.keep"), *self.git_dir.glob("*.lock"), *broken):
            file.unlink(missing_ok=True)
        return size

    def is_complete(self) -> bool:
        """Whether it has the layout of a repository. One whose creation was interrupted has not."""
        head = self.git_dir / "HEAD"
        return head.is_file() and head.stat().st_size > 0 and all((self.git_dir / name).is_dir() for name in _LAYOUT)

    def create(self) -> None:
        """Create the repository in one step, replacing an existing one. Raises `GitError`, or OSError."""
        fresh = self.git_dir.with_name(f"{self.git_dir.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        new = Git(fresh, is_stopping=self.is_stopping, scratch=self.scratch)
        new.run("init", "--quiet", "--bare", "--template=", "--initial-branch=none", ".")
        shutil.rmtree(self.git_dir, ignore_errors=True)
        fresh.rename(self.git_dir)


def open_clone(
    directory: Path,
    access: RemoteCredentials,
    is_stopping: Callable[[], bool] = lambda: False,
    *,
    is_exclusive: bool = True,
) -> Clone:
    """Return a bare repository with a remote as its origin. Raises `GitError`, or OSError.

    Args:
        directory: its directory.
        access: the remote and its credentials.
        is_stopping: whether the program is about to end.
        is_exclusive: whether no other process works in it.
    """
    directory = directory.resolve()
    settings = _SETTINGS + as_text("remote.origin.url", access.url)
    clone = Clone(
        directory,
        None,
        directory,
        settings,
        access=access,
        is_stopping=is_stopping,
        scratch=directory.parent,
        is_exclusive=is_exclusive,
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not clone.is_complete():
        clone.create()
    elif is_exclusive:
        clone.remove_leftovers()
    return clone
