"""What the command line can ask for."""

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
from reconciler.providers import known, load
from reconciler.wiring.command_errors import UsageError
from reconciler.wiring.freshness import PassNotes, command_line, last_pass_of
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.offline_policy import StatusReaderPolicy
from reconciler.wiring.operator_setup import checked_rules, rules_of
from reconciler.wiring.run_setup import ConfiguredPolicy, open_tools, state_of
from reconciler.wiring.selection import check_selected, why_nothing
from reconciler.wiring.sources import published_place, publishing_tools, specs_of, statuses_of, waking

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
    """Make passes until done: see `loop.until`. Raises the three errors above."""
    rules = rules_of(paths)
    with state_of(paths, is_locked=not dry_run, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = published_place(paths, publishing, state_dir)
        async with open_tools(there, trust, state_dir, may_change=not dry_run, rules=rules, notify=notify) as opened:
            runtime = await publishing_tools(opened, there, publishing, state_dir)
            report = await run_to_completion(
                runtime,
                run_options(selection, safety, rules.spec),
                wait_s=timeouts.wait_s,
                timeout_s=timeouts.timeout_s,
                jitter=random.random,
            )
            if not dry_run:
                is_whole = selection.predicate() is None
                PassNotes(state_dir, command_line(), runtime.clock.now).note(report, is_whole=is_whole)
            return check_selected(report, selection, runtime.specs.snapshot()) if not report.rows else report


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
    """Make passes until `stop`: see `loop.forever`. Raises the three errors above."""
    rules = rules_of(paths)
    with state_of(paths, is_locked=True, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = published_place(paths, publishing, state_dir)
        async with (
            open_tools(
                there,
                trust,
                state_dir,
                may_change=True,
                rules=rules,
                watch=(stop, observers),
                notify=observers.happened,
            ) as opened,
            waking(opened.specs, there) as waker,
        ):
            runtime = await publishing_tools(opened, there, publishing, state_dir, is_watch=True)
            wanted = run_options(selection, safety, rules.spec)
            if wanted.is_selected is not None and (notice := why_nothing(selection, runtime.specs.snapshot())):
                observers.complain(notice)
            notes = PassNotes(state_dir, command_line(), runtime.clock.now)
            is_whole, health = wanted.is_selected is None, observers.health
            observers.on_pass.append(
                lambda result, _: notes.note(result.report, health.overview.seen_at, is_whole=is_whole)
            )
            asked = partial(take_retry_requests, state_dir)
            await Watch(runtime, wanted, waker, random.random, health, observers.passed, asked).run(stop)


def ask_watch_to_retry(paths: Paths, names: Iterable[str]) -> None:
    """Let the watch that holds the lock make the next attempt of these jobs now. Raises the errors above."""
    with state_of(paths, is_locked=False) as state_dir:
        leave_retry_requests(state_dir, names)


async def make_plan(
    paths: Paths, selection: Selection, safety: SafetyOptions, trust: TrustSources, notify: Notify = ignore_event
) -> Report:
    """Look at everything and say what would be done. Nothing here can change anything."""
    async with reading(paths, trust, notify) as runtime:
        report = (await reconcile_once(runtime, run_options_of(paths, selection, safety), PassMemory())).report
        return check_selected(report, selection, runtime.specs.snapshot()) if not report.rows else report


@asynccontextmanager
async def reading(paths: Paths, trust: TrustSources, notify: Notify = ignore_event) -> AsyncIterator[Runtime]:
    """Open everything to look at it. Nothing here can change anything at a provider."""
    rules = rules_of(paths)
    with state_of(paths, is_locked=False) as state_dir:
        async with open_tools(paths, trust, state_dir, may_change=False, rules=rules, notify=notify) as runtime:
            yield runtime


def run_options_of(paths: Paths, selection: Selection, safety: SafetyOptions) -> RunOptions:
    """Return what a command line means for a pass, under what the operator's file rules."""
    return run_options(selection, safety, rules_of(paths).spec)


def validate(paths: Paths, *, since: str | None = None, author: str = NOT_PUBLISHED.author) -> Report:
    """Read every document and status and say what is wrong. No key, no network.

    Args:
        paths: where they are.
        since: a revision; each commit after it is checked too.
        author: whose commits may touch statuses.
    """
    rules = checked_rules(paths)
    policy = ConfiguredPolicy(paths, rules)
    snapshot = specs_of(paths).snapshot()
    resolved = resolve(snapshot, policy, is_suspended=False)
    try:
        stored = statuses_of(paths).load()
        places = {status_path(each.source, each.name) for each in resolved.candidates}
        edited = edited_statuses(stored, paths.statuses, places)
        meddled = () if since is None else foreign_commits(paths.specs, paths.statuses, since, author)
    except (GitError, ValueError) as error:
        msg = f"the commits since {since} cannot be checked: {error}"
        raise UsageError(msg) from None
    report = Report(
        diagnostics=(*rules.diagnostics, *snapshot.diagnostics, *resolved.diagnostics, *edited, *meddled),
        errors=tuple(complaints(stored, policy)),
    )
    return replace(report, exit_codes=exit_codes(report))


def read_specs(paths: Paths) -> Snapshot:
    """Return the documents as they stand. No key, no network."""
    return specs_of(paths).snapshot()


def provider_types() -> dict[str, ProviderType | str]:
    """Return every provider type by its name, or why it cannot be used here."""
    found: dict[str, ProviderType | str] = {}
    for name in known():
        try:
            found[name] = load(name)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found


def read_statuses(paths: Paths, selection: Selection) -> Report:
    """Return what the statuses say, read against today's specs. No key, no network."""
    stored = statuses_of(paths).load()
    snapshot = specs_of(paths).snapshot()
    policy = StatusReaderPolicy(paths, rules_of(paths), stored.jobs, snapshot.providers)
    report = read_rows(snapshot, stored, policy, selection.predicate(), SystemClock().now())
    report = replace(report, last_pass=last_pass_of(paths), notices=(*report.notices, *policy.notices()))
    return check_selected(report, selection, snapshot)
