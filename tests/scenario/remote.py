"""The branch to which one process publishes statuses: it may be unreachable or slow.

Rules: the branch contains what others can read, and outlives every process. Each push is an effect of its process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import PublishError
from reconciler.model.changed_status import ChangedStatus
from reconciler.ports import Clock
from tests.scenario.disruptions import Published
from tests.scenario.history import History
from tests.support.non_durable_disk import NonDurableDisk

PUSH_S = 0.3


@dataclass(slots=True)
class Branch:
    """The contents of the remote branch, and the faults on the way to it."""

    statuses: dict[str, bytes] = field(default_factory=dict)
    is_away: bool = False
    takes_s: float = PUSH_S
    """How long a push takes, even if it fails."""

    def mend(self) -> None:
        """End every fault of the remote."""
        self.is_away, self.takes_s = False, PUSH_S


@dataclass(slots=True)
class Remote:
    """The `Publisher` of one process."""

    branch: Branch
    disk: NonDurableDisk
    root: Path
    clock: Clock
    history: History
    effect: Callable[[str], None]
    is_shared: bool = True
    is_dedicated: bool = True
    edition: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def exclusive(self) -> AbstractAsyncContextManager[object]:
        """Return the lock that a publisher must hold."""
        return self._lock

    async def pull(self) -> None:
        """Do nothing, because no other process publishes to this branch."""

    async def publish(self, _: str, is_valid: object = None) -> str | None:  # noqa: ARG002  nothing else publishes
        """Push the statuses; return None if no status has changed. Raises `PublishError` while the branch is away."""
        self.effect("push")
        pushed = statuses_on(self.disk, self.root)
        await self.clock.sleep(self.branch.takes_s)
        if self.branch.is_away:
            msg = "the remote cannot be reached"
            raise PublishError(msg)
        if pushed == self.branch.statuses:
            return None
        self.branch.statuses = pushed
        self.history.events.append(Published(self.clock.now(), pushed))
        return "a revision"

    def changes_since(self, edition: int) -> tuple[ChangedStatus, ...] | None:
        """Return None after another pull, because that pull may have changed any status, and nothing otherwise."""
        return () if edition == self.edition else None

    async def catch_up(self, tries: int) -> None:
        """Do nothing, because nothing else publishes."""

    def turn_s(self) -> float:
        """Return 0: no other writer needs time."""
        return 0.0

    async def publish_on_top(self, message: str) -> str | None:
        """Acquire the lock, and do what `publish` does."""
        async with self._lock:
            return await self.publish(message)


def statuses_on(disk: NonDurableDisk, root: Path) -> dict[str, bytes]:
    """Return the files of the status tree on the disk by relative path, without hidden files."""
    above = f"{root}/"
    found = {path.removeprefix(above): data for path, data in disk.files().items() if path.startswith(above)}
    return {path: data for path, data in found.items() if not path.rpartition("/")[2].startswith(".")}
