"""A simulated run: the machine, the providers, the people, and virtual time, which is the event loop's.

Rules: every event is recorded. There is one random source, so that a seed determines a run. Every run ends, because its
steps are a list.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.guard import ChangeLimits
from reconciler.model.report import Report
from reconciler.sandbox.config import SandboxOptions
from tests.scenario.batch_services import is_of_batches, provider_of
from tests.scenario.history import (
    Crashed,
    Edited,
    ExternalEvent,
    FaultsEnded,
    History,
    NoChangeExpected,
    PassEnded,
    StopRequested,
    Tampered,
    WatchEnded,
    WatchStarted,
)
from tests.scenario.listeners import Listeners
from tests.scenario.price_book import PriceBook
from tests.scenario.process import SPECS, STATUSES, Killed, Machine, ProcessLife
from tests.scenario.product import Product, started, whole
from tests.scenario.provider import KEY, Host, Provider
from tests.scenario.remote import Branch, statuses_on
from tests.scenario.repository import KEY_VARIABLE, Revision
from tests.scenario.reviving_world import RevivingBatches, RevivingWorld
from tests.support.clock import BASE, VirtualClock
from tests.support.manual_notifier import ManualNotifier
from tests.support.non_durable_disk import NonDurableDisk

LOOSE = ChangeLimits(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=1000)


@dataclass(frozen=True, slots=True)
class Sleep:
    """A step without an action, for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over all specs."""


@dataclass(frozen=True, slots=True)
class RunToCompletion:
    """Passes as `--once --wait` makes them."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class RunWatch:
    """A watch, in its own process, for this long. After a crash it starts again for the remaining time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CrashAfter:
    """The machine crashes after this many further effects."""

    effects: int


@dataclass(frozen=True, slots=True)
class EndFaults:
    """The end of all faults."""


@dataclass(frozen=True, slots=True)
class ExpectNoChange:
    """From here on nothing should change."""


Step = Sleep | Pass | RunToCompletion | RunWatch | CrashAfter | EndFaults | ExpectNoChange


@dataclass(frozen=True, slots=True)
class TimedInjection:
    """An action of a person, or a fault, at a given time."""

    after_s: float
    do: Callable[[Simulation], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run, before it is simulated. `worlds` has the jobs of each account, which are of one kind."""

    seed: int
    worlds: Mapping[str, SandboxOptions]
    revision: Revision
    steps: tuple[Step, ...]
    schedule: tuple[TimedInjection, ...] = ()
    change_limits: ChangeLimits = field(default_factory=lambda: LOOSE)
    prices: PriceBook | None = None
    """The prices of the operator's file, with the limit on the costs of cancels; None without such a file."""
    begins_at: datetime = BASE
    has_small_pages: bool = True
    """Whether pages are so small that short lists have several."""
    world_states: Mapping[str, str] = field(default_factory=dict)
    """The earlier state of each world that does not begin with this run."""
    is_published: bool = False
    """Whether the statuses are pushed to a remote."""
    has_listeners: bool = False
    """Whether notifications are sent to receivers."""
    remaining_steps: tuple[Step, ...] = ()
    """The steps after all faults have ended. A fault-free run that begins there makes the same steps."""


def _world(scenario: Scenario, name: str, options: SandboxOptions) -> RevivingWorld:
    kind = RevivingBatches if is_of_batches(name) else RevivingWorld
    if name in scenario.world_states:
        return kind.from_json(options, scenario.world_states[name])
    return kind(options, scenario.begins_at)


class Simulation:
    """A run in progress, as injections and steps change it."""

    def __init__(self, scenario: Scenario) -> None:
        self.rng = random.Random(scenario.seed)  # noqa: S311  repeatable, not secret
        self.clock = VirtualClock(scenario.begins_at)
        self.revision = scenario.revision
        now = self.clock.base
        worlds = {name: _world(scenario, name, options) for name, options in scenario.worlds.items()}
        most = scenario.change_limits.max_cancels_absolute if scenario.change_limits != LOOSE else None
        self.history = History(scenario.seed, now, worlds, most, scenario.prices)
        hosts = {name: Host(name, base_url) for name, base_url in scenario.revision.accounts.items()}
        self.providers = {
            name: Provider(
                name, hosts[provider_of(name)], scenario.revision.shown(name), world, self.clock, self.history
            )
            for name, world in worlds.items()
        }
        disk = NonDurableDisk(SPECS.parent)
        self.machine = Machine(
            disk,
            self.providers,
            {KEY_VARIABLE: KEY},
            self.clock,
            self.history,
            has_small_pages=scenario.has_small_pages,
            branch=Branch() if scenario.is_published else None,
            listeners=Listeners(self.clock) if scenario.has_listeners else None,
            prices=scenario.prices,
        )
        self.notifier = ManualNotifier()
        self.life = ProcessLife(0)
        """The lifetime of the newest process."""
        self.asked: set[str] = set()
        """The names of the specs whose next attempt a person requests now."""
        self._files: dict[str, bytes] = {}
        self.edit("the first commit", scenario.revision)

    def edit(self, what: str, revision: Revision) -> None:
        """Change the specs. If the notifier drops changes, no process is notified."""
        self.history.events.append(Edited(self.clock.now(), what, revision))
        before, after = self._files, revision.files()
        self.revision, self._files = revision, after
        gone = before.keys() - after.keys()
        for file in gone:
            self.machine.disk.drop(SPECS / file)
        changed = {file: data for file, data in after.items() if before.get(file) != data}
        for file, data in changed.items():
            self.machine.disk.put(SPECS / file, data)
        self.notifier.notify(gone | changed.keys())

    def tamper(self, path: str, what: str, data: bytes | None) -> None:
        """Change a status file, as another process does. None removes the file."""
        self.history.events.append(Tampered(self.clock.now(), path, what, data))
        if data is None:
            self.machine.disk.drop(STATUSES / path)
        else:
            self.machine.disk.put(STATUSES / path, data)

    def note_event(self, kind: str, what: str) -> None:
        """Record a fault, or an action of another person."""
        self.history.events.append(ExternalEvent(self.clock.now(), kind, what))

    def statuses(self) -> dict[str, bytes]:
        """Return the current status files, by path."""
        return statuses_on(self.machine.disk, STATUSES)

    def start_process(self) -> ProcessLife:
        """Return the lifetime of a process that starts now."""
        self.life = ProcessLife(self.history.lives)
        self.history.lives += 1
        return self.life

    def take_asked(self) -> frozenset[str]:
        """Return the names of the specs whose next attempt a person requested, and forget them."""
        asked = frozenset(self.asked)
        self.asked.clear()
        return asked

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Call a function after a delay, even if the process has ended by then."""
        asyncio.get_running_loop().call_later(seconds, do)

    def end_faults(self) -> None:
        """End all faults. The specs stay as they are."""
        for provider in self.providers.values():
            provider.end_faults()
        self.machine.environ[KEY_VARIABLE] = KEY
        self.machine.failing_writes = 0
        self.machine.refuse = lambda _: None
        self.machine.after_reads.clear()
        if self.machine.branch is not None:
            self.machine.branch.mend()
        self.life.crash_before = None
        self.notifier.recover()
        world_states = {name: provider.world.to_json() for name, provider in self.providers.items()}
        self.history.events.append(FaultsEnded(self.clock.now(), self.revision, world_states))

    def expect_no_change(self) -> None:
        """Record that from now on nothing should change."""
        self.history.events.append(NoChangeExpected(self.clock.now()))


class _NoFiles(selectors.SelectSelector):
    """The selector of a loop without files and sockets: instead of a wait, it advances the time of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task of the simulation waits, and no timer is set"
        self.now_s += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    """Virtual time that advances by a nanosecond whenever the clock is read, as real time does.

    If the clock stood still, a wait that is shorter than the resolution of a float would never end. A loop of looptime
    also looks for files and threads, in several turns before each advance, which takes an eighth of a long simulation.
    """

    def __init__(self) -> None:
        self._virtual = _NoFiles()
        super().__init__(self._virtual)

    def time(self) -> float:
        self._virtual.now_s += 1e-9
        return self._virtual.now_s


def simulated_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop in virtual time, which ignores tasks that ended with their process."""
    loop = _Loop()
    loop.set_exception_handler(_ignore_killed)
    return loop


def simulate(scenario: Scenario) -> History:
    """Run a scenario to its end, through all its crashes."""
    simulation = Simulation(scenario)
    loop = simulated_loop()
    try:
        for injection in scenario.schedule:
            loop.call_later(injection.after_s, injection.do, simulation)
        steps = deque(scenario.steps)
        limits = scenario.change_limits if scenario.prices is None else scenario.prices.limits(scenario.change_limits)
        while not _run_until_crash(loop, simulation, steps, limits):
            pass
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return simulation.history


def _ignore_killed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore a task that ended with its process."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


def _run_until_crash(
    loop: asyncio.AbstractEventLoop, simulation: Simulation, steps: deque[Step], change_limits: ChangeLimits
) -> bool:
    """Run until the scenario is complete or the machine crashes. Return whether the scenario is complete."""
    try:
        loop.run_until_complete(_work(simulation, steps, change_limits))
    except Killed as killed:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_await_cancelled(left))
        simulation.machine.disk.crash(simulation.rng)
        at = simulation.clock.base + timedelta(seconds=loop.time())
        simulation.history.events.append(Crashed(at, str(killed), simulation.statuses()))
        return False
    return True


async def _await_cancelled(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _work(simulation: Simulation, steps: deque[Step], change_limits: ChangeLimits) -> None:
    while steps:
        life = simulation.start_process()
        try:
            async with started(simulation.machine, life, change_limits, simulation.rng.random) as product:
                match steps.popleft():
                    case RunWatch(seconds):
                        await _watch(simulation, product, seconds, steps)
                    case step:
                        await _step(simulation, product, step)
                        while steps and not isinstance(steps[0], RunWatch):
                            await _step(simulation, product, steps.popleft())
        finally:
            simulation.history.effects += life.effects


async def _step(simulation: Simulation, product: Product, step: Step) -> None:
    match step:
        case Sleep(seconds):
            await simulation.clock.sleep(seconds)
        case Pass():
            _tell(simulation, await product.make_pass())
        case RunToCompletion(wait_s):
            # The report combines all passes. The oracles of single passes skip it.
            _tell(simulation, await product.make_passes(wait_s), is_single_pass=False)
        case CrashAfter(effects):
            simulation.life.crash_before = simulation.life.effects + effects
        case EndFaults():
            simulation.end_faults()
        case ExpectNoChange():
            simulation.expect_no_change()


async def _watch(simulation: Simulation, product: Product, seconds: float, steps: deque[Step]) -> None:
    """Run a watch for this many seconds. If the process is killed, a new watch for the remaining time is scheduled."""
    loop, history = asyncio.get_running_loop(), simulation.history
    until = loop.time() + seconds

    def stop() -> None:
        history.events.append(StopRequested(simulation.clock.now()))
        product.stop.set()

    stopping = loop.call_at(until, stop)
    history.events.append(WatchStarted(simulation.clock.now()))
    try:
        await product.watch(simulation.notifier, simulation.take_asked)
    except Killed:
        down_s = simulation.rng.choice(_DOWN_S)
        if (left_s := until - loop.time() - down_s) > 0:
            steps.extendleft((RunWatch(left_s), Sleep(down_s)))
        raise
    finally:
        stopping.cancel()
    history.events.append(WatchEnded(simulation.clock.now(), simulation.statuses()))


_DOWN_S = (0.0, 0.0, 5.0, 60.0)
"""How long a machine may be down."""


def _tell(simulation: Simulation, report: Report, *, is_single_pass: bool = True) -> None:
    event = PassEnded(simulation.clock.now(), whole(report), report.errors, simulation.statuses(), is_single_pass)
    simulation.history.events.append(event)
