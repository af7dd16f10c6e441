"""What the command line can ask for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from reconciler.controller.build_report import exit_codes
from reconciler.controller.read_statuses import read_rows
from reconciler.controller.reconcile import Memory, run_pass
from reconciler.controller.run_once import run_until
from reconciler.controller.run_options import Brakes, Patience, Place, Publishing, Selection, TrustSources, orders
from reconciler.controller.runtime import Tools
from reconciler.controller.spec_resolver import resolve
from reconciler.controller.watch import Watch
from reconciler.git.command import GitError
from reconciler.git.status_audit import edited_statuses, foreign_commits
from reconciler.local.clock import SystemClock
from reconciler.local.disk import LocalDisk
from reconciler.local.status_store import StatusesDir
from reconciler.model.report import Report
from reconciler.ports import (
    ProviderType,
    Snapshot,
)
from reconciler.providers import known, load
from reconciler.wiring.command_errors import UsageError
from reconciler.wiring.monitoring import Observers
from reconciler.wiring.run_setup import OperatorEnvironment, open_tools, state_of
from reconciler.wiring.sources import published_place, publishing_tools, specs_of, waking

NOT_PUBLISHED = Publishing()


async def run_once(
    place: Place,
    selection: Selection,
    brakes: Brakes,
    trust: TrustSources,
    *,
    dry_run: bool,
    patience: Patience,
    publishing: Publishing = NOT_PUBLISHED,
    tell: Callable[[Report], None],
) -> Report:
    """Make passes until done: see `controller.run_once`. Raises the three errors above."""
    with state_of(place, is_locked=not dry_run, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = published_place(place, publishing, state_dir)
        async with open_tools(there, trust, state_dir, may_change=not dry_run) as opened:
            tools = await publishing_tools(opened, there, publishing)
            return await run_until(
                tools,
                orders(selection, brakes),
                wait_s=patience.wait_s,
                timeout_s=patience.timeout_s,
                jitter=random.random,
                tell=tell,
            )


async def watch(
    place: Place,
    selection: Selection,
    brakes: Brakes,
    trust: TrustSources,
    *,
    stop: asyncio.Event,
    observers: Observers,
    publishing: Publishing = NOT_PUBLISHED,
) -> None:
    """Make passes until `stop`: see `controller.watch`. Raises the three errors above."""
    with state_of(place, is_locked=True, may_begin_anew=publishing.status_branch is None) as state_dir:
        there = published_place(place, publishing, state_dir)
        async with (
            open_tools(there, trust, state_dir, may_change=True, watch=(stop, observers)) as opened,
            waking(opened.specs, there) as waker,
        ):
            tools = await publishing_tools(opened, there, publishing, is_watch=True)
            wanted = orders(selection, brakes)
            await Watch(tools, wanted, waker, random.random, observers.lookout, observers.passed).run(stop)


async def make_plan(place: Place, selection: Selection, brakes: Brakes, trust: TrustSources) -> Report:
    """Look at everything and say what would be done. Nothing here can change anything."""
    async with reading(place, trust) as tools:
        return (await run_pass(tools, orders(selection, brakes), Memory())).report


@asynccontextmanager
async def reading(place: Place, trust: TrustSources) -> AsyncIterator[Tools]:
    """Open everything to look at it. Nothing here can change anything at a provider."""
    with state_of(place, is_locked=False) as state_dir:
        async with open_tools(place, trust, state_dir, may_change=False) as tools:
            yield tools


def validate(place: Place, *, since: str | None = None, author: str = NOT_PUBLISHED.author) -> Report:
    """Read every document and status and say what is wrong. No key, no network.

    Args:
        place: where they are.
        since: a revision; each commit after it is checked too.
        author: whose commits may touch statuses.
    """
    environment = OperatorEnvironment(place)
    snapshot = specs_of(place).snapshot()
    resolved = resolve(snapshot, environment, is_suspended=False)
    try:
        edited = edited_statuses(place.statuses)
        meddled = () if since is None else foreign_commits(place.specs, place.statuses, since, author)
    except (GitError, ValueError) as error:
        msg = f"the commits since {since} cannot be checked: {error}"
        raise UsageError(msg) from None
    report = Report(diagnostics=(*snapshot.diagnostics, *resolved.diagnostics, *edited, *meddled))
    return replace(report, exit_codes=exit_codes(report))


def read_specs(place: Place) -> Snapshot:
    """Return the documents as they stand. No key, no network."""
    return specs_of(place).snapshot()


def provider_types() -> dict[str, ProviderType | str]:
    """Return every provider type by its name, or why it cannot be used here."""
    found: dict[str, ProviderType | str] = {}
    for name in known():
        try:
            found[name] = load(name)
        except LookupError as error:
            found[name] = str(error.args[0])
    return found


def read_statuses(place: Place, selection: Selection) -> Report:
    """Return what the statuses say, read against today's specs. No key, no network."""
    environment = OperatorEnvironment(place)
    stored = StatusesDir(place.statuses, LocalDisk(place.statuses)).load()
    is_selected = selection.predicate()
    return read_rows(specs_of(place).snapshot(), stored, environment, is_selected, SystemClock().now())
