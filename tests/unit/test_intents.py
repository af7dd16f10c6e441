"""The queue of intents while another writer pushes first: which decisions are checked, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from reconciler.controller.intents import IntentQueue
from reconciler.controller.outdated import OutdatedDecisions
from reconciler.errors import ConflictError
from reconciler.model.changed_status import ChangedStatus
from reconciler.ports import Publisher
from tests.support.in_memory_accounts import SharedBranch

WITHIN_S = 30.0


def a_change(name: str) -> ChangedStatus:
    """Return the change of the status of a spec."""
    return ChangedStatus(f"{name}.yaml", frozenset({name}), frozenset(), frozenset(), is_attempt_changed=False)


@dataclass
class Batch:
    """The intent for one spec, and what its decision was checked against."""

    name: str
    checked: list[OutdatedDecisions] = field(default_factory=list)
    is_broken: bool = False

    def write(self, publisher: Publisher | None) -> Sequence[str]:  # noqa: ARG002  nothing was changed before
        """Return what the intent will request, unless it cannot be written."""
        if self.is_broken:
            raise ZeroDivisionError
        return [f"cancel {self.name}"]

    def is_valid(self, outdated: OutdatedDecisions) -> bool:
        """Return whether others have changed no status of the spec."""
        self.checked.append(outdated)
        return self.name not in outdated.names

    def withdraw(self) -> None:
        """Do nothing, because the intent is not on a disk."""


@dataclass
class BusyBranch(SharedBranch):
    """A branch in memory. Another writer pushes `changes` first. A push runs in a thread, and waits for `may_push`."""

    changes: Sequence[ChangedStatus] = ()
    is_pushing: Event = field(default_factory=Event)
    may_push: Event = field(default_factory=Event)
    pushes: list[bool] = field(default_factory=list)
    """Whether each push was made on top of the other writer's."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[object]:
        """Acquire the lock of the branch."""
        async with self._lock:
            yield None

    async def publish(self, message: str, is_valid: Any = None) -> str:
        """Push in a thread. Raises `ConflictError` if a decision is outdated."""
        return await asyncio.to_thread(self._push, message, is_valid)

    def _push(self, message: str, is_valid: Callable[[Sequence[ChangedStatus]], bool]) -> str:
        self.is_pushing.set()
        assert self.may_push.wait(WITHIN_S)
        self.pushes.append(is_valid(self.changes))
        if not self.pushes[-1]:
            raise ConflictError(message)
        return "commit-1"


def test_a_push_whose_task_was_cancelled_is_still_checked_against_the_changes_of_others() -> None:
    async def main() -> None:
        publishing = asyncio.create_task(IntentQueue().publish(Batch("chat"), branch))
        assert await asyncio.to_thread(branch.is_pushing.wait, WITHIN_S)
        publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing
        branch.may_push.set()

    branch = BusyBranch(changes=[a_change("chat")])
    asyncio.run(main())

    assert branch.pushes == [False]


def test_what_others_make_outdated_is_computed_once_for_all_batches_of_a_push() -> None:
    batches = [Batch("chat"), Batch("code"), Batch("docs", is_broken=True)]

    async def main() -> list[Exception | None]:
        queue = IntentQueue()
        async with branch.exclusive():
            waiting = [asyncio.ensure_future(queue.publish(each, branch)) for each in batches]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    branch = BusyBranch(changes=[a_change("other")])
    branch.may_push.set()
    obstacles = asyncio.run(main())

    assert obstacles[:2] == [None, None]
    assert isinstance(obstacles[2], ZeroDivisionError)
    assert branch.pushes == [True]
    (first,), (second,), never = (each.checked for each in batches)
    assert first is second
    assert never == [], "an intent that is not written is not checked"
