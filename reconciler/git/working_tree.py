"""The working tree of the branch that statuses are committed to, in which a person may work at the same time.

Rules: only statuses are changed, unless the whole tree follows the branch. No filter runs for that. The index belongs
to the person. A new index is prepared beside it and replaces it in one step, under Git's own lock, which is held for
that step only. While Git holds that lock, the branch does not move.
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
"""How long to wait for a person's Git command. A longer one has an editor open, or was killed."""
_STEP_S = 0.05
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_Stamp = tuple[int, ...] | None


@dataclass(slots=True)
class WorkingTree:
    """A working tree of a branch.

    Args:
        git: its repository.
        branch: the branch that was checked out at first.
        prefix: the path of the statuses in the tree.
        directory: the same directory on the disk.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    _moved_to: str | None = None
    """The last known commit of the branch, which has no commits of a person on top."""
    _is_index_behind: bool = field(default=True)
    """Whether the index may lack statuses of the branch, for example after a killed run."""

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def is_on_other_branch(self) -> bool:
        """Whether another branch is checked out by now, which must not get statuses of this one. Raises `GitError`."""
        return self.git.find("symbolic-ref", "--quiet", "HEAD") not in {None, self._ref}

    def follow(self, base: str | None, paths: Iterable[str]) -> None:
        """Fast-forward to the fetched commit of this branch. Raises `GitError`.

        Args:
            base: that commit.
            paths: the statuses on the disk, below `directory`.
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
                f"the checkout cannot follow {self.branch}: commit or stash what is changed in it, or merge it first "
                f"({error})"
            )
            raise GitError(msg) from error

    def _check_filters(self, head: str, base: str) -> None:
        """Raise `GitError` if a new file would need a filter, such as Git LFS. No filter is run here."""
        changed = self.git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", head, base)
        output = replace(self.git, attributes="").run("check-attr", "-z", "--stdin", "filter", data=changed)
        if set(output.split(b"\0")[2::3]) - {b"unspecified", b"unset"}:
            msg = "a filter would have to run"
            raise GitError(msg)

    def move(self, commit: str, base: str | None) -> None:
        """Move the branch to a commit if it is still at `base`. Raises `GitError`, and then nothing has moved."""
        self._wait()
        self.git.run("update-ref", "-m", "reconcile", self._ref, commit, base or "")
        self._moved_to, self._is_index_behind = commit, True

    def advance(self, commit: str) -> None:
        """Move the branch to a commit that was pushed, unless a person committed to it. Raises `GitError`."""
        found = self.git.find("rev-parse", "--verify", "--quiet", self._ref)
        if found is not None and found == self._moved_to:
            self.move(commit, found)

    def update_index(self) -> None:
        """Update the statuses in the index to those of the branch. Raises `GitError` if Git commands keep running.

        Without that, the next commit of a person would revert the statuses.
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
            "Git keeps running in the checkout, so its index is outdated: before you commit, "
            f"git reset -- {self.prefix} (if no Git is running, remove {index}.lock)"
        )
        raise GitError(msg)

    def _wait(self) -> None:
        """Return once no Git command runs in the working tree. Raises `GitError` if one keeps running."""
        lock = self.git.git_dir / "index.lock"
        if not any(not lock.exists() for _ in self._attempts()):
            msg = f"Git keeps running in the checkout (if no Git is running, remove {lock})"
            raise GitError(msg)

    def _attempts(self) -> Iterable[None]:
        """Yield at once, and then repeatedly until the time for waiting is over."""
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
    """Replace an index that is unchanged. Returns False if Git runs, or has run, in the working tree.

    A command of Git gives up if it finds the lock. Therefore the lock is held for a single rename, and everything else
    is done before.
    """
    lock = index.with_name(f"{index.name}.lock")
    beside = write_beside(index, fresh.read_bytes())
    try:
        if before is not None:
            beside.chmod(stat.S_IMODE(before[-1]))
        # Git rereads a file that is as new as its index, so the index must not seem newer than it is.
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
