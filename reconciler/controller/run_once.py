"""`--once`: make passes until no job is left to wait for, or a deadline has passed.

Rules: transient failures are retried until `--timeout`. With `--wait`, changes in progress are polled until they are
done or `--wait` has passed. Stalled jobs are not awaited. A slow account does not delay other accounts. If a change
that is needed at the start is not in the pinned plan, no change is requested and no status is written.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace

from reconciler.controller.build_report import PassResult
from reconciler.controller.observation_timeout import BoundedAccounts, Bounds
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.report_exit_codes import exit_codes
from reconciler.controller.requeue import RequeueReason
from reconciler.controller.run_deadlines import RunDeadlines
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.spans import pass_span
from reconciler.controller.workers import YieldSignal, first
from reconciler.core.backoff import failure_delay
from reconciler.model.job import JobRef
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row

AGAIN_S = 0.2
"""The maximum pause before a job is decided again after a conflict. The pause is random, to avoid another conflict."""
WORKERS_AWAITED_S = 5.0
"""How long a pass waits for the workers of several accounts. Slower workers keep running during the next passes."""


async def run_to_completion(
    runtime: Runtime,
    options: RunOptions,
    *,
    wait_s: float | None,
    timeout_s: float,
    jitter: Callable[[], float],
) -> Report:
    """Make passes until no job is left to wait for, and return one report that combines all passes.

    Args:
        runtime: the ports, the clock and the accounts that every pass uses.
        options: the options of this run.
        wait_s: how long to wait for changes in progress; None if the run does not wait for them.
        timeout_s: how long failed requests are retried before their job is given up; with 0, they are not retried.
        jitter: returns random numbers in [0, 1).
    """
    memory = PassMemory()
    bounds = Bounds(runtime.clock, timeout_s or math.inf)
    bounded = replace(runtime, accounts=BoundedAccounts(runtime.accounts, bounds))
    # A dry pass comes first: if it needs a change outside the pinned plan, the run ends before anything is written.
    if options.pinned is not None:
        looked = await _pass(replace(bounded, control=None), options, memory)
        if looked.report.unplanned:
            return looked.report
    # A plan or a dry run changes nothing, so there is nothing to wait for.
    if runtime.control is None:
        return (await _pass(bounded, options, memory)).report
    report: Report | None = None
    ripe: frozenset[JobRef] | None = None
    failures = 0
    clock, clocks = runtime.clock, RunDeadlines(runtime.clock.monotonic(), wait_s, timeout_s)

    async def slow_account_delays_others() -> None:
        await clock.sleep(WORKERS_AWAITED_S)
        if report is None and len(memory.workers.begun_at) == 1:
            # There is no other account to delay, and a second pass would only read the same files again. So this signal
            # does not complete.
            await asyncio.get_running_loop().create_future()

    try:
        while True:
            result = await _pass(bounded, options, memory, ripe, slow_account_delays_others)
            # A retry makes an attempt due in the first pass only.
            options = replace(options, retry=frozenset())
            report = result.report if report is None else _merge(report, result)
            failures = failures + 1 if any(each.pace is RequeueReason.RETRY for each in result.due) else 0
            clocks.take_in(result, clock.monotonic(), failure_delay(max(failures, 1), jitter()), AGAIN_S * jitter())
            if not clocks.due_at and not memory.workers.begun_at:
                return _ended(report, clocks)
            rest_s = clocks.rest_s(clock.monotonic(), memory.workers)
            await first(memory.workers.one(), *([clock.sleep(rest_s)] if math.isfinite(rest_s) else []))
            ripe, until, which = clocks.pop_due(clock.monotonic(), memory.workers)
            cut = replace(bounds, until=until, cut_by=which)
            bounded = replace(runtime, accounts=BoundedAccounts(runtime.accounts, cut))
    finally:
        await memory.workers.abandon()


async def _pass(
    runtime: Runtime,
    options: RunOptions,
    memory: PassMemory,
    due: frozenset[JobRef] | None = None,
    yield_signal: YieldSignal | None = None,
) -> PassResult:
    with pass_span(runtime) as span:
        result = await reconcile_once(
            runtime, options, memory, due, yield_signal=yield_signal, pause=runtime.clock.sleep
        )
        span.ended(result)
        return result


def _ended(report: Report, clocks: RunDeadlines) -> Report:
    report = replace(report, expired=clocks.left(report.rows))
    return replace(report, exit_codes=exit_codes(report))


def _merge(earlier: Report, result: PassResult) -> Report:
    """Return the report of the newest pass, with the actions, errors and notices of the earlier passes added."""
    report = result.report
    before = {(row.name, row.source): row for row in earlier.rows}
    accounts = {each.account: each for each in (*earlier.accounts, *report.accounts)}
    merged = replace(
        report,
        rows=tuple(_merge_row(before.get((row.name, row.source)), row, result.looked) for row in report.rows),
        accounts=tuple(accounts.values()),
        unplanned=tuple(dict.fromkeys((*earlier.unplanned, *report.unplanned))),
        published=report.published or earlier.published,
        refusals=tuple(dict.fromkeys((*earlier.refusals, *report.refusals))),
        errors=tuple(dict.fromkeys((*earlier.errors, *report.errors))),
        notices=tuple(dict.fromkeys((*earlier.notices, *report.notices))),
        removed=(*earlier.removed, *report.removed),
        orphans=tuple({each.name: each for each in (*earlier.orphans, *report.orphans)}.values()),
    )
    return replace(merged, exit_codes=exit_codes(merged))


def _merge_row(earlier: Row | None, row: Row, looked: frozenset[str]) -> Row:
    if earlier is None or earlier.status.ready.reason is Reason.STATUS_UNKNOWN:
        return row
    return replace(
        row,
        before=earlier.before,
        action=row.action or earlier.action,
        progress=row.progress or earlier.progress,
        unobserved=row.unobserved if row.name in looked else earlier.unobserved,
    )
