"""The running account workers. Each runs in its own task, so that a worker that hangs does not delay other workers.

Rules: while a worker runs, and until a pass has collected its outcome, nothing else uses its account or writes the
statuses of its jobs. If a pass is cancelled, every worker is cancelled.

Each exchange of `transport.py` with a provider has a deadline (`Deadlines`), so only an adapter with its own client can
hang for long. `health.py` reports a worker that makes no progress, and a stop of the watch cancels it after `GRACE_S`.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.model.job import Account

YieldSignal = Callable[[], Awaitable[None]]
"""A function whose awaitable completes when the pass should stop waiting for slow accounts."""


@dataclass(frozen=True, slots=True)
class _AtWork:
    task: asyncio.Task[AccountOutcome]
    names: frozenset[str]
    begun_at: float


@dataclass(slots=True)
class WorkerPool:
    """The account workers that are running, including those of earlier passes."""

    _at_work: dict[Account, _AtWork] = field(default_factory=dict)
    _fresh: set[asyncio.Task[AccountOutcome]] = field(default_factory=set)
    """The workers that were started since the last wait, or that a running wait awaits."""

    def __contains__(self, account: object) -> bool:
        """Return whether an account has a worker whose outcome has not been collected yet."""
        return account in self._at_work

    @property
    def names(self) -> frozenset[str]:
        """The names of the specs and orphans that the workers in this pool handle."""
        return frozenset(name for each in self._at_work.values() for name in each.names)

    @property
    def begun_at(self) -> Mapping[Account, float]:
        """When each worker in this pool started, in monotonic seconds, by account."""
        return {account: each.begun_at for account, each in self._at_work.items()}

    def begin(
        self, account: Account, names: Collection[str], work: Coroutine[Any, Any, AccountOutcome], now: float
    ) -> None:
        """Start a worker for an account that does not have one yet.

        `names` are the names of the specs and orphans that the worker handles, and `now` is in monotonic seconds.
        """
        task = asyncio.ensure_future(work)
        self._at_work[account] = _AtWork(task, frozenset(names), now)
        self._fresh.add(task)

    def finished(self) -> list[AccountOutcome]:
        """Remove the workers that have finished, and return their outcomes."""
        done = [account for account, each in self._at_work.items() if each.task.done()]
        return [self._at_work.pop(account).task.result() for account in done]

    async def gather(self, yield_signal: YieldSignal | None) -> list[AccountOutcome]:
        """Wait for workers (`wait`), and return the outcomes of those that have finished."""
        await self.wait(yield_signal)
        return self.finished()

    async def wait(self, yield_signal: YieldSignal | None) -> None:
        """Wait for workers.

        Without `yield_signal`, wait for all workers. With it, wait until the workers that were started since the last
        wait have finished or the signal completes. If this call is cancelled, every worker is cancelled.
        """
        yielding = set() if yield_signal is None else {asyncio.ensure_future(yield_signal())}
        try:
            while (left := self._awaited(yield_signal)) and not any(each.done() for each in yielding):
                await asyncio.wait(left | yielding, return_when=FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.abandon()
            raise
        finally:
            self._fresh.clear()
            await end(yielding)

    async def one(self) -> None:
        """Return once a worker that no pass waits for has finished. Without such a worker, wait until cancelled."""
        others = {each.task for each in self._at_work.values()} - self._fresh
        # `asyncio.wait` refuses an empty set, so a future that never completes is added.
        await asyncio.wait({asyncio.get_running_loop().create_future(), *others}, return_when=FIRST_COMPLETED)

    async def abandon(self) -> None:
        """Cancel every worker, and wait until they have ended.

        A request of a cancelled worker is not forgotten, because its receipt was written before the request was sent.
        """
        await end(each.task for each in self._at_work.values())

    def _awaited(self, yield_signal: YieldSignal | None) -> set[asyncio.Task[AccountOutcome]]:
        tasks = {each.task for each in self._at_work.values()} if yield_signal is None else self._fresh
        return {each for each in tasks if not each.done()}


async def first(*works: Coroutine[Any, Any, object]) -> None:
    """Run coroutines until one of them ends, then cancel the other coroutines and wait for them.

    All results and exceptions are dropped, including those of the coroutine that ended first.
    """
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        await asyncio.wait(tasks, return_when=FIRST_COMPLETED)
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks, and wait until they have ended. Their results and exceptions are dropped."""
    tasks = list(tasks)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
