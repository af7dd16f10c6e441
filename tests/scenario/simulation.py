"""Where a run is played: the machine, the providers, the people, and time, which is the event loop's.

Rules: whatever happens is noted; one random source for everything, so that a seed is a run; every run ends, for its
steps are a list.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import looptime

from reconciler.core.guard import ChangeLimits
from reconciler.model.report import Report
from reconciler.sandbox.config import SandboxOptions
from tests.scenario.history import (
    Began,
    Calmed,
    Crashed,
    Edited,
    Ended,
    Happened,
    History,
    PassEnded,
    Quiet,
    StopWished,
    Tampered,
)
from tests.scenario.process import SPECS, STATUSES, Killed, Life, Machine
from tests.scenario.product import Product, started, whole
from tests.scenario.provider import KEY, Provider
from tests.scenario.remote import Branch, statuses_on
from tests.scenario.repository import KEY_VARIABLE, Revision
from tests.scenario.reviving_world import ReturningWorld
from tests.support.clock import BASE, VirtualClock
from tests.support.manual_notifier import Bell
from tests.support.non_durable_disk import ForgetfulDisk

LOOSE = ChangeLimits(max_cancels=1000, max_cancel_percent=100, max_cancels_absolute=1000)


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
    """A watch, in a process of its own, for so long. If its machine goes down, it begins again when that is back."""

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
    brakes: ChangeLimits = field(default_factory=lambda: LOOSE)
    begins_at: datetime = BASE
    has_small_pages: bool = True
    """Whether short lists have several pages."""
    memories: Mapping[str, str] = field(default_factory=dict)
    """What each world remembers, where it does not begin with this run."""
    is_published: bool = False
    """Whether the statuses are pushed to a remote."""
    aftermath: tuple[Step, ...] = ()
    """The steps that are left, or will do, once all trouble has ended: another run that begins there takes these."""


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
            disk,
            self.providers,
            {KEY_VARIABLE: KEY},
            self.clock,
            self.history,
            has_small_pages=plan.has_small_pages,
            branch=Branch() if plan.is_published else None,
        )
        self.bell = Bell()
        self.life = Life(0)
        """Of the newest process."""
        self.asked: set[str] = set()
        """The names of the specs whose next attempt a person wants now."""
        self._files: dict[str, bytes] = {}
        self.edit("the first commit", plan.revision)

    def edit(self, what: str, revision: Revision) -> None:
        """Change the specs. Where the bell is deaf, no process hears of it."""
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
        self.history.events.append(Tampered(self.clock.now(), path, what, data))
        if data is None:
            self.machine.disk.drop(STATUSES / path)
        else:
            self.machine.disk.put(STATUSES / path, data)

    def happen(self, kind: str, what: str) -> None:
        """Note what goes wrong, or what somebody else does."""
        self.history.events.append(Happened(self.clock.now(), kind, what))

    def statuses(self) -> dict[str, bytes]:
        """Return the status tree as it stands."""
        return statuses_on(self.machine.disk, STATUSES)

    def born(self) -> Life:
        """Return the life of a process that starts now."""
        self.life = Life(self.history.lives)
        self.history.lives += 1
        return self.life

    def take_asked(self) -> frozenset[str]:
        """Return the names of the specs whose next attempt a person wants now, once each."""
        asked = frozenset(self.asked)
        self.asked.clear()
        return asked

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Let something happen after a while, whatever has become of our process by then."""
        asyncio.get_running_loop().call_later(seconds, do)

    def calm(self) -> None:
        """End all trouble, but for what the specs say."""
        for provider in self.providers.values():
            provider.calm()
        self.machine.environ[KEY_VARIABLE] = KEY
        self.machine.failing_writes = 0
        self.machine.refuse = lambda _: None
        self.machine.ambushes.clear()
        if self.machine.branch is not None:
            self.machine.branch.mend()
        self.life.dies_before = None
        self.bell.hear()
        memories = {name: provider.world.to_json() for name, provider in self.providers.items()}
        self.history.events.append(Calmed(self.clock.now(), self.revision, memories))

    def settle(self) -> None:
        """Note that from now on nothing should change any more."""
        self.history.events.append(Quiet(self.clock.now()))


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
        steps = deque(plan.steps)
        while not _live(loop, stage, steps, plan.brakes):
            pass
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return stage.history


def _let_the_dead_rest(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of a task that ended with its process."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


def _live(loop: asyncio.AbstractEventLoop, stage: Stage, steps: deque[Step], brakes: ChangeLimits) -> bool:
    """Play until the machine goes down. Returns whether the plan is done."""
    try:
        loop.run_until_complete(_work(stage, steps, brakes))
    except Killed as killed:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_bury(left))
        stage.machine.disk.crash(stage.rng)
        at = stage.clock.base + timedelta(seconds=loop.time())
        stage.history.events.append(Crashed(at, str(killed), stage.statuses()))
        return False
    return True


async def _bury(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _work(stage: Stage, steps: deque[Step], brakes: ChangeLimits) -> None:
    while steps:
        life = stage.born()
        try:
            async with started(stage.machine, life, brakes, stage.rng.random) as product:
                match steps.popleft():
                    case Watched(seconds):
                        await _watch(stage, product, seconds, steps)
                    case step:
                        await _step(stage, product, step)
                        while steps and not isinstance(steps[0], Watched):
                            await _step(stage, product, steps.popleft())
        finally:
            stage.history.effects += life.effects


async def _step(stage: Stage, product: Product, step: Step) -> None:
    match step:
        case Rest(seconds):
            await stage.clock.sleep(seconds)
        case Pass():
            _tell(stage, await product.make_pass())
        case Until(wait_s):
            # Only how it ended is noted: between two passes an account may still be at work.
            _tell(stage, await product.make_passes(wait_s), is_one=False)
        case Doom(effects):
            stage.life.dies_before = stage.life.effects + effects
        case Calm():
            stage.calm()
        case Silence():
            stage.settle()


async def _watch(stage: Stage, product: Product, seconds: float, steps: deque[Step]) -> None:
    """Watch for so long, in this process and in those that take its place."""
    loop, history = asyncio.get_running_loop(), stage.history
    until = loop.time() + seconds

    def stop() -> None:
        history.events.append(StopWished(stage.clock.now()))
        product.stop.set()

    stopping = loop.call_at(until, stop)
    history.events.append(Began(stage.clock.now()))
    try:
        await product.watch(stage.bell, stage.take_asked)
    except Killed:
        down_s = stage.rng.choice(_DOWN_S)
        if (left_s := until - loop.time() - down_s) > 0:
            steps.extendleft((Watched(left_s), Rest(down_s)))
        raise
    finally:
        stopping.cancel()
    history.events.append(Ended(stage.clock.now(), stage.statuses()))


_DOWN_S = (0.0, 0.0, 5.0, 60.0)
"""How long a machine may be down."""


def _tell(stage: Stage, report: Report, *, is_one: bool = True) -> None:
    event = PassEnded(stage.clock.now(), whole(report), report.errors, stage.statuses(), is_one)
    stage.history.events.append(event)
