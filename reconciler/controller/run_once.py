"""`--once`: passes until nothing is left to wait for, within a time.

Rules: what failed in passing is tried again, with growing gaps and never before the provider's own bound; with `--wait`
also what is on its way is looked at until it has arrived; what is stalled is waited for by nobody. Where a pinned plan
does not hold everything that is wanted, nothing at all is asked or written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.controller.build_report import Due, Pace, PassResult, exit_codes
from reconciler.controller.reconcile import Memory, Orders, run_pass
from reconciler.controller.runtime import Tools
from reconciler.core.backoff import failure_delay
from reconciler.model.job import JobRef
from reconciler.model.report import Report, Row

AGAIN_S = 0.2
"""The longest pause before what others overtook is decided again: long enough that two do not go on in step."""


async def run_until(
    tools: Tools,
    orders: Orders,
    *,
    wait_s: float | None,
    timeout_s: float,
    jitter: Callable[[], float],
    tell: Callable[[Report], None],
) -> Report:
    """Make passes until done.

    Args:
        tools: the world.
        orders: what this run was asked to do.
        wait_s: how long to wait for what is on its way; None does not wait for it.
        timeout_s: how long to try again what failed in passing.
        jitter: numbers in [0, 1).
        tell: is given the report so far, before each wait.
    """
    paces = {Pace.AGAIN, Pace.RETRY} if wait_s is None else {Pace.AGAIN, Pace.RETRY, Pace.UNDER_WAY}
    memory = Memory()
    if orders.pinned is not None:
        looked = await run_pass(replace(tools, control=None), orders, memory)
        if looked.report.unplanned:
            return looked.report
    begun = tools.clock.monotonic()
    failures = 0
    due_at: dict[JobRef, float] = {}
    result = await run_pass(tools, orders, memory)
    report = result.report
    while True:
        now = tools.clock.monotonic()
        pending = [each for each in result.due if each.pace in paces]
        failures = failures + 1 if any(each.pace is Pace.RETRY for each in pending) else 0
        retry_s, again_s = failure_delay(max(failures, 1), jitter()), AGAIN_S * jitter()
        due_at.update((each.ref, now + _delay(each, retry_s, again_s)) for each in pending)
        if tools.control is None or not due_at:
            return report
        wake_at = min(due_at.values())
        if wake_at > begun + (timeout_s if wait_s is None else max(wait_s, timeout_s)):
            return _timed_out(report) if wait_s is not None else report
        tell(report)
        await tools.clock.sleep(max(0.0, wake_at - now))
        ripe = frozenset(ref for ref, at in due_at.items() if at <= wake_at)
        due_at = {ref: at for ref, at in due_at.items() if ref not in ripe}
        result = await run_pass(tools, replace(orders, retry=frozenset()), memory, ripe)
        report = _merge(report, result)


def _delay(due: Due, retry_s: float, again_s: float) -> float:
    match due.pace:
        case Pace.AGAIN:
            return again_s
        case Pace.RETRY:
            return max(retry_s, due.retry_after_s or 0.0)
        case _:
            return due.after.total_seconds()


def _timed_out(report: Report) -> Report:
    report = replace(report, is_timed_out=True)
    return replace(report, exit_codes=exit_codes(report))


def _merge(earlier: Report, result: PassResult) -> Report:
    """Return the newer report with what was done in the earlier ones."""
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
    )
    return replace(merged, exit_codes=exit_codes(merged))


def _merge_row(earlier: Row | None, row: Row, looked: frozenset[str]) -> Row:
    if earlier is None:
        return row
    return replace(
        row,
        before=earlier.before,
        action=row.action or earlier.action,
        progress=row.progress or earlier.progress,
        unseen=row.unseen if row.name in looked else earlier.unseen,
    )
