"""The `Publisher` over a status branch: one publication at a time, off the event loop, in the port's own words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from reconciler.errors import PublishError
from reconciler.git.author import Signature
from reconciler.git.checkout import find_checkout
from reconciler.git.command import GitError
from reconciler.git.status_branch import StatusBranch

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class GitPublisher:
    """The `Publisher` of a status branch: one at a time, and off the event loop."""

    branch: StatusBranch
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_shared(self) -> bool:
        """Whether it is pushed."""
        return self.branch.remote is not None

    @property
    def edition(self) -> int:
        """How often it was pulled."""
        return self.branch.pulls

    def alone(self) -> asyncio.Lock:
        """Return what its holder publishes under."""
        return self._lock

    async def pull(self) -> None:
        """See `StatusBranch.pull`."""
        async with self._lock:
            await _off_the_loop(self.branch.pull)

    async def publish(self, message: str) -> str | None:
        """See `StatusBranch.publish`."""
        return await _off_the_loop(self.branch.publish, message)

    async def publish_on_top(self, message: str) -> str | None:
        """See `StatusBranch.publish_on_top`."""
        async with self._lock:
            return await _off_the_loop(self.branch.publish_on_top, message)


async def _off_the_loop(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except (GitError, OSError) as error:
        raise PublishError(str(error)) from None


def open_publisher(
    specs: Path,
    directory: Path,
    *,
    branch: str | None,
    remote: str | None,
    signature: Signature,
    trailers: tuple[str, ...] = (),
    is_stopping: Callable[[], bool] = lambda: False,
) -> GitPublisher:
    """Return the publisher of the checkout that the specs are in. Raises `PublishError`.

    Args:
        specs: the specs directory.
        directory: where the statuses stand.
        branch: a branch that holds nothing else; None is the branch that is checked out.
        remote: where to push; None keeps it here.
        signature: who commits.
        trailers: lines at the end of each message.
        is_stopping: whether somebody wants the program to end.
    """
    checkout = find_checkout(specs)
    if checkout is None:
        msg = f"{specs} is not in a Git checkout"
        raise PublishError(msg)
    git = replace(checkout.git, is_stopping=is_stopping)
    top, inside = git.directory.resolve(), directory.resolve()
    if branch is not None:
        apart = StatusBranch(git, branch, "", inside, remote, signature, trailers, specs="HEAD")
        return GitPublisher(apart)
    current = checkout.branch()
    if current is None:
        msg = "HEAD is detached, so there is no branch to commit to: check one out, or name a --status-branch"
        raise PublishError(msg)
    if not inside.is_relative_to(top):
        msg = f"{directory} is not in the checkout: name a --status-branch"
        raise PublishError(msg)
    prefix = inside.relative_to(top).as_posix()
    return GitPublisher(StatusBranch(git, current, prefix, inside, remote, signature, trailers, is_checked_out=True))
