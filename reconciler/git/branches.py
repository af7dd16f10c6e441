"""The branch to which statuses are published: of this repository, or of a remote."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from reconciler.git.command import FETCH_MAX, Git, GitError
from reconciler.git.working_tree import WorkingTree


class Branch(Protocol):
    """A branch to which other writers may publish too. Each method raises `GitError` if Git fails."""

    def tip(self) -> str | None:
        """Return the newest commit, which is fetched if necessary, or None if there is no such branch."""
        ...

    def newer_tip(self) -> str | None:
        """Do what `tip` does, in less time if the branch exists."""
        ...

    def push(self, commit: str, parent: str | None) -> bool:
        """Move the branch from a commit to a child of it. Return False if the branch was at the child already.

        Raises `GitError` if the branch is at another commit. `parent` is None if there is no such branch yet.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalBranch:
    """A branch of this repository. `working_tree` is None unless it is checked out."""

    git: Git
    branch: str
    working_tree: WorkingTree | None

    def tip(self) -> str | None:
        """Return the newest commit, or None if there is no such branch."""
        return self.git.find("rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}")

    def newer_tip(self) -> str | None:
        """Do what `tip` does."""
        return self.tip()

    def push(self, commit: str, parent: str | None) -> bool:
        """Move the branch: see `Branch.push`. Returns True."""
        if self.working_tree is not None:
            self.working_tree.move(commit, parent)
        else:
            self.git.run("update-ref", "-m", "reconcile", f"refs/heads/{self.branch}", commit, parent or "")
        return True


@dataclass(frozen=True, slots=True)
class RemoteBranch:
    """A branch of a remote. `options` are additional options for a fetch."""

    git: Git
    branch: str
    remote: str
    options: tuple[str, ...] = ()

    def tip(self) -> str | None:
        """Fetch the newest commit, and return it, or None if there is no such branch."""
        return self._fetch() if self.git.text("ls-remote", "--", self.remote, self._ref) else None

    def newer_tip(self) -> str | None:
        """Do what `tip` does, without first asking whether the branch exists."""
        try:
            return self._fetch()
        except GitError as error:
            if error.code is None:
                raise
            return self.tip()

    def _fetch(self) -> str:
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", *self.options)
        self.git.run("fetch", *options, "--", self.remote, f"+{self._ref}:{self._kept}", file_max=FETCH_MAX)
        return self.git.text("rev-parse", "--verify", self._kept)

    def push(self, commit: str, parent: str | None) -> bool:  # noqa: ARG002  Git finds it in the commit
        """Push the commit: see `Branch.push`.

        The branch is at the commit already if another run has made the same decisions in the same second, because its
        commit then has the same id.
        """
        output = self.git.text("push", "--porcelain", "--no-verify", "--", self.remote, f"{commit}:{self._ref}")
        if any(line.startswith("=\t") for line in output.splitlines()):
            return False
        with suppress(GitError):  # the commit is published, and the next push sets the ref
            # Without a ref, Git can neither pack nor remove the commits of a watch, and tries to do so at each fetch.
            self.git.run("update-ref", self._kept, commit)
        return True

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def _kept(self) -> str:
        """A ref that keeps the newest commit, because any other fetch would overwrite FETCH_HEAD."""
        return f"refs/reconcile-statuses/{self.branch}"


def check_separate(git: Git, branch: str, tip: str, specs: str) -> None:
    """Raise `GitError` if a branch for statuses only shares commits with the specs. `specs` is a revision of them."""
    if git.find("merge-base", "--end-of-options", specs, tip) is not None:
        msg = f"the branch {branch} shares commits with the specs: name a branch for statuses only"
        raise GitError(msg)
