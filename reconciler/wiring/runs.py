"""Runs that end: passes that may request changes, and commands that only observe.

Each function opens what it needs and closes it again.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from reconciler.controller.announced_ends import announced_ends
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import (
    NOT_PUBLISHED,
    Paths,
    Publishing,
    RunOptions,
    SafetyOptions,
    Selection,
    Timeouts,
    TrustSources,
    run_options,
)
from reconciler.controller.runtime import Runtime
from reconciler.local.retry_requests import leave_retry_requests
from reconciler.model.action_record import Notify, ignore_event
from reconciler.model.report import Report
from reconciler.wiring.freshness import PassRecorder, command_line
from reconciler.wiring.open_notifier import NotifierOptions, with_notifier
from reconciler.wiring.open_tracer import open_tracer
from reconciler.wiring.operator_setup import operator_rules
from reconciler.wiring.publishing import published_paths, with_publisher
from reconciler.wiring.run_setup import open_runtime, open_state_dir
from reconciler.wiring.selection import check_selection

DELIVERED_WITHIN_S = 10.0
"""How long a run that ends waits until its notifications are delivered."""


async def run_once(
    paths: Paths,
    selection: Selection,
    safety: SafetyOptions,
    trust: TrustSources,
    *,
    dry_run: bool,
    timeouts: Timeouts,
    publishing: Publishing = NOT_PUBLISHED,
    notify: Notify = ignore_event,
) -> Report:
    """Make passes until no job is left to wait for, and return the report. See `controller.run_once`.

    With `dry_run`, no change is requested, no lock is held, and the pass is not recorded.

    Raises the errors in `command_errors` if the run cannot start, or if the selected provider is unknown, and `OSError`
    if a disk fails.
    """
    rules = operator_rules(paths)
    with open_state_dir(paths, is_locked=not dry_run, may_reset_sandbox=publishing.status_branch is None) as state_dir:
        paths = published_paths(paths, publishing, state_dir)
        notes: list[str] = []
        async with (
            open_tracer(os.environ, notes.append, has_parent=True) as tracer,
            open_runtime(
                paths, trust, state_dir, may_change=not dry_run, rules=rules, notify=notify, tracer=tracer
            ) as opened,
        ):
            runtime = await with_publisher(opened, paths, publishing, state_dir)
            sinks = () if dry_run else rules.spec.notify
            how = NotifierOptions(
                sinks, state_dir, trust.secret_dirs, within_s=DELIVERED_WITHIN_S, quiet_hours=rules.quiet_hours
            )
            async with with_notifier(runtime, how, notes.append) as telling:
                report = await run_to_completion(
                    telling,
                    run_options(selection, safety, rules.spec, rules.windows),
                    wait_s=timeouts.wait_s,
                    timeout_s=timeouts.timeout_s,
                    jitter=random.random,
                )
            report = replace(report, notices=(*report.notices, *notes)) if notes else report
            if not dry_run:
                is_complete = selection.predicate() is None
                PassRecorder(state_dir, command_line(), runtime.clock.now).record(report, is_complete=is_complete)
            return check_selection(report, selection, runtime.specs.snapshot()) if not report.rows else report


async def make_plan(
    paths: Paths,
    selection: Selection,
    safety: SafetyOptions,
    trust: TrustSources,
    notify: Notify = ignore_event,
    *,
    with_ends: bool = False,
) -> Report:
    """Observe all selected jobs, and report the changes that a pass would request. No job can be changed.

    With `with_ends`, the report contains the announced ends that concern the accounts and models of the jobs. Raises
    the errors of `open_read_only`, and `UsageError` if the selected provider is unknown.
    """
    async with open_read_only(paths, trust, notify) as runtime:
        passed = await reconcile_once(runtime, run_options_of(paths, selection, safety), PassMemory())
        report = passed.report
        if with_ends:
            report = replace(report, ends=await announced_ends(runtime, passed.targets, report.rows))
        return check_selection(report, selection, runtime.specs.snapshot()) if not report.rows else report


@asynccontextmanager
async def open_read_only(paths: Paths, trust: TrustSources, notify: Notify = ignore_event) -> AsyncIterator[Runtime]:
    """Open a runtime that can only read from providers.

    Raises the errors of `operator_rules`, `open_state_dir` and `open_runtime`.
    """
    rules = operator_rules(paths)
    with open_state_dir(paths, is_locked=False) as state_dir:
        async with open_runtime(paths, trust, state_dir, may_change=False, rules=rules, notify=notify) as runtime:
            yield runtime


def run_options_of(paths: Paths, selection: Selection, safety: SafetyOptions) -> RunOptions:
    """Return the options of a pass, from the command line and the operator's file.

    Raises the errors of `operator_rules`.
    """
    rules = operator_rules(paths)
    return run_options(selection, safety, rules.spec, rules.windows)


def request_retry_by_watch(paths: Paths, names: Iterable[str]) -> None:
    """Leave a request in the state directory for the running watch to make the next attempt for these jobs now.

    `names` are the names of their specs. Raises the errors of `open_state_dir`, and `OSError` if the request cannot be
    written.
    """
    with open_state_dir(paths, is_locked=False) as state_dir:
        leave_retry_requests(state_dir, names)
