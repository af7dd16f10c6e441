"""A status branch to which several simulated processes publish. It merges statuses as `git.status_branch` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import ConflictError, PublishError
from reconciler.formats.status_changes import changed_statuses
from reconciler.formats.status_merge import carried_over
from reconciler.git.change_log import ChangeLog
from reconciler.model.changed_status import ChangedStatus
from reconciler.ports import Clock
from tests.scenario.remote import PUSH_S, statuses_on
from tests.support.non_durable_disk import NonDurableDisk

TRIES = 5


@dataclass(slots=True)
class SharedBranch:
    """The content of the branch, and the number of its commits."""

    statuses: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0
    is_away: bool = False


@dataclass(slots=True)
class SharedRemote:
    """The `Publisher` of one process, whose statuses are in `root` on `disk`."""

    branch: SharedBranch
    disk: NonDurableDisk
    root: Path
    clock: Clock
    committed: Callable[[Mapping[str, bytes], Mapping[str, bytes]], None] = lambda *_: None
    """Is called after each commit, with the content of the branch before and after it."""
    is_shared: bool = True
    is_dedicated: bool = True
    edition: int = 0
    _changes: ChangeLog = field(default_factory=ChangeLog)
    _base: int = 0
    _published: dict[str, bytes] = field(default_factory=dict)
    _is_behind: bool = True
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def exclusive(self) -> AbstractAsyncContextManager[object]:
        """Return the lock that a publisher must hold."""
        return self._lock

    async def pull(self) -> None:
        """Replace the statuses on the disk by the published ones. The first pull keeps receipts that only it has."""
        async with self._lock:
            await self._pull()

    async def publish(self, _: str, is_valid: Callable[[Sequence[ChangedStatus]], bool] | None = None) -> str | None:
        """Push the statuses, on top of statuses of other processes if these change others and leave ours valid."""
        if self._is_behind:
            raise self._conflict()
        here = statuses_on(self.disk, self.root)
        ours = _differences(self._published, here)
        if not ours:
            return None
        tip = self._base
        for __ in range(TRIES):
            await self._reach()
            if self.branch.commits == tip:
                return self._push(ours, here)
            theirs, tip = _differences(self._published, self.branch.statuses), self.branch.commits
            changes = tuple(changed_statuses(self._published, self.branch.statuses))
            if not ours.keys().isdisjoint(theirs) or not (is_valid is None or is_valid(changes)):
                break
        raise self._conflict()

    def _push(self, ours: Mapping[str, bytes | None], here: dict[str, bytes]) -> str:
        before = self.branch.statuses
        after = _with(before, ours)
        self.committed(before, after)
        self.branch.statuses, self.branch.commits = after, self.branch.commits + 1
        if before == self._published:
            self._published, self._base = here, self.branch.commits
        else:
            changes = tuple(changed_statuses(self._published, before))
            # What the process has written since it began to push is based on what it pushed.
            self._published = _with(self._published, ours)
            self._move(changes)
        return f"commit {self.branch.commits}"

    def changes_since(self, edition: int) -> tuple[ChangedStatus, ...] | None:
        """Return the statuses that other processes have changed since a pull, or None if any may have been changed."""
        return self._changes.since(edition)

    async def catch_up(self, _: int) -> None:
        """Pull, and keep the unpublished changes."""
        await self._rebase()

    def turn_s(self) -> float:
        """Return 0: no other writer needs time."""
        return 0.0

    async def publish_on_top(self, message: str) -> str | None:
        """Push the statuses on top of what other processes pushed."""
        async with self._lock:
            for _ in range(TRIES):
                if self._is_behind:
                    await self._rebase()
                try:
                    return await self.publish(message)
                except ConflictError:
                    continue
        msg = "others keep publishing"
        raise PublishError(msg)

    async def _reach(self) -> None:
        await self.clock.sleep(PUSH_S)
        if self.branch.is_away:
            msg = "the remote cannot be reached"
            raise PublishError(msg)

    async def _pull(self) -> None:
        await self._reach()
        here = statuses_on(self.disk, self.root)
        kept = carried_over(here, self.branch.statuses, None) if self.edition == 0 else {}
        if self.edition > 0:
            self._changes.add(self.edition + 1, changed_statuses(self._published, self.branch.statuses))
        self._take()
        self._put(here, {**self._published, **kept})

    async def _rebase(self) -> None:
        if self.edition == 0:
            await self._pull()
            return
        await self._reach()
        self._move(changed_statuses(self._published, self.branch.statuses))

    def _move(self, changes: Iterable[ChangedStatus]) -> None:
        """Take over what is on the branch, and keep the unpublished changes. `changes` are those of other processes."""
        self._changes.add(self.edition + 1, changes)
        here, before = statuses_on(self.disk, self.root), self._published
        self._take()
        wanted = {**self._published, **carried_over(here, self._published, before)}
        for path in before.keys() - here.keys():
            if wanted.get(path) == before[path]:
                del wanted[path]
        self._put(here, wanted)

    def _take(self) -> None:
        self._published, self._base, self._is_behind = dict(self.branch.statuses), self.branch.commits, False
        self.edition += 1

    def _put(self, here: dict[str, bytes], wanted: dict[str, bytes]) -> None:
        for path in here.keys() - wanted.keys():
            self.disk.drop(self.root / path)
        for path, data in wanted.items():
            if here.get(path) != data:
                self.disk.put(self.root / path, data)

    def _conflict(self) -> ConflictError:
        self._is_behind = True
        return ConflictError("others have published")


def _differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return the new content of each status that differs, by path. None means that it was removed."""
    paths = before.keys() | after.keys()
    return {path: after.get(path) for path in paths if before.get(path) != after.get(path)}


def _with(statuses: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return the statuses after changes, of which None removes a status."""
    kept = {path: data for path, data in statuses.items() if path not in changes}
    return kept | {path: data for path, data in changes.items() if data is not None}
