"""One pass: load → resolve → (per account: observe → plan → guard → apply) → prune → report → tell → publish.

Rules: each account has its own worker, so an account that hangs or fails does not delay other accounts. In a watch, a
worker may still be running when its pass ends. A later pass collects the worker's outcome. Until then, no other worker
observes or changes the jobs of that worker. A worker always obeys the specs, the Settings and the change budget of the
newest pass (`current_specs`), not those of the pass that started it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.account_worker import start_workers
from reconciler.controller.assign_work import assign_work
from reconciler.controller.budget_sources import budget_of, remember
from reconciler.controller.build_report import PassResult, build_report
from reconciler.controller.current_specs import current_specs
from reconciler.controller.desired_specs import load_desired_specs
from reconciler.controller.keep_displaced import keep_displaced
from reconciler.controller.other_statuses import write_other_statuses
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.publish import publish
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.tell_news import tell_news
from reconciler.controller.workers import YieldSignal
from reconciler.model.job import JobRef

Pause = Callable[[float], Awaitable[None]]
"""Pauses for so many seconds at most."""


async def no_pause(_within_s: float) -> None:
    """Continue at once."""


async def reconcile_once(
    runtime: Runtime,
    options: RunOptions,
    memory: PassMemory,
    due: frozenset[JobRef] | None = None,
    *,
    by_content: bool = True,
    changed: Collection[str] | None = None,
    yield_signal: YieldSignal | None = None,
    pause: Pause = no_pause,
) -> PassResult:
    """Make one pass and return its result.

    Args:
        runtime: the ports, the clock and the accounts that the pass uses.
        options: the options of this run.
        memory: the state that this process keeps between passes.
        due: the jobs to observe; None observes all. A job whose spec changed is always observed.
        by_content: whether to read a file again although its stamp has not changed, because a stamp may miss a change.
        changed: the only paths of specs that have changed since the last pass; None if that is not known.
        yield_signal: completes when the pass should stop waiting for slow accounts; None waits for all.
        pause: is awaited between the steps that only record what the workers did, and to let other writers publish
            before the pass does. Meanwhile, other workers may start.
    """
    # Collected before the statuses are loaded, so that the load sees what these workers wrote.
    earlier = memory.workers.finished()
    desired = load_desired_specs(runtime, options, memory.cache, by_content=by_content, changed=changed)
    memory.interval = desired.interval(memory.interval)
    budget = budget_of(desired, options.rules, memory.current.budget, runtime)
    # Set before anything is awaited, because workers of earlier passes must see the new revision after each wait.
    before, memory.current = memory.current, current_specs(desired, budget.budget, options.pinned)
    desired, kept_errors = keep_displaced(desired, memory.workers.names, runtime)
    overdue = memory.skipped | memory.current.since(before)
    work = assign_work(desired, options.retry, _with_overdue(due, earlier, overdue), runtime)
    memory.skipped = start_workers(work, runtime, memory, desired.edition, overdue)
    outcomes = [*earlier, *await memory.workers.gather(yield_signal)]
    memory.unobserved.take_in((each.plan for each in outcomes if each.plan), desired.unfinished)
    memory.list_pages |= {
        each.target.account: each.plan.list_pages for each in outcomes if each.plan and each.plan.list_pages
    }
    # This comes after the workers, because an orphan is judged by what its account's worker observed.
    others = write_other_statuses(desired, outcomes, budget, memory, runtime)
    await pause(0)
    # This comes after all statuses have been written, because the journal records the statuses on the disk.
    errors = (*kept_errors, *remember(budget, outcomes, runtime))
    await pause(0)
    result = build_report(desired, outcomes, others, errors, memory, runtime)
    await pause(0)
    result = tell_news(result, desired, runtime)
    if runtime.publisher is not None:
        await pause(runtime.publisher.turn_s())
    return await publish(result, desired, runtime)


def _with_overdue(
    due: frozenset[JobRef] | None, earlier: Iterable[AccountOutcome], overdue: frozenset[JobRef]
) -> frozenset[JobRef] | None:
    """Return `due`, plus `overdue` and the jobs whose observation was discarded.

    None, which means all jobs, is returned unchanged.
    """
    if due is None:
        return None
    return due.union(overdue, *(each.plan.overtaken for each in earlier if each.plan))
