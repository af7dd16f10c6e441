"""The accounts that are at work, each by itself, so that one that hangs delays nobody.

Rules: what an account works on nobody else touches, neither the account nor a status of its jobs, until a pass has
taken in what it found; whoever breaks a pass off ends all that is at work.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.controller.build_report import AccountRun
from reconciler.model.job import Account

Hurry = Callable[[], Awaitable[None]]
"""Returns once somebody else should not be kept waiting."""


@dataclass(frozen=True, slots=True)
class _AtWork:
    task: asyncio.Task[AccountRun]
    names: frozenset[str]
    begun_at: float


@dataclass(slots=True)
class Crew:
    """Who is at work, beside the passes."""

    _at_work: dict[Account, _AtWork] = field(default_factory=dict)
    _fresh: set[asyncio.Task[AccountRun]] = field(default_factory=set)
    """Those whom the pass of this moment set to work, and still waits for."""

    def __contains__(self, account: object) -> bool:
        """Whether an account is at work."""
        return account in self._at_work

    @property
    def names(self) -> frozenset[str]:
        """The names of the specs that are worked on."""
        return frozenset(name for each in self._at_work.values() for name in each.names)

    @property
    def begun_at(self) -> Mapping[Account, float]:
        """Since when each account is at work, in monotonic seconds."""
        return {account: each.begun_at for account, each in self._at_work.items()}

    def begin(
        self, account: Account, names: Collection[str], work: Coroutine[Any, Any, AccountRun], now: float
    ) -> None:
        """Set an account to work that is not at work yet."""
        task = asyncio.ensure_future(work)
        self._at_work[account] = _AtWork(task, frozenset(names), now)
        self._fresh.add(task)

    def finished(self) -> list[AccountRun]:
        """Return what was found by those who have finished; they are no longer at work."""
        done = [account for account, each in self._at_work.items() if each.task.done()]
        return [self._at_work.pop(account).task.result() for account in done]

    async def gather(self, hurry: Hurry | None) -> list[AccountRun]:
        """Return what was found once all have finished; with `hurry`, once it returns, or all who began last have."""
        hurrying = set() if hurry is None else {asyncio.ensure_future(hurry())}
        try:
            while (left := self._awaited(hurry)) and not any(each.done() for each in hurrying):
                await asyncio.wait(left | hurrying, return_when=FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.abandon()
            raise
        finally:
            self._fresh.clear()
            await end(hurrying)
        return self.finished()

    async def one(self) -> None:
        """Return once anybody has finished whom no pass waits for; never, if there is nobody."""
        others = {each.task for each in self._at_work.values()} - self._fresh
        await asyncio.wait({asyncio.get_running_loop().create_future(), *others}, return_when=FIRST_COMPLETED)

    async def abandon(self) -> None:
        """End all work. What was asked for is on record."""
        await end(each.task for each in self._at_work.values())

    def _awaited(self, hurry: Hurry | None) -> set[asyncio.Task[AccountRun]]:
        tasks = {each.task for each in self._at_work.values()} if hurry is None else self._fresh
        return {each for each in tasks if not each.done()}


async def first(*works: Coroutine[Any, Any, object]) -> None:
    """Return once the first of these has come to its end, and end the others."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        await asyncio.wait(tasks, return_when=FIRST_COMPLETED)
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """End what goes on, and return once it has ended."""
    tasks = list(tasks)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
