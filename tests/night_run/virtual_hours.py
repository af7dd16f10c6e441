"""Hours of virtual time in the simulator: the controller over 5,000 jobs in 8 accounts, with the real transport.

Every hour the living objects of the product are counted by their type, so that a leak shows which type leaks. Requests,
writes of statuses and lines of the log are counted from the history of the hour. Then the history is cleared, so that
no object lives because the simulator recorded it. The number of specs stays the same after the first minutes.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from time import process_time

from reconciler.sandbox.config import DeclaredJob, SandboxOptions
from reconciler.sandbox.faults import FAULTS
from tests.benchmarks.world import note
from tests.night_run.trend import leak
from tests.night_run.workload import (
    CANCELLED_AFTER,
    Short,
    account_name,
    fault_at,
    lasting_jobs,
    short_jobs,
)
from tests.scenario.history import FileWritten, Logged, ProviderRequest
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
    """A run: what each hour needed, and the number of living objects of each type at the end of each hour."""

    hours: list[Mapping[str, float]] = field(default_factory=list)
    alive: list[Counter[str]] = field(default_factory=list)
    cancels: Counter[str] = field(default_factory=Counter)
    """The number of cancel requests for each job that succeeded."""

    def add_hour(self, simulation: Simulation) -> None:
        """Add the hour that ends now, and clear the history of the simulation."""
        events = simulation.history.events
        counts = Counter(NAMES[type(each)] for each in events if type(each) in NAMES)
        self.cancels.update(
            str(each.job_id)
            for each in events
            if isinstance(each, ProviderRequest) and each.verb == "cancel" and each.status == HTTPStatus.OK
        )
        events.clear()
        specs, statuses = len(simulation.revision.job_specs), len(simulation.statuses())
        gc.collect()
        kinds = (type(each) for each in gc.get_objects())
        alive = Counter(f"{kind.__module__}.{kind.__name__}" for kind in kinds if _is_ours(kind))
        needed = {name: counts[name] for name in NAMES.values()}
        self.hours.append({"specs": specs, "statuses": statuses, **needed, "living objects": alive.total()})
        self.alive.append(alive)
        figures = ", ".join(f"{name} {value:,.0f}" for name, value in self.hours[-1].items())
        note(f"hour {len(self.alive)} after {process_time():,.0f} s of CPU time: {figures}")

    def leaks(self) -> dict[str, tuple[int, int]]:
        """Return each type that leaks, with the numbers of its objects that `leak` compares."""
        found = {name: leak([each[name] for each in self.alive]) for name in self.alive[-1]}
        return {name: numbers for name, numbers in found.items() if numbers is not None}


NAMES: Mapping[type, str] = {
    ProviderRequest: "requests",
    FileWritten: "statuses written",
    Logged: "lines of the log",
}


@dataclass(slots=True)
class _People:
    """What people and providers do during the run."""

    night: Night
    lasting: tuple[JobSpec, ...]
    ran: Ran = field(default_factory=Ran)

    def schedule(self) -> Iterator[TimedInjection]:
        """Yield everything that happens, with its time."""
        for minute in range(self.night.hours * 60):
            if minute % STEP_MIN == 0:
                yield TimedInjection(minute * MINUTE_S, partial(self._edit, minute))
            if (fault := fault_at(minute)) is not None:
                yield TimedInjection(minute * MINUTE_S, partial(_break, *fault))
                yield TimedInjection((minute + 1) * MINUTE_S - 1, Simulation.end_faults)
        for hour in range(1, self.night.hours + 1):
            yield TimedInjection(hour * HOUR_S - 1, self.ran.add_hour)

    def _edit(self, minute: int, simulation: Simulation) -> None:
        short = []
        for account in range(self.night.accounts):
            begun = Short(account, minute)
            declared = DeclaredJob.model_validate(begun.declared())
            simulation.providers[account_name(account)].world.bear(begun.id, declared, simulation.clock.now())
            short += [_spec(each, minute) for each in short_jobs(account, minute) if _exists(each, minute)]
        simulation.edit(f"minute {minute}", replace(simulation.revision, job_specs=(*self.lasting, *short)))


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
    simulate(scenario)
    return people.ran
