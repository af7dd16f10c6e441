"""A watch in virtual time, over a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import HealthTracker
from reconciler.controller.run_options import RunOptions
from reconciler.controller.watch import Watch
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from tests.support.build import ACCOUNT, NOW
from tests.support.clock import VirtualClock
from tests.support.in_memory import Specs, World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    SharedBranch,
    a_revision,
    a_world,
    an_account,
    controlled,
    named_specs,
)
from tests.support.manual_notifier import ManualNotifier


@dataclass
class TimedAccount(InMemoryAccount):
    """An account that records the time of each request."""

    asked_at: list[tuple[float, str]] = field(default_factory=list)

    def ask(self, what: str) -> None:
        """Record a request with its time."""
        self.asked_at.append((asyncio.get_running_loop().time(), what))
        super().ask(what)

    def when(self, what: str) -> list[float]:
        """Return the times at which a request was sent, in seconds. Empty if it never was."""
        return [at for at, asked in self.asked_at if asked == what]


@dataclass
class RunningWatch:
    """A running watch, with the inputs that a test changes and the results that it reads."""

    account: TimedAccount
    world: World
    notifier: ManualNotifier
    health: HealthTracker
    stop: asyncio.Event
    task: asyncio.Future[None]
    passes: list[PassResult]
    wishes: set[str]

    def want(self, *specs: FineTuningJob, is_notified: bool = True, paths: Collection[str] | None = None) -> None:
        """Replace the specs, and notify the watch of `paths`, unless `is_notified` is False.

        If `paths` is None, the watch does not learn which files changed.
        """
        self.world.specs.revision = a_revision(*specs, providers=self.world.specs.revision.providers)
        if is_notified:
            self.notifier.notify(paths)

    def reason(self, name: str) -> Reason:
        """Return the reason in the status of a spec."""
        return next(each.ready.reason for each in self.world.statuses.jobs.values() if each.name == name)


@asynccontextmanager
async def running_watch(
    *specs: FineTuningJob,
    specs_dir: Specs | None = None,
    tell: Callable[[PassResult], None] | None = None,
    world: World | None = None,
    options: RunOptions | None = None,
    publisher: SharedBranch | None = None,
) -> AsyncIterator[RunningWatch]:
    """Run a watch over these specs until the body ends. Their jobs run. `tell` gets each result instead of `passes`."""
    account = TimedAccount(an_account(*(each.spec.job_id for each in specs)).jobs)
    if world is None:
        world = a_world(account, *specs)
    else:
        world.accounts.readers = {**world.accounts.readers, ACCOUNT: account}
    if specs_dir is not None:
        specs_dir.revision = world.specs.revision
        world.specs = specs_dir
    clock, notifier, stop = VirtualClock(NOW), ManualNotifier(), asyncio.Event()
    health = HealthTracker.beginning(0.0, 60.0)
    passes: list[PassResult] = []
    wishes: set[str] = set()

    def asked() -> frozenset[str]:
        wanted = frozenset(wishes)
        wishes.clear()
        return wanted

    watch = Watch(
        replace(controlled(world, is_stopping=stop.is_set, publisher=publisher), clock=clock),
        options or RunOptions(),
        notifier,
        lambda: 0.5,
        health,
        lambda result, _: (tell or passes.append)(result),
        asked,
    )
    task = asyncio.ensure_future(watch.run(stop))
    try:
        yield RunningWatch(account, world, notifier, health, stop, task, passes, wishes)
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)


def observed(*names: str) -> list[FineTuningJob]:
    return named_specs(*names, desiredState="observed")
