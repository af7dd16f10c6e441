"""The run that watches until it is stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from reconciler.controller.build_report import PassResult
from reconciler.controller.run_options import (
    NOT_PUBLISHED,
    Paths,
    Publishing,
    SafetyOptions,
    Selection,
    TrustSources,
    run_options,
)
from reconciler.controller.watch import Watch
from reconciler.controller.workers import end, first
from reconciler.local.clock import SystemClock, elapsed
from reconciler.local.garbage import garbage_collected
from reconciler.local.retry_requests import take_retry_requests
from reconciler.ports import Leadership
from reconciler.wiring.change_notifiers import change_notifier
from reconciler.wiring.command_errors import BusyError
from reconciler.wiring.election_options import ElectionOptions
from reconciler.wiring.freshness import PassRecorder, command_line
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.open_notifier import NotifierOptions, told_of_watch, with_notifier
from reconciler.wiring.operator_setup import operator_rules
from reconciler.wiring.publishing import published_paths, with_publisher
from reconciler.wiring.run_setup import open_runtime, open_state_dir
from reconciler.wiring.selection import why_no_match

UNLOCKED_AFTER_S = 1.0
"""The time between two attempts to lock the state directory, in seconds."""
DELIVERED_WITHIN_S = 2.0
"""How long a watch that stops waits until its notifications are delivered, because the stop has a deadline."""


async def watch(
    paths: Paths,
    selection: Selection,
    safety: SafetyOptions,
    trust: TrustSources,
    *,
    stop: asyncio.Event,
    observers: Observers,
    publishing: Publishing = NOT_PUBLISHED,
    election: ElectionOptions | None = None,
) -> None:
    """Make passes whenever a job is due or a spec changes, until `stop` is set. See `controller.watch`.

    With `election`, passes are made only while this replica leads. See `controller.leader_election`.

    Raises the errors in `command_errors` if the watch cannot start, and `OSError` if a disk fails at the start.
    """
    run = partial(_watch, paths, selection, safety, trust, observers=observers, publishing=publishing)
    async with garbage_collected():
        if election is None:
            await run(stop=stop)
        else:
            await _run_as_leader(run, paths, publishing, election, stop=stop, observers=observers)


async def _run_as_leader(
    run: Callable[..., Awaitable[None]],
    paths: Paths,
    publishing: Publishing,
    election: ElectionOptions,
    *,
    stop: asyncio.Event,
    observers: Observers,
) -> None:
    from reconciler.wiring.election_thread import elect  # noqa: PLC0415  only an election needs it
    from reconciler.wiring.open_election import check_shared, open_candidate  # noqa: PLC0415

    check_shared(paths, publishing)
    operator_rules(paths)  # a mistake in the operator's file is an error at the start, and not when the replica leads
    clock, health = SystemClock(), observers.health

    async def lead(term: Leadership) -> None:
        ended = asyncio.Event()
        ending = asyncio.ensure_future(_set_after(ended, stop, term.lost))
        try:
            await _once_unlocked(partial(run, stop=ended), observers.warn, ended)
        finally:
            await end([ending])
            health.forget(clock.monotonic())

    await elect(
        partial(open_candidate, election),
        lambda known: observers.notify_election(known, clock.monotonic()),
        elapsed,
        stop,
        lead,
    )


async def _set_after(ended: asyncio.Event, *reasons: asyncio.Event) -> None:
    await first(*(each.wait() for each in reasons))
    ended.set()


async def _once_unlocked(run: Callable[[], Awaitable[None]], warn: Callable[[str], None], ended: asyncio.Event) -> None:
    """Run a watch once the lock of the state directory is free, unless `ended` is set before.

    On a shared volume, the last leader holds the lock until its requests have ended.
    """
    has_warned = False
    while not ended.is_set():
        try:
            await run()
        except BusyError as error:
            if not has_warned:
                warn(str(error))
            has_warned = True
            await first(ended.wait(), asyncio.sleep(UNLOCKED_AFTER_S))
        else:
            return


async def _watch(
    paths: Paths,
    selection: Selection,
    safety: SafetyOptions,
    trust: TrustSources,
    *,
    stop: asyncio.Event,
    observers: Observers,
    publishing: Publishing,
) -> None:
    rules = operator_rules(paths)
    with open_state_dir(paths, is_locked=True, may_reset_sandbox=publishing.status_branch is None) as state_dir:
        paths = published_paths(paths, publishing, state_dir)
        async with (
            open_runtime(
                paths,
                trust,
                state_dir,
                may_change=True,
                rules=rules,
                watch=(stop, observers),
                notify=observers.notify_event,
                tracer=observers.tracer,
            ) as opened,
            change_notifier(opened.specs, paths) as notifier,
            AsyncExitStack() as stack,
        ):
            runtime = await with_publisher(opened, paths, publishing, state_dir, is_watch=True)
            options = run_options(selection, safety, rules.spec, rules.windows)
            if options.is_selected is not None and (notice := why_no_match(selection, runtime.specs.snapshot())):
                observers.warn(notice)
            recorder = PassRecorder(state_dir, command_line(), runtime.clock.now)
            is_complete, health = options.is_selected is None, observers.health

            def record(result: PassResult, _: float) -> None:
                recorder.record(result.report, health.overview.seen_at, is_complete=is_complete)

            observers.on_pass.append(record)
            stack.callback(observers.on_pass.remove, record)
            retries = partial(take_retry_requests, state_dir)
            how = NotifierOptions(
                rules.spec.notify,
                state_dir,
                trust.secret_dirs,
                within_s=DELIVERED_WITHIN_S,
                quiet_hours=rules.quiet_hours,
                report=health.delivered,
            )
            async with with_notifier(runtime, how, observers.warn) as telling, told_of_watch(telling, paths.shown):
                await Watch(telling, options, notifier, random.random, health, observers.notify_pass, retries).run(stop)
