"""The watch: passes for ever, each over what is due and what has changed.

Rules: it reacts to what is, not to what happened: a change only wakes it, and a snapshot by content finds out what it
was; everything is scanned once an interval even if nothing woke it; an account that fails is asked less and less; a
wish to stop lets what is under way finish, for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.backoff import failure_delay
from reconciler.core.queue import DueQueue
from reconciler.loop.accounts import Tools
from reconciler.loop.lookout import Lookout
from reconciler.loop.once import Memory, Orders, run_pass
from reconciler.loop.tally import Due, Pace, PassResult
from reconciler.model.job import Account, JobRef
from reconciler.ports import Waker

GRACE_S = 25.0
"""How long a pass may go on once somebody wants to stop: under the 30 s that container platforms wait."""
JITTER = 0.1
SOONEST_S = 0.05
"""The shortest rest between two passes, so that a stream of changes is taken in gulps."""
BEAT_S = 2.0
"""How often the loop says that it runs: an eighth of the shortest interval."""


@dataclass(slots=True)
class Watch:
    """A loop over passes.

    Args:
        tools: the world.
        orders: what this watch was asked to do.
        waker: tells of changes.
        jitter: numbers in [0, 1).
        lookout: is told how the watch is, all the time.
        tell: is given what each pass found, and how many seconds it took.
    """

    tools: Tools
    orders: Orders
    waker: Waker
    jitter: Callable[[], float]
    lookout: Lookout
    tell: Callable[[PassResult, float], None]
    _is_idle: bool = True
    _queue: DueQueue[JobRef] = field(default_factory=DueQueue)
    _memory: Memory = field(default_factory=Memory)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until somebody wants to stop, and then finish what is under way within `GRACE_S`."""
        beating = asyncio.ensure_future(self._beat())
        try:
            await self._run(stop)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _run(self, stop: asyncio.Event) -> None:
        clock = self.tools.clock
        due: frozenset[JobRef] | None = None
        scan_at = clock.monotonic()
        while not stop.is_set():
            self._is_idle = False
            begun_at = clock.monotonic()
            is_scan = begun_at >= scan_at
            begun = asyncio.ensure_future(run_pass(self.tools, self.orders, self._memory, due, by_content=is_scan))
            result = await _within_grace(begun, stop)
            if result is None:
                return
            self._is_idle = True
            if is_scan:
                scan_at = begun_at + result.interval.total_seconds()
            self.orders = replace(self.orders, retry=frozenset())
            self._schedule(result)
            self.lookout.passed(result, self._queue.waiting(), clock.monotonic(), clock.now())
            self.tell(result, clock.monotonic() - begun_at)
            await self._rest(result.interval.total_seconds(), stop)
            due = self._queue.pop_due(clock.monotonic())

    async def _beat(self) -> None:
        clock = self.tools.clock
        while True:
            self.lookout.beat(clock.monotonic(), is_idle=self._is_idle, is_watching=self.waker.is_alive)
            await clock.sleep(BEAT_S)

    def _schedule(self, result: PassResult) -> None:
        now = self.tools.clock.monotonic()
        away = {account: now for account, failures in self._memory.failures.items() if failures}
        for due in result.due:
            at = now + self._delay(due)
            self._queue.drop(due.ref)
            self._queue.add(due.ref, at)
            if due.ref.account in away:
                away[due.ref.account] = max(away[due.ref.account], at)
        for row in result.report.rows:
            # Also what a bug kept from being looked at comes round again.
            if row.ref is not None and not row.status.final and row.ref not in self._queue:
                self._queue.add(row.ref, now + result.interval.total_seconds())
        if away:
            self._wait_together(away)

    def _wait_together(self, away: Mapping[Account, float]) -> None:
        """Let all jobs of an account that is away be due at one moment: one look serves them all."""
        for at, ref in self._queue.waiting():
            if at < away.get(ref.account, at):
                self._queue.drop(ref)
                self._queue.add(ref, away[ref.account])

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
