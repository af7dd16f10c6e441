"""The watch: passes for ever, each over what is due and what has changed.

Rules: it reacts to what is, not to what happened: a change only wakes it, and a snapshot by content finds out what it
was; everything is scanned once an interval even if nothing woke it; an account that fails is asked less and less; a
wish to stop lets what is under way finish, for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.backoff import failure_delay
from reconciler.core.queue import DueQueue
from reconciler.loop.accounts import Tools
from reconciler.loop.once import Memory, Orders, run_pass
from reconciler.loop.tally import Due, Pace, PassResult
from reconciler.model.job import JobRef
from reconciler.ports import Waker

GRACE_S = 25.0
"""How long a pass may go on once somebody wants to stop: under the 30 s that container platforms wait."""
JITTER = 0.1
SOONEST_S = 0.05
"""The shortest rest between two passes, so that a stream of changes is taken in gulps."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a watch tells after each pass."""

    result: PassResult
    upcoming: tuple[tuple[float, JobRef], ...]
    """What is due next, the earliest first, by the clock's monotonic seconds."""


@dataclass(slots=True)
class Watch:
    """A loop over passes.

    Args:
        tools: the world.
        orders: what this watch was asked to do.
        waker: tells of changes.
        jitter: numbers in [0, 1).
        tell: is given what each pass found.
    """

    tools: Tools
    orders: Orders
    waker: Waker
    jitter: Callable[[], float]
    tell: Callable[[Heard], None]
    _queue: DueQueue[JobRef] = field(default_factory=DueQueue)
    _memory: Memory = field(default_factory=Memory)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until somebody wants to stop, and then finish what is under way within `GRACE_S`."""
        due: frozenset[JobRef] | None = None
        while not stop.is_set():
            begun = asyncio.ensure_future(run_pass(self.tools, self.orders, self._memory, due))
            result = await _within_grace(begun, stop)
            if result is None:
                return
            self.orders = replace(self.orders, retry=frozenset())
            self._schedule(result)
            self.tell(Heard(result, tuple(self._queue.upcoming())))
            await self._rest(result.interval.total_seconds(), stop)
            due = self._queue.pop_due(self.tools.clock.monotonic())

    def _schedule(self, result: PassResult) -> None:
        now = self.tools.clock.monotonic()
        for due in result.due:
            self._queue.drop(due.ref)
            self._queue.add(due.ref, now + self._delay(due))

    def _delay(self, due: Due) -> float:
        planned = due.after.total_seconds()
        failures = self._memory.failures.get(due.ref.account, 0)
        if failures or due.pace is Pace.RETRY:
            delay = failure_delay(max(failures, 1), self.jitter(), due.retry_after_s)
            return max(delay, planned) if due.pace is Pace.RESTING else delay
        if due.pace is Pace.UNDER_WAY:
            return planned
        return planned * (1 - JITTER + 2 * JITTER * self.jitter())

    async def _rest(self, interval_s: float, stop: asyncio.Event) -> None:
        """Wait for what comes first: the next job that is due, the next scan, a change, or the end."""
        clock = self.tools.clock
        now = clock.monotonic()
        next_at = self._queue.next_at()
        longest = interval_s * (1 - JITTER + 2 * JITTER * self.jitter())
        rest_s = longest if next_at is None else min(longest, next_at - now)
        waits: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(clock.sleep(max(rest_s, SOONEST_S))),
            asyncio.ensure_future(self.waker.wait()),
            asyncio.ensure_future(stop.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


async def _within_grace(begun: asyncio.Future[PassResult], stop: asyncio.Event) -> PassResult | None:
    """Return what a pass found; None where it had to be abandoned. What it asked for is on record either way."""
    stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
    either: list[asyncio.Future[Any]] = [begun, stopping]
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            await asyncio.wait([begun], timeout=GRACE_S)
        if begun.done():
            return begun.result()
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        return None
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
