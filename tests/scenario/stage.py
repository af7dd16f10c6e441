"""Where a run is played: the machine, the providers, the people, and time, which is the event loop's.

Rules: whatever happens is noted; one random source for everything, so that a seed is a run; every run ends, for its
steps are a list.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import looptime

from reconciler.controller.build_report import PassResult
from reconciler.controller.health import Lookout
from reconciler.controller.reconcile import Memory, Orders, run_pass
from reconciler.controller.run_once import run_until
from reconciler.controller.runtime import Tools
from reconciler.controller.watch import Watch
from reconciler.core.guard import Brakes
from reconciler.core.subject import INTERVAL
from reconciler.model.report import Report
from reconciler.sandbox.config import SandboxOptions
from tests.scenario.history import Calmed, Crashed, Edited, Happened, History, PassEnded, Quiet, Tampered
from tests.scenario.process import SPECS, STATUSES, Killed, Life, Machine, run
from tests.scenario.provider import KEY, Provider
from tests.scenario.repository import KEY_VARIABLE, Revision
from tests.scenario.returning import ReturningWorld
from tests.support.bell import Bell
from tests.support.clock import BASE, VirtualClock
from tests.support.disk import ForgetfulDisk

LOOSE = Brakes(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=1000)


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing, for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over everything."""


@dataclass(frozen=True, slots=True)
class Until:
    """Passes as `--once --wait` makes them."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch, which hears of every edit, for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Doom:
    """The machine goes down after so many more effects."""

    effects: int


@dataclass(frozen=True, slots=True)
class Calm:
    """The end of all trouble."""


@dataclass(frozen=True, slots=True)
class Silence:
    """From here on nothing should change any more."""


Step = Rest | Pass | Until | Watched | Doom | Calm | Silence


@dataclass(frozen=True, slots=True)
class Happening:
    """What somebody does, or what goes wrong, at a moment."""

    after_s: float
    do: Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole run, before it is played."""

    seed: int
    worlds: Mapping[str, SandboxOptions]
    revision: Revision
    steps: tuple[Step, ...]
    happenings: tuple[Happening, ...] = ()
    brakes: Brakes = field(default_factory=lambda: LOOSE)
    begins_at: datetime = BASE
    has_small_pages: bool = True
    """Whether short lists have several pages."""
    memories: Mapping[str, str] = field(default_factory=dict)
    """What each world remembers, where it does not begin with this run."""


def _world(plan: Plan, name: str, options: SandboxOptions) -> ReturningWorld:
    if name in plan.memories:
        return ReturningWorld.from_json(options, plan.memories[name])
    return ReturningWorld(options, plan.begins_at)


class Stage:
    """A run in progress, as those who change something see it."""

    def __init__(self, plan: Plan) -> None:
        self.rng = random.Random(plan.seed)  # noqa: S311  to be told again, not to be secret
        self.clock = VirtualClock(plan.begins_at)
        self.revision = plan.revision
        now = self.clock.base
        worlds = {name: _world(plan, name, options) for name, options in plan.worlds.items()}
        most = plan.brakes.max_cancels_absolute if plan.brakes != LOOSE else None
        self.history = History(plan.seed, now, worlds, most)
        urls, service = plan.revision.accounts, plan.revision.service
        self.providers = {
            name: Provider(name, urls[name], service(name), world, self.clock, self.history)
            for name, world in worlds.items()
        }
        disk = ForgetfulDisk(SPECS.parent)
        self.machine = Machine(
            disk, self.providers, {KEY_VARIABLE: KEY}, self.clock, self.history, has_small_pages=plan.has_small_pages
        )
        self.bell = Bell()
        self._files: dict[str, bytes] = {}
        self.edit("the first commit", plan.revision)

    def edit(self, what: str, revision: Revision) -> None:
        """Change the specs."""
        self.history.events.append(Edited(self.clock.now(), what, revision))
        before, after = self._files, revision.files()
        self.revision, self._files = revision, after
        for gone in before.keys() - after.keys():
            self.machine.disk.drop(SPECS / gone)
        for file, data in after.items():
            if before.get(file) != data:
                self.machine.disk.put(SPECS / file, data)
        self.bell.ring()

    def tamper(self, path: str, what: str, data: bytes | None) -> None:
        """Change a status file behind our back; None removes it."""
        self.history.events.append(Tampered(self.clock.now(), path, what))
        if data is None:
            self.machine.disk.drop(STATUSES / path)
        else:
            self.machine.disk.put(STATUSES / path, data)

    def happen(self, kind: str, what: str) -> None:
        """Note what goes wrong, or what somebody else does."""
        self.history.events.append(Happened(self.clock.now(), kind, what))

    def statuses(self) -> dict[str, bytes]:
        """Return the status tree as it stands."""
        root = f"{STATUSES}/"
        files = self.machine.disk.files().items()
        found = {path.removeprefix(root): data for path, data in files if path.startswith(root)}
        return {path: data for path, data in found.items() if not path.rpartition("/")[2].startswith(".")}

    def calm(self) -> None:
        """End all trouble, but for what the specs say."""
        for provider in self.providers.values():
            provider.calm()
        self.machine.environ[KEY_VARIABLE] = KEY
        self.machine.failing_writes = 0
        self.machine.ambushes.clear()
        memories = {name: provider.world.to_json() for name, provider in self.providers.items()}
        self.history.events.append(Calmed(self.clock.now(), self.revision, memories))


class _Loop(looptime.LoopTimeEventLoop, asyncio.SelectorEventLoop):
    """Virtual time that creeps: each look at the clock takes a nanosecond, as looks at real ones do.

    On a clock that stands still, whoever waits for less than a float can tell apart would wait for ever.
    """

    _crept_s = 0.0

    def time(self) -> float:
        self._crept_s += 1e-9
        return super().time() + self._crept_s


def play(plan: Plan) -> History:
    """Play a plan to its end, through all its crashes."""
    stage = Stage(plan)
    loop = _Loop(noop_cycles=1)
    loop.set_exception_handler(_let_the_dead_rest)
    try:
        for happening in plan.happenings:
            loop.call_later(happening.after_s, happening.do, stage)
        steps = iter(plan.steps)
        while not _live(loop, stage, steps, plan.brakes):
            stage.history.lives += 1
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return stage.history


def _let_the_dead_rest(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of a task that ended with its process."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


def _live(loop: asyncio.AbstractEventLoop, stage: Stage, steps: Iterator[Step], brakes: Brakes) -> bool:
    """Live one life. Returns whether the plan is done."""
    life = Life(stage.history.lives)
    try:
        loop.run_until_complete(_work(stage, life, steps, Orders(brakes=brakes)))
    except Killed as killed:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_bury(left))
        stage.machine.disk.crash(stage.rng)
        at = stage.clock.base + timedelta(seconds=loop.time())
        stage.history.events.append(Crashed(at, str(killed), stage.statuses()))
        return False
    finally:
        stage.history.effects += life.effects
    return True


async def _bury(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _work(stage: Stage, life: Life, steps: Iterator[Step], orders: Orders) -> None:
    async with run(stage.machine, life) as tools:
        memory = Memory()
        for step in steps:
            match step:
                case Rest(seconds):
                    await stage.clock.sleep(seconds)
                case Pass():
                    _tell(stage, (await run_pass(tools, orders, memory)).report)
                case Until(wait_s):
                    await _until(stage, tools, orders, wait_s)
                case Watched(seconds):
                    await _watch(stage, tools, orders, seconds)
                case Doom(effects):
                    life.dies_before = life.effects + effects
                case Calm():
                    life.dies_before = None
                    stage.calm()
                case Silence():
                    stage.history.events.append(Quiet(stage.clock.now()))


async def _watch(stage: Stage, tools: Tools, orders: Orders, seconds: float) -> None:
    """Watch for so long. Only how it ended is noted: each pass of a day would be more than a machine remembers."""
    stop, last = asyncio.Event(), [Report()]
    asyncio.get_running_loop().call_later(seconds, stop.set)
    lookout = Lookout.beginning(stage.clock.monotonic(), INTERVAL.total_seconds())
    watching = replace(tools, is_stopping=stop.is_set)

    def keep(result: PassResult, _: float) -> None:
        last[0] = result.report

    await Watch(watching, orders, stage.bell, stage.rng.random, lookout, keep).run(stop)
    _tell(stage, last[0])


async def _until(stage: Stage, tools: Tools, orders: Orders, wait_s: float) -> None:
    tell = partial(_tell, stage)
    tell(await run_until(tools, orders, wait_s=wait_s, timeout_s=wait_s, jitter=stage.rng.random, tell=tell))


def _tell(stage: Stage, report: Report) -> None:
    whole = repr([getattr(report, each.name) for each in fields(report)])  # the report's own repr is only its size
    event = PassEnded(stage.clock.now(), whole, report.errors, stage.statuses())
    stage.history.events.append(event)
