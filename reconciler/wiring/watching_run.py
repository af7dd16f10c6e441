"""The run that watches until it is stopped."""

from __future__ import annotations

import asyncio
import random
from functools import partial

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
from reconciler.local.retry_requests import take_retry_requests
from reconciler.wiring.change_notifiers import change_notifier
from reconciler.wiring.freshness import PassRecorder, command_line
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.open_notifier import NotifierOptions, told_of_watch, with_notifier
from reconciler.wiring.operator_setup import operator_rules
from reconciler.wiring.publishing import published_paths, with_publisher
from reconciler.wiring.run_setup import open_runtime, open_state_dir
from reconciler.wiring.selection import why_no_match

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
) -> None:
    """Make passes whenever a job is due or a spec changes, until `stop` is set. See `controller.watch`.

    Raises the errors in `command_errors` if the watch cannot start, and `OSError` if a disk fails at the start.
    """
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
            ) as opened,
            change_notifier(opened.specs, paths) as notifier,
        ):
            runtime = await with_publisher(opened, paths, publishing, state_dir, is_watch=True)
            options = run_options(selection, safety, rules.spec, rules.windows)
            if options.is_selected is not None and (notice := why_no_match(selection, runtime.specs.snapshot())):
                observers.warn(notice)
            recorder = PassRecorder(state_dir, command_line(), runtime.clock.now)
            is_complete, health = options.is_selected is None, observers.health
            observers.on_pass.append(
                lambda result, _: recorder.record(result.report, health.overview.seen_at, is_complete=is_complete)
            )
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
