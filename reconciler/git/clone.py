"""Our own clone of a remote: a bare repository in the state directory.

Rules: nothing in it that cannot be fetched again, so one that is torn is made anew; its configuration is given to each
command, and never read from it; what a command that was ended has left behind keeps no other from its work.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from reconciler.git.command import FETCHED_MAX, SAID_MAX, Git, GitError
from reconciler.git.commits import is_commit
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.git.settings import as_text

_MOVING = frozenset({"fetch", "push"})
_LAYOUT = ("objects", "refs")
_SETTINGS = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


@dataclass(frozen=True, slots=True)
class Clone(Git):
    """A bare repository of our own, as a place for what is fetched: nothing in it that cannot be fetched again.

    One that holds the lock of the state directory is alone in it, and so may remove what was left by commands that
    were ended.
    """

    is_alone: bool = False
    _moving: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def run(
        self,
        verb: str,
        *arguments: str,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
        file_max: int | None = None,
        said_max: int = SAID_MAX,
    ) -> bytes:
        """Return what a command prints; what one that failed has left behind is removed. Raises `GitError`."""
        if verb not in _MOVING:
            return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max, said_max=said_max)
        # Only these lock branches, one at a time: so a lock that is there after one has failed is nobody's.
        with self._moving:
            try:
                return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max)
            except GitError as error:
                if self.is_alone and self.remove_torn() >= FETCHED_MAX:
                    msg = f"the branch brings more than {FETCHED_MAX // 1024**2} MiB, which is no branch of specs"
                    raise GitError(msg) from error
                raise

    def remove_torn(self) -> int:
        """Remove what commands that were ended have left, and return the size of the largest pack among it.

        That is half a pack, a pack that is kept from housekeeping, a lock, and a branch that names no commit.
        """
        packs = self.git_dir / "objects" / "pack"
        torn = list(packs.glob("tmp_*"))
        size = max((file.stat().st_size for file in torn), default=0)
        branches = [file for file in (self.git_dir / "refs").rglob("*") if file.is_file()]
        broken = [file for file in branches if not is_commit(file.read_text(encoding="latin-1").strip())]
        for file in (*torn, *packs.glob("*.keep"), *self.git_dir.glob("*.lock"), *broken):
            file.unlink(missing_ok=True)
        return size

    def is_whole(self) -> bool:
        """Whether it has what Git takes a repository by: one that was ended while it was made has not."""
        head = self.git_dir / "HEAD"
        return head.is_file() and head.stat().st_size > 0 and all((self.git_dir / name).is_dir() for name in _LAYOUT)

    def make(self) -> None:
        """Make it anew, in one step, in the place of whatever is there. Raises `GitError`, or OSError."""
        fresh = self.git_dir.with_name(f"{self.git_dir.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        made = Git(fresh, is_stopping=self.is_stopping, scratch=self.scratch)
        made.run("init", "--quiet", "--bare", "--template=", "--initial-branch=none", ".")
        shutil.rmtree(self.git_dir, ignore_errors=True)
        fresh.rename(self.git_dir)


def open_clone(
    directory: Path,
    access: RemoteCredentials,
    is_stopping: Callable[[], bool] = lambda: False,
    *,
    is_alone: bool = True,
) -> Clone:
    """Return a bare repository that has a remote for its origin. Raises `GitError`, or OSError.

    Args:
        directory: where it is.
        access: the remote, and what opens it.
        is_stopping: whether the program is to end.
        is_alone: whether no other process works in it.
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
        is_alone=is_alone,
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not clone.is_whole():
        clone.make()
    elif is_alone:
        clone.remove_torn()
    return clone
