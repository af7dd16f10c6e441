"""Publish statuses without blocking the event loop: Git runs in a thread, and publications do not overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from reconciler.errors import PublishError
from reconciler.git.author import Author
from reconciler.git.checkout import find_checkout
from reconciler.git.command import GitError
from reconciler.git.remote import REF, WITHOUT_LARGE, RemoteSpecs
from reconciler.git.status_branch import StatusBranch
from reconciler.git.working_tree import WorkingTree
from reconciler.model.changed_status import ChangedStatus

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class GitPublisher:
    """The `Publisher` for a status branch."""

    branch: StatusBranch
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_shared(self) -> bool:
        """Whether the branch is pushed to a remote, so that other machines see it."""
        return self.branch.remote is not None

    @property
    def is_dedicated(self) -> bool:
        """Whether the branch contains only statuses."""
        return not self.branch.prefix

    @property
    def edition(self) -> int:
        """The number of pulls of the branch so far."""
        return self.branch.pulls

    def changes_since(self, edition: int) -> tuple[ChangedStatus, ...] | None:
        """Return the statuses that others have changed since a pull, or None if any may have been changed."""
        return self.branch.changes.since(edition)

    def exclusive(self) -> asyncio.Lock:
        """Return the lock that `pull` and `publish_on_top` acquire. A caller of other methods must already hold it."""
        return self._lock

    async def pull(self) -> None:
        """Pull the branch: see `StatusBranch.pull`. Raises `PublishError` if that fails."""
        async with self._lock:
            await _in_thread(self.branch.pull)

    async def publish(
        self, message: str, is_valid: Callable[[Sequence[ChangedStatus]], bool] | None = None
    ) -> str | None:
        """Publish the statuses, and return the commit, or None if no status has changed: see `StatusBranch.publish`.

        Raises `ConflictError` if a pull is needed first, and `PublishError` if the publication fails.
        """
        return await _in_thread(self.branch.publish, message, is_valid)

    async def catch_up(self, tries: int) -> None:
        """Pull after a conflict, and keep the unpublished changes: see `StatusBranch.catch_up`.

        Raises `PublishError` if that fails. `tries` is how many times the caller has tried to publish.
        """
        await _in_thread(self.branch.catch_up, tries)

    def turn_s(self) -> float:
        """Return how many seconds to wait before `publish_on_top`, so that others can push: see `push_turns`."""
        return self.branch.turns.wait_s() if self.is_shared and not self.branch.git.is_stopping() else 0.0

    async def publish_on_top(self, message: str) -> str | None:
        """Publish on top of newer commits, and return the commit, or None if no status has changed.

        See `StatusBranch.publish_on_top`. Raises `PublishError` if that fails.
        """
        async with self._lock:
            return await _in_thread(self.branch.publish_on_top, message)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except GitError as error:
        raise PublishError(str(error)) from None
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        msg = f"{place}{error.strerror or error}"
        raise PublishError(msg) from error


def open_publisher(
    specs: Path,
    directory: Path,
    *,
    branch: str | None,
    remote: str | None,
    author: Author,
    trailers: tuple[str, ...] = (),
    scratch: Path | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> GitPublisher:
    """Return the publisher for the checkout that contains the specs.

    Raises `PublishError` if there is no such checkout, if statuses cannot be committed to it, or if Git fails.

    Args:
        specs: the specs directory.
        directory: the directory of statuses.
        branch: a branch for statuses only. None means the checked-out branch.
        remote: the name of the remote to push to. None means that commits are not pushed.
        author: the author of commits.
        trailers: lines at the end of each commit message.
        scratch: the directory for Git's temporary files. None means the system's default.
        is_stopping: returns whether reconcile is about to exit.
    """
    try:
        checkout = find_checkout(specs, scratch=scratch, is_stopping=is_stopping)
        current = checkout.branch() if checkout is not None else None
    except GitError as error:
        raise PublishError(str(error)) from None
    if checkout is None:
        msg = f"{specs} is not in a Git checkout: pass a directory of a checkout to --specs"
        raise PublishError(msg)
    git, inside = checkout.git, directory.resolve()
    top = git.directory
    if branch is not None:
        apart = StatusBranch(git, branch, "", inside, remote, author, trailers, specs="HEAD")
        return GitPublisher(apart)
    if current is None:
        msg = "HEAD is detached, so there is no branch to commit to: check out a branch, or use --status-branch"
        raise PublishError(msg)
    if not inside.is_relative_to(top):
        msg = f"{directory} is not in the checkout: name a branch for statuses with --status-branch"
        raise PublishError(msg)
    prefix = inside.relative_to(top).as_posix()
    working_tree = WorkingTree(git, current, prefix, inside)
    return GitPublisher(StatusBranch(git, current, prefix, inside, remote, author, trailers, working_tree))


def publish_to_remote(
    specs: RemoteSpecs, directory: Path, branch: str | None, author: Author, trailers: tuple[str, ...]
) -> GitPublisher:
    """Return the publisher that pushes to the remote of the specs.

    Args:
        specs: the source of the specs.
        directory: the local directory of statuses.
        branch: a branch for statuses only. None means the branch of the specs.
        author: the author of commits.
        trailers: lines at the end of each commit message.
    """
    prefix = "" if branch is not None else specs.statuses or "status"
    return GitPublisher(
        StatusBranch(
            specs.git,
            branch or specs.ref,
            prefix,
            directory.resolve(),
            "origin",
            author,
            trailers,
            refetch=specs.poll,
            recreate_clone=specs.recreate_clone,
            specs=None if branch is None else REF,
            fetch_options=(WITHOUT_LARGE,),
        )
    )
