"""The watch: a loop that makes a pass whenever a job is due or the specs changed.

Rules: the watch is level-triggered. A change only wakes it, and the next snapshot shows what changed. Before that, the
edits of known specs are acted on (`edited_specs`), because a snapshot of many specs takes a long time. The same is done
while a pass records what its workers did. Every file is read about once per interval, even if no change was noticed.
Each pass but the last waits for slow accounts for at most `PATIENCE_S`. After failures, an account is observed with a
backoff. After a stop, running work may finish within `GRACE_S`. `Watch._until_needed` decides when to wake,
`Watch._due` what to observe, and `Watch._schedule` when to poll each job.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reconciler.controller.build_report import PassResult
from reconciler.controller.edited_specs import start_edited
from reconciler.controller.health import HealthTracker
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import Pause, no_pause, reconcile_once
from reconciler.controller.requeue import Requeue, RequeueReason
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.spans import pass_span
from reconciler.controller.workers import YieldSignal, end, first
from reconciler.core.backoff import failure_delay
from reconciler.core.delaying_queue import DelayingQueue
from reconciler.model.job import Account, JobRef
from reconciler.model.report import Row
from reconciler.ports import ChangeNotifier

GRACE_S = 20.0
"""How long a running pass may continue after a stop is requested. Including clean-up, the process ends within 25 s."""
JITTER = 0.1
"""The fraction of a delay by which it is varied at random, so that polls and scans do not coincide."""
EARLY_SHARE = 0.2
"""The fraction by which a job's poll may be brought forward to share a request with another job of its account."""
SOONEST_S = 0.05
"""The minimum wait for the next due job, so that jobs that are due together share a pass. A change ends the wait."""
PATIENCE_S = 0.2
"""How long a pass waits for its account workers, so that quick accounts share one pass."""
EDITS_WITHIN_S = 1.0
"""How long the next pass waits for the requests of edited specs, because a pass over many specs would delay them."""
PAUSE_S = 0.001
"""The pause between the steps of a pass that only record results. During it, events of edited specs are handled."""
CHANGES_MAX = 1000
"""The maximum number of reported paths. If there are more, the operating system may have dropped further events."""
BEAT_S = 2.0
"""Seconds between two heartbeats of the event loop, which is less than the shortest poll interval."""


@dataclass(slots=True)
class Watch:
    """A loop that makes passes until it is stopped.

    Args:
        runtime: the ports, the clock and the accounts that every pass uses.
        options: the options of this watch.
        waker: notifies of changes below the specs directory.
        jitter: returns random numbers in [0, 1).
        health: receives the state of the watch, every `BEAT_S` and after each pass.
        on_pass: receives the result of each pass and its duration in seconds.
        asked: returns the names of the specs for which a person has requested a retry. Each request is returned once.
    """

    runtime: Runtime
    options: RunOptions
    waker: ChangeNotifier
    jitter: Callable[[], float]
    health: HealthTracker
    on_pass: Callable[[PassResult, float], None]
    asked: Callable[[], frozenset[str]] = frozenset
    _queue: DelayingQueue[JobRef] = field(default_factory=DelayingQueue)
    _memory: PassMemory = field(default_factory=PassMemory)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _touched: frozenset[str] | None = None
    """The paths that have changed since the last snapshot, relative to the specs directory; None if not known."""
    _acted_on: frozenset[str] | None = None
    """The value of `_touched` whose edits were last acted on."""
    _rows: Sequence[Row] = ()
    """The rows of the last pass."""
    _scan_at: float = -math.inf
    _pass_since: float | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Make passes until `stop` is set, or raise the error of a pass that failed.

        After the stop, running work is cancelled if it does not finish within `GRACE_S`.
        """
        beside = [asyncio.ensure_future(each) for each in (self._beat(), self._listen())]
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        running = asyncio.ensure_future(self._go_on(stop))
        try:
            await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
            self.health.stopping()
            await asyncio.wait([running], timeout=GRACE_S)
            if running.done():
                running.result()
        finally:
            await end([running, stopping, *beside])
            await self._memory.workers.abandon()

    async def _go_on(self, stop: asyncio.Event) -> None:
        due = None
        while not stop.is_set():
            await self._pass(due, partial(self._until_needed, within_s=PATIENCE_S), partial(self._pause, stop))
            await first(stop.wait(), self._until_needed())
            await self._request_edits(stop)
            due = self._due()
        # One last pass collects and publishes the outcomes of the workers that are still running.
        if self._memory.workers.begun_at:
            await self._pass(frozenset(), None)

    async def _pause(self, stop: asyncio.Event, within_s: float) -> None:
        """Pause until a change or the stop at the latest.

        Request the changes of specs that were edited during the pass, so that they need not wait for its end.

        Call this only after the pass has set the newest specs (`PassMemory.current`) and no longer waits for its
        workers. The workers of the edits may still run when the pass ends, like any other workers.
        """
        await first(self.runtime.clock.sleep(max(PAUSE_S, within_s)), self._changed.wait(), stop.wait())
        if self._changed.is_set() and self._touched is not self._acted_on:
            await self._request_edits(stop)
            self._changed.set()  # a pass must follow

    async def _request_edits(self, stop: asyncio.Event) -> None:
        """Request the changes of edited specs before the next pass, and wait until they are requested.

        The wait ends after `EDITS_WITHIN_S`, or after `PATIENCE_S` if the specs change again.
        """
        clock = self.runtime.clock

        async def patience() -> None:
            await clock.sleep(PATIENCE_S)
            await first(clock.sleep(EDITS_WITHIN_S - PATIENCE_S), self._changed.wait(), stop.wait())

        # The next pass reads every change. From here on, the event shows only later changes.
        self._changed.clear()
        self._acted_on = self._touched
        start_edited(self._touched or (), self.runtime, self._memory, self.options.retry)
        await self._memory.workers.wait(patience)

    async def _pass(
        self,
        due: frozenset[JobRef] | None,
        yield_signal: YieldSignal | None,
        pause: Pause = no_pause,
    ) -> None:
        """Make one pass and schedule the next poll of each job. Slow workers keep running after `yield_signal`."""
        clock = self.runtime.clock
        self._pass_since = begun_at = clock.monotonic()
        if is_scan := begun_at >= self._scan_at:
            self._scan_at = math.inf
        # Cleared before the snapshot, so that a change during the pass wakes the watch again.
        self._changed.clear()
        changed, self._touched = (None if is_scan else self._known_changes()), frozenset()
        with pass_span(self.runtime) as span:
            result = await reconcile_once(
                self.runtime,
                self.options,
                self._memory,
                due,
                by_content=is_scan,
                changed=changed,
                yield_signal=yield_signal,
                pause=pause,
            )
            span.ended(result)
            self._pass_since = None
            if is_scan:
                interval_s = result.interval.total_seconds()
                self._scan_at = begun_at + interval_s * (1 - JITTER + 2 * JITTER * self.jitter())
            await pause(0)
            self._take_in(result, clock.monotonic() - begun_at)

    def _take_in(self, result: PassResult, took_s: float) -> None:
        """Schedule the next poll of each job, and report the result of a pass, which took `took_s` seconds."""
        self._rows = result.report.rows
        # A retry stays requested until its job has been handled, because the account may be busy with other jobs.
        self.options = replace(self.options, retry=(self.options.retry - result.looked) & self._retried().keys())
        self._schedule(result)
        now = self.runtime.clock.now()
        # This parses the written statuses now, while no pass is waiting for them.
        outages = self.runtime.statuses.known().providers
        guard = self._memory.current.budget.uses(now)
        self.health.passed(result, self._queue.waiting(), now, took_s=took_s, outages=outages, guard=guard)
        with suppress(Exception):  # observers report their own failures, which must not end the watch
            self.on_pass(result, took_s)

    def _known_changes(self) -> frozenset[str] | None:
        """Return the only paths that have changed since the last snapshot, or None if others may have changed too."""
        is_known = self._touched is not None and self.waker.is_alive and len(self._touched) <= CHANGES_MAX
        return self._touched if is_known else None

    def _due(self) -> frozenset[JobRef]:
        """Remove the due jobs from the queue, and return them with the jobs of requested retries.

        Jobs of accounts with a running worker are left out and stay due.
        """
        now, workers = self.runtime.clock.monotonic(), self._memory.workers
        due = self._queue.pop_due(now, lambda ref: ref.account)
        for ref in due:
            if ref.account in workers:
                self._queue.add(ref, now)
        asked = {ref for ref in self._retried().values() if ref.account not in workers}
        return frozenset(ref for ref in due if ref not in self._queue) | asked

    def _retried(self) -> dict[str, JobRef]:
        """Return the job of each spec for which a retry is requested, by name."""
        names = self.options.retry
        return {row.name: row.ref for row in self._rows if row.ref and row.name in names} if names else {}

    async def _until_needed(self, *, within_s: float = math.inf) -> None:
        """Return once a spec has changed, a job or a scan is due, a worker has ended, or `within_s` has passed.

        A scan is a pass that reads every file again.
        """
        clock, workers = self.runtime.clock, self._memory.workers
        # Jobs of an account with a running worker cannot be observed yet. The end of the worker wakes the watch.
        free = (at for at, ref in self._queue.waiting() if ref.account not in workers)
        rest_s = min(within_s, max(SOONEST_S, min([self._scan_at, *free]) - clock.monotonic()))
        await first(clock.sleep(rest_s), self._changed.wait(), workers.one())

    async def _listen(self) -> None:
        while True:
            paths = await self.waker.wait()
            self._touched = None if paths is None or self._touched is None else self._touched | paths
            self._changed.set()

    async def _beat(self) -> None:
        clock = self.runtime.clock
        while True:
            since = self._memory.workers.begun_at
            rates, now = self.runtime.accounts.request_rates(), clock.monotonic()
            overdue = sum(at <= now and ref.account in since for at, ref in self._queue.waiting())
            self.health.beat(now, since, self._pass_since, rates, is_watching=self.waker.is_alive, overdue=overdue)
            if names := self.asked():
                self.options = replace(self.options, retry=self.options.retry | names)
                self._changed.set()
            await clock.sleep(BEAT_S)

    def _schedule(self, result: PassResult) -> None:
        now = self.runtime.clock.monotonic()
        delays: dict[Account, list[tuple[float, float]]] = {}
        for due in result.due:
            backoff_s, planned_s = self._delays(due)
            # Only resting jobs may be polled early. Backoffs and confirmations keep their time.
            earliest = (
                now + (1 - EARLY_SHARE) * due.after.total_seconds() if due.pace is RequeueReason.RESTING else None
            )
            self._queue.drop(due.ref)
            self._queue.add(due.ref, now + max(backoff_s, planned_s), earliest)
            if self._memory.unobserved.failures.get(due.ref.account):
                delays.setdefault(due.ref.account, []).append((backoff_s, planned_s))
        for row in result.report.rows:
            # Some jobs have no requeue, such as those that a bug left undecided. They are polled after the interval.
            if row.ref is not None and not row.status.final and row.ref not in self._queue:
                self._queue.add(row.ref, now + result.interval.total_seconds())
        moments = {account: now + _together_s(each) for account, each in delays.items()}
        self._wait_together(moments, {due.ref for due in result.due})

    def _wait_together(self, moments: Mapping[Account, float], failed: Container[JobRef]) -> None:
        """Make the jobs of each failing account due at the same moment, so that one observation serves them all.

        `_together_s` determines the moment.
        """
        for at, ref in self._queue.waiting():
            moment = moments.get(ref.account)
            if moment is not None and (at < moment or ref in failed):
                self._queue.drop(ref)
                self._queue.add(ref, moment)

    def _delays(self, due: Requeue) -> tuple[float, float]:
        """Return the seconds until the backoff of a job ends, and the seconds until its planned poll."""
        if due.pace is RequeueReason.AGAIN:
            return 0.0, 0.0
        planned_s = due.after.total_seconds()
        failures = self._memory.unobserved.in_a_row(due.ref)
        if failures or due.pace is RequeueReason.RETRY:
            backoff_s = failure_delay(max(failures, 1), self.jitter(), due.retry_after_s)
            return backoff_s, planned_s if due.pace is RequeueReason.RESTING else 0.0
        # Jitter only shortens the delay, because a limit may be reached at the planned moment.
        return 0.0, planned_s if due.pace is RequeueReason.UNDER_WAY else planned_s * (1 - JITTER * self.jitter())


def _together_s(delays: Sequence[tuple[float, float]]) -> float:
    """Return the seconds until all jobs of a failing account are due.

    This is the later of two times: the earliest planned poll of a job, and the end of the longest backoff.
    """
    longest_backoff_s = max(backoff_s for backoff_s, _ in delays)
    first_planned_s = min(planned_s for _, planned_s in delays)
    return max(longest_backoff_s, first_planned_s)
