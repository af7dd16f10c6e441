"""The working tree that shows the branch which statuses are committed to, and in which a person works meanwhile.

Rules: no file but a status is changed, unless the whole tree follows the branch; no filter runs for that. The index is
a person's: it is made anew beside, and put in its place in one step, under Git's own lock, which is held for that step
alone; while Git has that lock, the branch does not move either.
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

WAITS_AT_MOST_S = 10.0
"""How long a command of a person is waited for: one that lasts has an editor open, or was ended."""
_STEP_S = 0.05
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_Stamp = tuple[int, ...] | None


@dataclass(slots=True)
class WorkingTree:
    """A working tree of a branch.

    Args:
        git: its repository.
        branch: the branch that it showed when it was opened.
        prefix: where in it the statuses stand.
        directory: where that is on the disk.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    _moved_to: str | None = None
    """The commit that the branch was last known to be, and beyond which it has nothing of its own."""
    _is_index_behind: bool = field(default=True)
    """Whether the index may not have what the branch has, as a run leaves it that was killed."""

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    def has_strayed(self) -> bool:
        """Whether it shows another branch by now, which is not to get statuses of this one. Raises `GitError`."""
        return self.git.find("symbolic-ref", "--quiet", "HEAD") not in {None, self._ref}

    def follow(self, base: str | None, paths: Iterable[str]) -> None:
        """Let it have the specs of the commit that was fetched, where it is of this very branch. Raises `GitError`.

        Args:
            base: that commit.
            paths: of the statuses that stand here, below `directory`.
        """
        head = self.git.find("rev-parse", "--verify", "--quiet", "HEAD")
        if head is not None and base not in {None, head}:
            self._forget_uncommitted(head, paths)
            if self.git.find("merge-base", "--is-ancestor", "--end-of-options", str(base), head) is None:
                self._merge(head, str(base))
        self._moved_to = base

    def _forget_uncommitted(self, head: str, paths: Iterable[str]) -> None:
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
        """Raise `GitError` where the working tree gets files that a filter makes, as Git LFS does: none runs for us."""
        changed = self.git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", head, base)
        asked = replace(self.git, attributes="").run("check-attr", "-z", "--stdin", "filter", data=changed)
        if set(asked.split(b"\0")[2::3]) - {b"unspecified", b"unset"}:
            msg = "a filter would have to run"
            raise GitError(msg)

    def move(self, commit: str, base: str | None) -> None:
        """Let the branch be a commit, if it is `base` still. Raises `GitError`, and then nothing has moved."""
        self._wait()
        self.git.run("update-ref", "-m", "reconcile", self._ref, commit, base or "")
        self._moved_to, self._is_index_behind = commit, True

    def move_along(self, commit: str) -> None:
        """Let the branch be a commit that was pushed, unless it has something of its own. Raises `GitError`."""
        found = self.git.find("rev-parse", "--verify", "--quiet", self._ref)
        if found is not None and found == self._moved_to:
            self.move(commit, found)

    def take_in(self) -> None:
        """Let the index have the statuses that the branch has. Raises `GitError` where Git is at work all the time.

        Otherwise the next commit of a person would take the statuses back.
        """
        if not self._is_index_behind or self.git.find("symbolic-ref", "--quiet", "HEAD") != self._ref:
            return
        head = self.git.find("rev-parse", "--verify", "--quiet", "HEAD")
        if head is None:
            return
        index = (self.git.git_dir / "index").resolve()
        for _ in self._patiently():
            before = _stamp(index)
            with tempfile.TemporaryDirectory(prefix="reconcile-", dir=self.git.scratch) as directory:
                fresh = Path(directory) / "index"
                if before is not None:
                    fresh.write_bytes(index.read_bytes())
                environ = {"GIT_INDEX_FILE": str(fresh)}
                self.git.run("reset", "--quiet", head, "--", self.prefix, more=environ)
                if _put_in_place(fresh, index, before):
                    self._is_index_behind = False
                    return
        msg = (
            f"Git is at work in the checkout, so its index is behind: before you commit, git reset -- {self.prefix} "
            f"(if no Git is running, remove {index}.lock)"
        )
        raise GitError(msg)

    def _wait(self) -> None:
        """Return once Git is not at work in the working tree. Raises `GitError` where it is all the time."""
        lock = self.git.git_dir / "index.lock"
        if not any(not lock.exists() for _ in self._patiently()):
            msg = f"Git is at work in the checkout (if no Git is running, remove {lock})"
            raise GitError(msg)

    def _patiently(self) -> Iterable[None]:
        """Yield at once, and again and again until that was long enough."""
        for _ in range(int(WAITS_AT_MOST_S / _STEP_S)):
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


def _put_in_place(fresh: Path, index: Path, before: _Stamp) -> bool:
    """Put a new index in the place of one that is as it was. Returns False where Git is at work, or has been.

    A command of Git gives up where it finds the lock, so that is held for one step of the disk: all else comes before.
    """
    lock = index.with_name(f"{index.name}.lock")
    beside = write_beside(index, fresh.read_bytes())
    try:
        if before is not None:
            beside.chmod(stat.S_IMODE(before[-1]))
        # Git doubts a file that is as new as its index, so the index must not seem newer than it is.
        made = fresh.stat().st_mtime_ns
        os.utime(beside, ns=(made, made))
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
