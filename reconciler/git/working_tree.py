"""The working tree of the branch that statuses are committed to. A user may work in it at the same time.

Rules: only statuses are changed, except when the whole tree is fast-forwarded. Filters are never run. The index belongs
to the user. A new index is prepared beside it and replaces it in one step. Git's own lock is held for that step only.
While a Git command holds that lock, the branch is not moved.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.git.command import Git, GitError
from reconciler.git.commit_tree import list_tree
from reconciler.local.file_writer import write_beside

GIT_WAIT_S = 10.0
"""How long to wait for a user's Git command. A command that takes longer probably has an editor open, or was killed."""
_STEP_S = 0.05
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_Stamp = tuple[int, ...] | None


@dataclass(slots=True)
class WorkingTree:
    """The working tree in which a branch is checked out.

    Args:
        git: the repository.
        branch: the branch that was checked out at the start.
        prefix: the path of the status directory in the tree.
        directory: the path of the status directory on the disk.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    _moved_to: str | None = None
    """The commit that reconcile last fetched or committed, or None. If the branch is elsewhere, a user moved it."""
    _is_index_behind: bool = field(default=True)
    """Whether the index may lack statuses that the branch contains, for example after a run was killed."""

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def check_branch(self) -> None:
        """Raise `GitError` if another branch is checked out, or if Git fails. A detached HEAD is allowed."""
        if self.git.find("symbolic-ref", "--quiet", "HEAD") not in {None, self._ref}:
            msg = f"the checkout is no longer on the branch {self.branch}: check it out again, or restart reconcile"
            raise GitError(msg)

    def follow(self, base: str | None, paths: Iterable[str]) -> None:
        """Update the checkout to the fetched commit of this branch, if HEAD is another commit.

        Uncommitted changes to statuses are discarded. HEAD is fast-forwarded, unless it contains the fetched commit.

        Args:
            base: the fetched commit, or None if the branch has no commit.
            paths: the status files on the disk, relative to `directory`.

        Raises `GitError` if Git fails, or if the checkout cannot be fast-forwarded, and `OSError` if a status file
        cannot be removed.
        """
        head = self.git.find("rev-parse", "--verify", "--quiet", "HEAD")
        if head is not None and base not in {None, head}:
            self._drop_uncommitted(head, paths)
            if self.git.find("merge-base", "--is-ancestor", "--end-of-options", str(base), head) is None:
                self._merge(head, str(base))
        self._moved_to = base

    def _drop_uncommitted(self, head: str, paths: Iterable[str]) -> None:
        self.git.find("checkout", "--quiet", "HEAD", "--", self.prefix)
        committed = {each.path.removeprefix(f"{self.prefix}/") for each in list_tree(self.git, head, self.prefix)}
        for path in set(paths) - committed:
            (self.directory / path).unlink(missing_ok=True)

    def _merge(self, head: str, base: str) -> None:
        try:
            self._check_filters(head, base)
            self.git.run("merge", "--quiet", "--ff-only", "--no-edit", base)
        except GitError as error:
            msg = (
                f"the checkout cannot follow {self.branch}: commit or stash your changes, or merge {self.branch} first "
                f"({error})"
            )
            raise GitError(msg) from error

    def _check_filters(self, head: str, base: str) -> None:
        """Raise `GitError` if a changed file needs a filter, such as Git LFS. Reconcile does not run filters."""
        changed = self.git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", head, base)
        output = replace(self.git, attributes="").run("check-attr", "-z", "--stdin", "filter", data=changed)
        if set(output.split(b"\0")[2::3]) - {b"unspecified", b"unset"}:
            msg = "reconcile runs no Git filters, and a changed file needs one, such as Git LFS"
            raise GitError(msg)

    def move(self, commit: str, base: str | None) -> None:
        """Move the branch from `base` to a commit. None means that the branch has no commit yet.

        Raises `GitError` if the branch has moved, if it cannot be moved, or if a user's Git command keeps running.
        """
        self._wait()
        self.git.run("update-ref", "-m", "reconcile", self._ref, commit, base or "")
        self._moved_to, self._is_index_behind = commit, True

    def advance(self, commit: str) -> None:
        """Move the branch to a pushed commit, unless a user has committed to it. Raises the errors of `move`."""
        found = self.git.find("rev-parse", "--verify", "--quiet", self._ref)
        if found is not None and found == self._moved_to:
            self.move(commit, found)

    def update_index(self) -> None:
        """Update the statuses in the index to those of the branch, if it is checked out.

        With an outdated index, the user's next commit would revert the statuses. Raises `GitError` if Git fails or a
        user's Git commands keep running, and `OSError` if the index cannot be read or replaced.
        """
        if not self._is_index_behind or self.git.find("symbolic-ref", "--quiet", "HEAD") != self._ref:
            return
        head = self.git.find("rev-parse", "--verify", "--quiet", "HEAD")
        if head is None:
            return
        index = (self.git.git_dir / "index").resolve()
        for _ in self._attempts():
            before = _stamp(index)
            with tempfile.TemporaryDirectory(prefix="reconcile-", dir=self.git.scratch) as directory:
                fresh = Path(directory) / "index"
                if before is not None:
                    fresh.write_bytes(index.read_bytes())
                environ = {"GIT_INDEX_FILE": str(fresh)}
                self.git.run("reset", "--quiet", head, "--", self.prefix, more=environ)
                if _replace_index(fresh, index, before):
                    self._is_index_behind = False
                    return
        msg = (
            "another Git command kept the checkout locked, so its index is outdated: before you commit, run "
            f"`git reset -- {self.prefix}` (if no Git command is running, remove {index}.lock)"
        )
        raise GitError(msg)

    def _wait(self) -> None:
        """Return once no Git command runs in the working tree. Raises `GitError` if a command keeps running."""
        lock = self.git.git_dir / "index.lock"
        if not any(not lock.exists() for _ in self._attempts()):
            msg = f"another Git command keeps the checkout locked (if none is running, remove {lock})"
            raise GitError(msg)

    def _attempts(self) -> Iterable[None]:
        """Yield at once, and then repeatedly until `GIT_WAIT_S` seconds have passed or reconcile is about to exit."""
        for _ in range(int(GIT_WAIT_S / _STEP_S)):
            yield
            if self.git.is_stopping():
                return
            threading.Event().wait(_STEP_S)


def _stamp(file: Path) -> _Stamp:
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_mode


def _replace_index(fresh: Path, index: Path, before: _Stamp) -> bool:
    """Replace the index if its stamp is still `before`. Return whether it was replaced.

    The index is not replaced if a Git command holds the lock or has changed the index. A user's Git command fails if it
    finds the lock. Therefore the lock is held only for the rename, and everything else is done earlier.
    """
    lock = index.with_name(f"{index.name}.lock")
    beside = write_beside(index, fresh.read_bytes())
    try:
        if before is not None:
            beside.chmod(stat.S_IMODE(before[-1]))
        # Git reads a file again if it is as new as the index. Therefore the index must not seem newer than its content.
        created = fresh.stat().st_mtime_ns
        os.utime(beside, ns=(created, created))
        try:
            os.close(os.open(lock, _NEW))
        except FileExistsError:
            return False
        try:
            is_as_it_was = _stamp(index) == before
            if is_as_it_was:
                beside.replace(index)
        finally:
            lock.unlink()
    finally:
        beside.unlink(missing_ok=True)
    return is_as_it_was
