"""Simulated replicas that share the accounts, or elect a leader, or both, and that publish to one branch.

Each replica has a disk, a clock and a shard of its own. With leases, each shard has two replicas, of which the holder
of the shard's lease acts.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.controller.health import HealthTracker
from reconciler.controller.leader_election import Candidate, Term
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.controller.watch import Watch
from reconciler.controller.workers import end
from reconciler.core.scope import ScopedLimits
from reconciler.core.subject import INTERVAL
from reconciler.errors import PublishError
from reconciler.model.action_record import ignore_event
from reconciler.model.election import ElectionTiming, Granted, LeaseAnswer
from reconciler.model.shard import Shard
from reconciler.preflight import may_send
from tests.contract.dialects.services import OPENAI
from tests.scenario.batch_services import job_id
from tests.scenario.process import SPECS, STATUSES, Killed, Machine, ProcessLife, run
from tests.scenario.provider import KEY
from tests.scenario.repository import KEY_VARIABLE, JobSpec
from tests.scenario.seeded_jobs import declared
from tests.scenario.seeded_run import first_revision
from tests.scenario.shared_branch import SharedBranch, SharedRemote
from tests.scenario.simulation import LOOSE, Scenario, Simulation
from tests.support.clock import VirtualClock
from tests.support.manual_notifier import ManualNotifier
from tests.support.non_durable_disk import NonDurableDisk
from tests.support.simulated_leases import LeaseService, SimulatedLease
from tests.support.stoppable_tasks import Stopper

ACCOUNTS = ("account-0", "account-1", "account-2", "account-9")
"""Accounts of which one, two and three shards have different shares. Two accounts move between two shards and three."""
JOBS = 3
"""The number of jobs in each account."""
TIMING = ElectionTiming()


class SkewedClock(VirtualClock):
    """The clock of one replica, whose wall time differs from that of the others."""

    def __init__(self, skew: timedelta) -> None:
        super().__init__()
        self._skew = skew

    def now(self) -> datetime:
        """Return the wall time of this replica."""
        return super().now() + self._skew


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
    """One replica: its disk, its process, its shard, and how far its clocks are wrong."""

    name: str
    index: int
    """The number of its shard, from 1."""
    machine: Machine
    skew: timedelta
    drift: float
    """How fast its clock of elapsed time runs."""
    lease: LeaseService | None
    shard: Shard | None = None
    notifier: ManualNotifier = field(default_factory=ManualNotifier)
    life: ProcessLife = field(default_factory=lambda: ProcessLife(0))
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    stopper: Stopper = field(default_factory=Stopper)
    process: asyncio.Task[None] | None = None
    skipped_s: float = 0.0
    leads_until: float = 0.0
    """Until when the last grant of the lease allows requests, in elapsed time of the replica."""
    refused_at: float = math.inf
    """When the replica was told that it no longer holds the lease, in seconds of the machine's clock."""

    @property
    def is_acting(self) -> bool:
        """Whether the replica may send requests now, by what its lease has answered."""
        is_granted = self.elapsed() < self.leads_until and self.machine.clock.monotonic() <= self.refused_at
        return self.process is not None and (self.lease is None or is_granted)

    def owns(self, line: str) -> bool:
        """Return whether an account, by its line in statuses, belongs to the replica's shard."""
        return self.shard is None or self.shard.owns(line)

    def elapsed(self) -> float:
        """Return the time that the replica believes to have passed."""
        return self.machine.clock.monotonic() * self.drift + self.skipped_s


@dataclass(frozen=True, slots=True)
class WitnessedLease:
    """The `Lease` of a replica, which records for the oracles what was answered."""

    lease: SimulatedLease
    replica: Replica

    async def acquire(self) -> LeaseAnswer:
        """Acquire the lease."""
        return await self._answered(self.lease.acquire)

    async def renew(self) -> LeaseAnswer:
        """Renew the lease. A response that arrives after the end of the last grant allows no request."""
        return await self._answered(self.lease.renew, lambda: self.replica.elapsed() < self.replica.leads_until)

    async def release(self) -> None:
        """Release the lease. From now on, the replica may send nothing."""
        self.replica.leads_until = 0.0
        await self.lease.release()

    async def _answered(
        self, ask: Callable[[], Awaitable[LeaseAnswer]], is_in_time: Callable[[], bool] = lambda: True
    ) -> LeaseAnswer:
        replica, sent_at = self.replica, self.replica.elapsed()
        answer = await ask()
        if isinstance(answer, Granted):
            if is_in_time():
                replica.leads_until, replica.refused_at = sent_at + TIMING.renew_s, math.inf
        else:
            replica.refused_at = min(replica.refused_at, replica.machine.clock.monotonic())
        return answer


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit on the branch of the statuses."""

    at: datetime
    by: str
    shard: Shard | None
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]


class Story:
    """A run in progress, and what an oracle needs of it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(f"replicas {seed}")  # noqa: S311  repeatable, not secret
        self.has_leases = rng.random() < 0.6
        self.ends_early = self.has_leases and rng.random() < 0.5
        """Whether a lease may end before its time."""
        self.count = rng.choice([1, 2, 2, 3])
        """The number of shards that are meant to run."""
        ids = {
            (account, number): job_id(OPENAI, f"{place}{number}")
            for place, account in enumerate(ACCOUNTS)
            for number in range(JOBS)
        }
        specs = (
            JobSpec(
                name=f"{account}-{number}",
                file=f"{rng.choice(['', 'team/'])}{account}-{number}.yaml",
                account=account,
                job_id=each,
                desired="observed",
            )
            for (account, number), each in ids.items()
        )
        self.specs = {each.job_id: each for each in specs}
        worlds = {
            account: declared(
                account, {ids[account, number]: {"life": [{"phase": "running"}]} for number in range(JOBS)}
            )
            for account in ACCOUNTS
        }
        revision = first_revision(tuple(self.specs.values()), dict.fromkeys(ACCOUNTS, OPENAI))
        self.simulation = Simulation(Scenario(seed=seed, worlds=worlds, revision=revision, steps=()))
        self.clock = self.simulation.clock
        self.lines = {name: line for line, name in revision.lines().items() if name in ACCOUNTS}
        """The line of each account in statuses, by its name."""
        self.commits: list[Commit] = []
        self.branch = SharedBranch()
        self.services = {index: LeaseService(TIMING.lease_s, self.clock.monotonic) for index in range(1, 5)}
        """The lease of each shard, by the number of the shard."""
        self.wantable = frozenset(each for (_, number), each in ids.items() if number)
        """The jobs that people may want to be cancelled. The others are only observed, or their specs are deleted."""
        self.lives = self.terms = self.renamed = 0
        self.wrong: list[str] = []
        self.ended_at = self.clock.base
        self.replicas: dict[str, Replica] = {}
        self.resize(self.count)

    def in_order(self) -> list[JobSpec]:
        """Return the specs in an order that does not depend on the edits."""
        return [self.specs[each] for each in sorted(self.specs)]

    def resize(self, count: int) -> list[Replica]:
        """Let there be another number of shards. Return the replicas that should run; none is started or stopped."""
        self.count = count
        letters = "ab" if self.has_leases else "a"
        return [self._replica(index, letter) for index in range(1, count + 1) for letter in letters]

    def _replica(self, index: int, letter: str) -> Replica:
        name, rng = f"{letter}{index}", random.Random(f"{self.simulation.history.seed} {letter}{index}")  # noqa: S311
        if name not in self.replicas:
            skew = timedelta(seconds=rng.choice([0, 0, -2, 3, -100, 100]))
            clock, disk = SkewedClock(skew), NonDurableDisk(SPECS.parent)
            machine = Machine(disk, self.simulation.providers, {KEY_VARIABLE: KEY}, clock, self.simulation.history)
            service = self.services[index] if self.has_leases else None
            self.replicas[name] = Replica(name, index, machine, skew, rng.choice([1.0, 1.0, 0.9, 1.1]), service)
            self._deliver(self.replicas[name])
        return self.replicas[name]

    def edit(self, *specs: JobSpec) -> None:
        """Change the specs of jobs, and give every replica the current specs."""
        self.specs |= {each.job_id: each for each in specs}
        revision = replace(self.simulation.revision, job_specs=tuple(self.specs.values()))
        self.simulation.edit("an edit", revision)
        for each in self.replicas.values():
            self._deliver(each)

    def delete(self, spec: JobSpec) -> None:
        """Delete the spec of a job."""
        del self.specs[spec.job_id]
        self.edit()

    def _deliver(self, replica: Replica) -> None:
        files, disk = self.simulation.revision.files(), replica.machine.disk
        above = f"{SPECS}/"
        paths = {each for each in disk.files() if each.startswith(above) and not each.startswith(f"{STATUSES}/")}
        gone = {each.removeprefix(above) for each in paths} - files.keys()
        for file in gone:
            disk.drop(SPECS / file)
        for file, data in files.items():
            disk.put(SPECS / file, data)
        replica.notifier.notify(files.keys() | gone)

    def start(self, replica: Replica) -> None:
        """Start the process of a replica with its present shard, unless it runs or its shard no longer exists."""
        if replica.process is None and replica.index <= self.count:
            replica.shard = Shard(replica.index, self.count) if self.count > 1 else None
            self.lives += 1
            replica.life = _Life(self.lives, lambda what: self._happened(replica, what))
            replica.notifier, replica.stop, replica.stopper = ManualNotifier(), asyncio.Event(), Stopper()
            replica.process = replica.stopper.start(self._run(replica))

    async def kill(self, replica: Replica) -> None:
        """Kill the process of a replica. It has no further effect."""
        process, replica.process, replica.life.is_over = replica.process, None, True
        if process is not None:
            replica.stopper.resume()
            with suppress(Killed):
                await end([process])
        replica.leads_until = 0.0

    async def shut_down(self, replica: Replica) -> None:
        """Stop the process of a replica with SIGTERM, and wait for its end."""
        if (process := replica.process) is not None:
            replica.stopper.resume()
            replica.stop.set()
            await asyncio.wait([process])
            if replica.process is process:
                replica.process, replica.leads_until = None, 0.0

    def _happened(self, replica: Replica, what: str) -> None:
        """Judge a request that arrives.

        Its account belongs to the replica's shard, the replica may act, and no other one of the shard may while the
        lease is honest. A cancel is for a job whose spec wants it.
        """
        verb, _, rest = what.partition(" ")
        if verb not in {"GET", "POST"}:
            return
        account, _, tail = rest.partition(" ")
        acting = [each.name for each in self._beside(replica) if each.is_acting]
        if replica.name not in acting or (len(acting) > 1 and not self.ends_early):
            self._wrong("acts_without_lease", f"{replica.name} sent {what}, while {acting} might act")
        if not replica.owns(self.lines[account]):
            self._wrong("foreign_account", f"{replica.name}, which is shard {replica.shard}, sent {what}")
        if verb == "POST" and ((spec := self.specs.get(tail.partition("/")[0])) is None or spec.desired != "cancelled"):
            self._wrong("unwanted_cancel", f"{replica.name} sent {what}, which no spec wants")

    def _beside(self, replica: Replica) -> Collection[Replica]:
        """Return the replicas with the lease of a replica, including itself."""
        if replica.lease is None:
            return (replica,)
        return [each for each in self.replicas.values() if each.lease is replica.lease]

    def _wrong(self, oracle: str, what: str) -> None:
        self.wrong.append(f"{oracle}: {self.clock.now():%T}: {what}")

    async def _run(self, replica: Replica) -> None:
        if replica.lease is None:
            await self._watch(replica, replica.stop)
            return
        candidate = Candidate(
            WitnessedLease(SimulatedLease(replica.lease, replica.name), replica),
            "lease:a/b",
            replica.name,
            TIMING,
            replica.elapsed,
            self.clock.sleep,
            self.rng.random,
            lambda _: None,
        )
        await candidate.run(replica.stop, lambda term: self._lead(replica, term))

    async def _lead(self, replica: Replica, term: Term) -> None:
        self.terms += 1
        stop = asyncio.Event()
        endings = [asyncio.ensure_future(_set_after(each, stop)) for each in (term.lost, replica.stop)]
        try:
            await self._watch(replica, stop)
        finally:
            await end(endings)

    async def _watch(self, replica: Replica, stop: asyncio.Event) -> None:
        machine = replica.machine
        async with run(machine, replica.life, stop, ignore_event) as opened:
            remote = SharedRemote(
                self.branch,
                machine.disk,
                STATUSES,
                machine.clock,
                committed=lambda before, after: self._committed(replica, before, after),
            )
            runtime = replace(opened, publisher=remote, is_stopping=lambda: stop.is_set() or not may_send(), audit=None)
            with suppress(PublishError):
                await remote.pull()
            health = HealthTracker.beginning(machine.clock.monotonic(), INTERVAL.total_seconds())
            options = RunOptions(rules=ChangeRules(ScopedLimits(LOOSE)), shard=replica.shard)
            watch = Watch(runtime, options, replica.notifier, self.rng.random, health, lambda *_: None)
            await watch.run(stop)

    def _committed(self, replica: Replica, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
        self.commits.append(Commit(self.clock.now(), replica.name, replica.shard, before, after))

    def running(self) -> Iterator[Replica]:
        """Yield the replicas whose process runs."""
        return (each for each in self.replicas.values() if each.process is not None)


async def _set_after(reason: asyncio.Event, stop: asyncio.Event) -> None:
    await reason.wait()
    stop.set()
