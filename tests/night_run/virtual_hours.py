"""Hours of virtual time in the simulator: the controller over 5,000 jobs in 8 accounts, with the real transport.

Every hour the living objects of the product are counted by their type, so that a leak shows which type leaks. Requests,
writes of statuses and lines of the log are counted from the history of the run.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from reconciler.sandbox.config import DeclaredJob, SandboxOptions
from reconciler.sandbox.faults import FAULTS
from tests.benchmarks.world import note
from tests.night_run.workload import (
    CANCELLED_AFTER,
    Short,
    account_name,
    fault_at,
    lasting_jobs,
    short_jobs,
)
from tests.scenario.history import FileWritten, History, Logged, ProviderRequest
from tests.scenario.repository import JobSpec, Revision
from tests.scenario.simulation import RunWatch, Scenario, Simulation, TimedInjection, simulate

MINUTE_S, HOUR_S = 60, 3600
STEP_MIN = 2
"""The minutes between two edits. In each, a short job begins in each account."""
PRODUCT = "reconciler."


@dataclass(frozen=True, slots=True)
class Night:
    """The size of a run."""

    hours: int
    jobs: int
    accounts: int

    @property
    def lasting(self) -> int:
        """The number of lasting jobs of each account."""
        return self.jobs // self.accounts


@dataclass(slots=True)
class Ran:
    """A finished run: its history, and the number of living objects of each type at the end of each hour."""

    night: Night
    history: History
    alive: Sequence[Counter[str]]

    def by_hour(self) -> list[Mapping[str, float]]:
        """Return what each hour needed."""
        found: list[Counter[str]] = [Counter() for _ in range(self.night.hours)]
        names = {ProviderRequest: "requests", FileWritten: "statuses written", Logged: "lines of the log"}
        for event in self.history.events:
            name = names.get(type(event))
            hour = int((event.at - self.history.began_at).total_seconds() // HOUR_S)
            if name is not None and hour < len(found):
                found[hour][name] += 1
        return [
            {**{name: float(counts[name]) for name in names.values()}, "living objects": float(alive.total())}
            for counts, alive in zip(found, self.alive, strict=True)
        ]

    def cancels(self) -> Counter[str]:
        """Return the number of cancel requests for each job that succeeded."""
        return Counter(
            str(each.job_id)
            for each in self.history.events
            if isinstance(each, ProviderRequest) and each.verb == "cancel" and each.status == 200
        )

    def leaks(self) -> dict[str, tuple[int, int]]:
        """Return each type of which more objects live after the last hour than after the second one."""
        early, late = self.alive[1], self.alive[-1]
        return {
            name: (early[name], late[name])
            for name in late
            if late[name] - early[name] > max(MORE_OBJECTS, MORE_SHARE * early[name])
        }


MORE_OBJECTS, MORE_SHARE = 200, 0.02
"""A type leaks if its objects grow by more than both."""


@dataclass(slots=True)
class _People:
    """What people and providers do during the run."""

    night: Night
    lasting: tuple[JobSpec, ...]
    alive: list[Counter[str]] = field(default_factory=list)

    def schedule(self) -> Iterator[TimedInjection]:
        """Yield everything that happens, with its time."""
        for minute in range(self.night.hours * 60):
            if minute % STEP_MIN == 0:
                yield TimedInjection(minute * MINUTE_S, partial(self._edit, minute))
            if (fault := fault_at(minute)) is not None:
                yield TimedInjection(minute * MINUTE_S, partial(_break, *fault))
                yield TimedInjection((minute + 1) * MINUTE_S - 1, Simulation.end_faults)
        for hour in range(1, self.night.hours + 1):
            yield TimedInjection(hour * HOUR_S - 1, self._count)

    def _edit(self, minute: int, simulation: Simulation) -> None:
        short = []
        for account in range(self.night.accounts):
            begun = Short(account, minute)
            declared = DeclaredJob.model_validate(begun.declared())
            simulation.providers[account_name(account)].world.bear(begun.id, declared, simulation.clock.now())
            short += [_spec(each, minute) for each in short_jobs(account, minute) if _exists(each, minute)]
        simulation.edit(f"minute {minute}", replace(simulation.revision, job_specs=(*self.lasting, *short)))

    def _count(self, simulation: Simulation) -> None:
        del simulation
        gc.collect()
        kinds = (type(each) for each in gc.get_objects())
        self.alive.append(Counter(f"{kind.__module__}.{kind.__name__}" for kind in kinds if _is_ours(kind)))
        note(f"hour {len(self.alive)}: {self.alive[-1].total():,} objects")


def _is_ours(kind: type) -> bool:
    module = str(kind.__module__)  # a few types of C extensions have a descriptor there
    return module.startswith(PRODUCT) and not module.startswith(f"{PRODUCT}sandbox")


def _exists(job: Short, minute: int) -> bool:
    return job.minute >= 0 and job.minute % STEP_MIN == 0 and job.spec(minute) is not None


def _spec(job: Short, minute: int) -> JobSpec:
    is_cancelled = job.minute // STEP_MIN % 2 == 0 and minute >= job.minute + CANCELLED_AFTER
    return _job_spec(job.account, job.id, "cancelled" if is_cancelled else "observed")


def _job_spec(account: int, job_id: str, desired: str) -> JobSpec:
    name = account_name(account)
    return JobSpec(name=job_id, file=f"{name}/{job_id}.yaml", account=name, job_id=job_id, desired=desired)


def _break(account: int, rule: dict[str, object], simulation: Simulation) -> None:
    simulation.providers[account_name(account)].faults.add(FAULTS.validate_python([rule]))


def run(night: Night) -> Ran:
    """Simulate a night, and return what happened."""
    accounts = range(night.accounts)
    jobs = {account: list(lasting_jobs(account, night.lasting)) for account in accounts}
    lasting = tuple(_job_spec(account, str(job["id"]), "observed") for account in accounts for job in jobs[account])
    people = _People(night, lasting)
    worlds = {account_name(each): SandboxOptions.model_validate({"jobs": jobs[each]}) for each in accounts}
    urls = {account_name(each): f"http://{account_name(each)}.localhost/v1" for each in accounts}
    scenario = Scenario(
        seed=0,
        worlds=worlds,
        revision=Revision(job_specs=lasting, accounts=urls),
        steps=(RunWatch(night.hours * HOUR_S),),
        schedule=tuple(people.schedule()),
        has_small_pages=False,
    )
    return Ran(night, simulate(scenario), people.alive)
