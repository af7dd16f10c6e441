"""The watch: passes for ever, each over what is due and what has changed.

Rules: it reacts to what is, not to what happened: a change only wakes it, and a snapshot finds out what it was;
everything is scanned by content once an interval even if nothing woke it; no pass waits for an account while there is
something else to do; an account that fails is asked less and less; a wish to stop lets what is under way finish, for a
while.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reconciler.controller.build_report import Due, Pace, PassResult
from reconciler.controller.health import Lookout
from reconciler.controller.reconcile import Memory, Orders, run_pass
from reconciler.controller.runtime import Tools
from reconciler.controller.workers import Hurry, end, first
from reconciler.core.backoff import failure_delay
from reconciler.core.delaying_queue import DueQueue
from reconciler.model.job import Account, JobRef
from reconciler.ports import Waker

GRACE_S = 25.0
"""How long a pass may go on once somebody wants to stop: under the 30 s that container platforms wait."""
JITTER = 0.1
COMPANY = 0.2
"""By what share of its rest a job may be looked at sooner, where another one of its account is looked at anyway."""
SOONEST_S = 0.05
"""The shortest rest between two passes, so that a stream of changes is taken in gulps."""
PATIENCE_S = 0.2
"""How long a pass waits for its accounts, so that quick ones make one pass together."""
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
    _queue: DueQueue[JobRef] = field(default_factory=DueQueue)
    _memory: Memory = field(default_factory=Memory)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _scan_at: float = -math.inf
    _pass_since: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until somebody wants to stop, and then finish what is under way within `GRACE_S`."""
        beside = [asyncio.ensure_future(each) for each in (self._beat(), self._listen())]
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        going_on = asyncio.ensure_future(self._go_on(stop))
        try:
            await asyncio.wait([going_on, stopping], return_when=asyncio.FIRST_COMPLETED)
            self.lookout.stopping()
            await asyncio.wait([going_on], timeout=GRACE_S)
            if going_on.done():
                going_on.result()
        finally:
            await end([going_on, stopping, *beside])
            await self._memory.crew.abandon()

    async def _go_on(self, stop: asyncio.Event) -> None:
        due = None
        while not stop.is_set():
            await self._pass(due, partial(self._until_needed, within_s=PATIENCE_S))
            await first(stop.wait(), self._until_needed())
            due = self._due()
        if self._memory.crew.begun_at:
            await self._pass(frozenset(), None)

    async def _pass(self, due: frozenset[JobRef] | None, hurry: Hurry | None) -> None:
        """Make a pass, and plan what comes next. `hurry` lets it go on without the accounts that take long."""
        clock = self.tools.clock
        self._pass_since = begun_at = clock.monotonic()
        if is_scan := begun_at >= self._scan_at:
            self._scan_at = math.inf
        self._changed.clear()
        result = await run_pass(self.tools, self.orders, self._memory, due, by_content=is_scan, hurry=hurry)
        self._pass_since = None
        if is_scan:
            interval_s = result.interval.total_seconds()
            self._scan_at = begun_at + interval_s * (1 - JITTER + 2 * JITTER * self.jitter())
        self.orders = replace(self.orders, retry=frozenset())
        self._schedule(result)
        self.lookout.passed(result, self._queue.waiting(), clock.now())
        self.tell(result, clock.monotonic() - begun_at)
        self.tools.statuses.known()  # what was written is read back now, while nobody waits for it

    def _due(self) -> frozenset[JobRef]:
        """Return what is due. What an account is at work on already stays due until it has finished."""
        now, crew = self.tools.clock.monotonic(), self._memory.crew
        due = self._queue.pop_due(now, lambda ref: ref.account)
        for ref in due:
            if ref.account in crew:
                self._queue.add(ref, now)
        return frozenset(ref for ref in due if ref not in self._queue)

    async def _until_needed(self, *, within_s: float = math.inf) -> None:
        """Return once there is something to do, or after a while at the latest."""
        clock, crew = self.tools.clock, self._memory.crew
        free = (at for at, ref in self._queue.waiting() if ref.account not in crew)
        rest_s = min(within_s, max(SOONEST_S, min([self._scan_at, *free]) - clock.monotonic()))
        await first(clock.sleep(rest_s), self._changed.wait(), crew.one())

    async def _listen(self) -> None:
        while True:
            await self.waker.wait()
            self._changed.set()

    async def _beat(self) -> None:
        clock = self.tools.clock
        while True:
            since = self._memory.crew.begun_at
            self.lookout.beat(clock.monotonic(), since, self._pass_since, is_watching=self.waker.is_alive)
            await clock.sleep(BEAT_S)

    def _schedule(self, result: PassResult) -> None:
        now = self.tools.clock.monotonic()
        away = {account: now for account, failures in self._memory.failures.items() if failures}
        for due in result.due:
            at, may_from = now + self._delay(due), None
            if due.pace is Pace.RESTING:
                may_from = now + (1 - COMPANY) * due.after.total_seconds()
            self._queue.drop(due.ref)
            self._queue.add(due.ref, at, may_from)
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
        if due.pace is Pace.AGAIN:
            return 0.0
        planned = due.after.total_seconds()
        failures = self._memory.failures.get(due.ref.account, 0)
        if failures or due.pace is Pace.RETRY:
            delay = failure_delay(max(failures, 1), self.jitter(), due.retry_after_s)
            return max(delay, planned) if due.pace is Pace.RESTING else delay
        # Never later than planned: a limit may be reached then.
        return planned if due.pace is Pace.UNDER_WAY else planned * (1 - JITTER * self.jitter())
