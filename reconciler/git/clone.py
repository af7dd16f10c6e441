"""Reconcile's own clone of a remote: a bare repository in the state directory.

Rules: everything in the clone can be fetched again, so a damaged clone is deleted and recreated. The configuration is
passed to each command and never read from the clone. If no other process uses the clone, leftovers of interrupted
commands are removed, so that they do not block later commands.
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

_LOCKS_REFS = frozenset({"fetch", "push", "update-ref"})
_LAYOUT = ("objects", "refs")
_SETTINGS = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


@dataclass(frozen=True, slots=True)
class Clone(Git):
    """A bare repository for fetched objects, which only reconcile uses.

    If this process holds the lock of the state directory (`is_exclusive`), no other process uses the repository, so
    leftovers of interrupted commands can be removed safely.
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
        """Run a command, and return its output. The arguments are those of `Git.run`.

        For a fetch, a push and an update of a ref, `output_max` is ignored, and if it fails and the clone is exclusive,
        the leftovers of the command are removed. Raises `GitError` if the command fails, and `OSError` if leftovers
        cannot be removed.
        """
        if verb not in _LOCKS_REFS:
            return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max, output_max=output_max)
        # Only these commands lock refs, and they run one at a time. Therefore a lock that remains is a leftover.
        with self._transfer_lock:
            try:
                return Git.run(self, verb, *arguments, data=data, more=more, file_max=file_max)
            except GitError as error:
                if self.is_exclusive and self.remove_leftovers() >= FETCH_MAX:
                    msg = f"the branch is larger than {FETCH_MAX // 1024**2} MiB: use a branch that holds only specs"
                    raise GitError(msg) from error
                raise

    def remove_leftovers(self) -> int:
        """Remove the leftovers of interrupted commands.

        Return the size of the largest partial pack, in bytes, or 0 if there is none. Raises `OSError` if a file cannot
        be examined or removed.

        Leftovers are partial packs (`tmp_*`), `.keep` markers that exempt a pack from housekeeping, lock files in the
        top directory or of a ref, and ref files that do not contain a commit id.
        """
        packs = self.git_dir / "objects" / "pack"
        partial = list(packs.glob("tmp_*"))
        size = max((file.stat().st_size for file in partial), default=0)
        branches = [file for file in (self.git_dir / "refs").rglob("*") if file.is_file()]
        # A lock is recognised by its suffix, because it may contain a commit id. The name of a branch never ends with
        # `.lock` (git-check-ref-format).
        broken = [
            file
            for file in branches
            if file.suffix == ".lock" or not is_commit(file.read_text(encoding="latin-1").strip())
        ]
        for file in (*partial, *packs.glob("*.keep"), *self.git_dir.glob("*.lock"), *broken):
            file.unlink(missing_ok=True)
        return size

    def is_complete(self) -> bool:
        """Return whether the directory has the layout of a repository.

        The layout is incomplete if the creation of the repository was interrupted.
        """
        head = self.git_dir / "HEAD"
        return head.is_file() and head.stat().st_size > 0 and all((self.git_dir / name).is_dir() for name in _LAYOUT)

    def create(self) -> None:
        """Create the repository in a temporary directory, then move it into place. An existing repository is deleted.

        Raises `GitError` if Git fails, or `OSError` if a directory cannot be created or moved.
        """
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
    """Return the clone of a remote. If the clone is missing or incomplete, create an empty clone.

    Args:
        directory: the directory of the clone.
        access: the URL and credentials of the remote.
        is_stopping: returns whether reconcile is about to exit.
        is_exclusive: whether no other process uses the clone.

    Raises `GitError` or `OSError` if the clone cannot be created, or if leftovers in it cannot be removed.
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
