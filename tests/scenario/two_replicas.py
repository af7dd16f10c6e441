"""Two simulated replicas: each has its own disk, and they elect their leader with a simulated lease."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from reconciler.controller.health import HealthTracker
from reconciler.controller.leader_election import Candidate, Term
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.watch import Watch
from reconciler.controller.workers import end
from reconciler.core.scope import ScopedLimits
from reconciler.core.subject import INTERVAL
from reconciler.errors import PublishError
from reconciler.model.action_record import ignore_event
from reconciler.model.election import ElectionTiming
from reconciler.preflight import may_send
from tests.contract.dialects.services import OPENAI
from tests.scenario.batch_services import job_id
from tests.scenario.process import SPECS, STATUSES, Machine, ProcessLife, run
from tests.scenario.provider import KEY
from tests.scenario.repository import KEY_VARIABLE, JobSpec
from tests.scenario.seeded_jobs import declared
from tests.scenario.seeded_run import first_revision
from tests.scenario.shared_branch import SharedBranch, SharedRemote
from tests.scenario.simulation import LOOSE, Scenario, Simulation
from tests.support.manual_notifier import ManualNotifier
from tests.support.non_durable_disk import NonDurableDisk
from tests.support.simulated_leases import LeaseService, SimulatedLease

ACCOUNT, JOBS = "one", 10
NAMES = ("a", "b")
TIMING = ElectionTiming()


class _Life(ProcessLife):
    """The lifetime of a process that reports each of its effects."""

    def __init__(self, number: int, report: Callable[[str], None]) -> None:
        super().__init__(number)
        self._report = report

    def effect(self, what: str) -> None:
        """Report and count the next effect."""
        super().effect(what)
        self._report(what)


@dataclass(slots=True)
class Replica:
    """One replica: its disk, its process, and how far its clock has jumped."""

    name: str
    machine: Machine
    notifier: ManualNotifier = field(default_factory=ManualNotifier)
    life: ProcessLife = field(default_factory=lambda: ProcessLife(0))
    process: asyncio.Task[None] | None = None
    skipped_s: float = 0.0
    term: Term | None = None

    @property
    def is_acting(self) -> bool:
        """Whether the replica may send requests now."""
        return self.term is not None and self.term.may_act()


class Story:
    """A run in progress, and what an oracle needs of it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(f"replicas {seed}")  # noqa: S311  repeatable, not secret
        self.ends_early = rng.random() < 0.5
        """Whether the lease may end before its time."""
        names = tuple(f"job-{number}" for number in range(JOBS))
        ids = [job_id(OPENAI, str(number)) for number in range(JOBS)]
        self.specs = {
            name: JobSpec(name=name, file=f"{name}.yaml", account=ACCOUNT, job_id=each, desired="observed")
            for name, each in zip(names, ids, strict=True)
        }
        world = declared(ACCOUNT, {each: {"life": [{"phase": "running"}]} for each in ids})
        revision = first_revision(tuple(self.specs.values()), {ACCOUNT: OPENAI})
        self.simulation = Simulation(Scenario(seed=seed, worlds={ACCOUNT: world}, revision=revision, steps=()))
        self.clock = self.simulation.clock
        self.provider = self.simulation.providers[ACCOUNT]
        self.branch = SharedBranch()
        self.service = LeaseService(TIMING.lease_s, self.clock.monotonic)
        self.terms = 0
        self.wrong: list[str] = []
        self.ended_at = self.clock.base
        self.replicas = {name: self._replica(name) for name in NAMES}
        self.edit()

    def _replica(self, name: str) -> Replica:
        disk = NonDurableDisk(SPECS.parent)
        machine = Machine(disk, self.simulation.providers, {KEY_VARIABLE: KEY}, self.clock, self.simulation.history)
        return Replica(name, machine)

    def edit(self) -> None:
        """Give every replica the current specs."""
        revision = replace(self.simulation.revision, job_specs=tuple(self.specs.values()))
        self.simulation.edit("an edit", revision)
        for each in self.replicas.values():
            for file, data in revision.files().items():
                each.machine.disk.put(SPECS / file, data)
            each.notifier.notify(revision.files().keys())

    def want(self, name: str) -> None:
        """Want a job to be cancelled."""
        self.specs[name] = replace(self.specs[name], desired="cancelled")
        self.edit()

    def start(self, replica: Replica) -> None:
        """Start the process of a replica, unless it runs."""
        if replica.process is None:
            replica.life = _Life(NAMES.index(replica.name), lambda what: self._happened(replica, what))
            replica.notifier = ManualNotifier()
            replica.process = asyncio.ensure_future(self._run(replica))

    async def kill(self, replica: Replica) -> None:
        """Kill the process of a replica. It has no further effect."""
        replica.life.is_over = True
        if replica.process is not None:
            await end([replica.process])
        replica.process, replica.term = None, None

    def _happened(self, replica: Replica, what: str) -> None:
        """Judge a request that arrives: its replica may act, and no other one may while the lease is honest."""
        if not what.startswith(("GET", "POST")):
            return
        acting = [each.name for each in self.replicas.values() if each.is_acting]
        if replica.name not in acting or (len(acting) > 1 and not self.ends_early):
            self.wrong.append(f"{self.clock.now()}: {replica.name} sent {what}, while {acting} might act")

    async def _run(self, replica: Replica) -> None:
        candidate = Candidate(
            SimulatedLease(self.service, replica.name),
            "lease:a/b",
            replica.name,
            TIMING,
            lambda: self.clock.monotonic() + replica.skipped_s,
            self.clock.sleep,
            self.rng.random,
            lambda _: None,
        )
        await candidate.run(asyncio.Event(), lambda term: self._lead(replica, term))

    async def _lead(self, replica: Replica, term: Term) -> None:
        replica.term, self.terms = term, self.terms + 1
        machine, stop = replica.machine, asyncio.Event()
        ending = asyncio.ensure_future(_set_after(term.lost, stop))
        try:
            async with run(machine, replica.life, stop, ignore_event) as opened:
                remote = SharedRemote(self.branch, machine.disk, STATUSES, machine.clock)
                runtime = replace(
                    opened, publisher=remote, is_stopping=lambda: stop.is_set() or not may_send(), audit=None
                )
                with suppress(PublishError):
                    await remote.pull()
                health = HealthTracker.beginning(machine.clock.monotonic(), INTERVAL.total_seconds())
                options = RunOptions(rules=ChangeRules(ScopedLimits(LOOSE)))
                watch = Watch(runtime, options, replica.notifier, self.rng.random, health, lambda *_: None)
                await watch.run(stop)
        finally:
            await end([ending])


async def _set_after(reason: asyncio.Event, stop: asyncio.Event) -> None:
    await reason.wait()
    stop.set()
