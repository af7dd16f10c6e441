"""One function for each operation of the command line. Each function opens what it needs and closes it again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from reconciler.controller.build_report import exit_codes
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.read_statuses import read_rows
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_once import run_to_completion
from reconciler.controller.run_options import (
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
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.unread_statuses import complaints
from reconciler.controller.watch import Watch
from reconciler.git.command import GitError
from reconciler.git.status_audit import edited_statuses, foreign_commits
from reconciler.local.clock import SystemClock
from reconciler.local.retry_requests import leave_retry_requests, take_retry_requests
from reconciler.model.action_record import Notify, ignore_event
from reconciler.model.report import Report
from reconciler.ports import (
    ProviderType,
    Snapshot,
    status_path,
)
from reconciler.providers import load, provider_names
from reconciler.wiring.command_errors import UsageError
from reconciler.wiring.freshness import PassRecorder, command_line, last_pass_of
from reconciler.wiring.indexes import reading_specs_index, reading_status_index
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.offline_policy import StatusReaderPolicy
from reconciler.wiring.operator_setup import operator_rules, read_operator_rules
from reconciler.wiring.run_setup import ConfiguredPolicy, open_runtime, open_state_dir
from reconciler.wiring.selection import check_selection, why_no_match
from reconciler.wiring.sources import change_notifier, published_paths, specs_dir, status_store, with_publisher

NOT_PUBLISHED = Publishing()


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

    Raises the errors in `command_errors` if the run cannot start, or if the selected provider is unknown.
    """
    rules = operator_rules(paths)
    with open_state_dir(paths, is_locked=not dry_run, may_reset_sandbox=publishing.status_branch is None) as state_dir:
        paths = published_paths(paths, publishing, state_dir)
        async with open_runtime(paths, trust, state_dir, may_change=not dry_run, rules=rules, notify=notify) as opened:
            runtime = await with_publisher(opened, paths, publishing, state_dir)
            report = await run_to_completion(
                runtime,
                run_options(selection, safety, rules.spec),
                wait_s=timeouts.wait_s,
                timeout_s=timeouts.timeout_s,
                jitter=random.random,
            )
            if not dry_run:
                is_complete = selection.predicate() is None
                PassRecorder(state_dir, command_line(), runtime.clock.now).record(report, is_complete=is_complete)
            return check_selection(report, selection, runtime.specs.snapshot()) if not report.rows else report


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
    """Make passes until `stop` is set. See `controller.watch`.

    Raises the errors in `command_errors` if the watch cannot start.
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
            options = run_options(selection, safety, rules.spec)
            if options.is_selected is not None and (notice := why_no_match(selection, runtime.specs.snapshot())):
                observers.warn(notice)
            recorder = PassRecorder(state_dir, command_line(), runtime.clock.now)
            is_complete, health = options.is_selected is None, observers.health
            observers.on_pass.append(
                lambda result, _: recorder.record(result.report, health.overview.seen_at, is_complete=is_complete)
            )
            retries = partial(take_retry_requests, state_dir)
            await Watch(runtime, options, notifier, random.random, health, observers.notify_pass, retries).run(stop)


def request_retry_by_watch(paths: Paths, names: Iterable[str]) -> None:
    """Leave a request in the state directory for the running watch to make the next attempt for these jobs now."""
    with open_state_dir(paths, is_locked=False) as state_dir:
        leave_retry_requests(state_dir, names)


async def make_plan(
    paths: Paths, selection: Selection, safety: SafetyOptions, trust: TrustSources, notify: Notify = ignore_event
) -> Report:
    """Observe all selected jobs, and report the changes that a pass would request. No job can be changed."""
    async with open_read_only(paths, trust, notify) as runtime:
        report = (await reconcile_once(runtime, run_options_of(paths, selection, safety), PassMemory())).report
        return check_selection(report, selection, runtime.specs.snapshot()) if not report.rows else report


@asynccontextmanager
async def open_read_only(paths: Paths, trust: TrustSources, notify: Notify = ignore_event) -> AsyncIterator[Runtime]:
    """Open a runtime that can only read from providers."""
    rules = operator_rules(paths)
    with open_state_dir(paths, is_locked=False) as state_dir:
        async with open_runtime(paths, trust, state_dir, may_change=False, rules=rules, notify=notify) as runtime:
            yield runtime


def run_options_of(paths: Paths, selection: Selection, safety: SafetyOptions) -> RunOptions:
    """Return the options of a pass, from the command line and the operator's file."""
    return run_options(selection, safety, operator_rules(paths).spec)


def validate(paths: Paths, *, since: str | None = None, author: str = NOT_PUBLISHED.author) -> Report:
    """Check every document and status, and return a report with their problems. No credential or network is needed.

    Args:
        paths: the directories of the documents and statuses.
        since: a revision; each commit after it is checked too.
        author: the author of the commits that may change statuses.
    """
    rules = read_operator_rules(paths)
    policy = ConfiguredPolicy(paths, rules)
    snapshot = specs_dir(paths, reading_specs_index(paths)).snapshot()
    resolved = resolve(snapshot, policy, is_suspended=False)
    try:
        stored = status_store(paths, reading_status_index(paths)).load()
        expected = {status_path(each.source, each.name) for each in resolved.candidates}
        edited = edited_statuses(stored, paths.statuses, expected)
        foreign = () if since is None else foreign_commits(paths.specs, paths.statuses, since, author)
    except (GitError, ValueError) as error:
        msg = f"the commits since {since} cannot be checked: {error}"
        raise UsageError(msg) from None
    report = Report(
        diagnostics=(*rules.diagnostics, *snapshot.diagnostics, *resolved.diagnostics, *edited, *foreign),
        errors=tuple(complaints(stored, policy)),
    )
    return replace(report, exit_codes=exit_codes(report))


def read_specs(paths: Paths) -> Snapshot:
    """Return the documents. No credential or network is needed."""
    return specs_dir(paths, reading_specs_index(paths)).snapshot()


def provider_types() -> dict[str, ProviderType | str]:
    """Return each provider type by its name, or the reason why it cannot be used here."""
    found: dict[str, ProviderType | str] = {}
    for name in provider_names():
        try:
            found[name] = load(name)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found


def read_statuses(paths: Paths, selection: Selection) -> Report:
    """Return a report of the statuses, compared with the current specs. No credential or network is needed."""
    stored = status_store(paths, reading_status_index(paths)).load()
    snapshot = specs_dir(paths, reading_specs_index(paths)).snapshot()
    policy = StatusReaderPolicy(paths, operator_rules(paths), stored.jobs, snapshot.providers)
    report = read_rows(snapshot, stored, policy, selection.predicate(), SystemClock().now())
    report = replace(report, last_pass=last_pass_of(paths), notices=(*report.notices, *policy.notices()))
    return check_selection(report, selection, snapshot)
