"""A watch from a seed: hours of the continuous loop, while people edit specs and faults begin and end.

Rules: as in `seeded_run`, a seed always produces the same run. All faults end before the last part of a run, which is
long enough for everything to settle. Processes are stopped, killed and started again in between.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from tests.contract.dialects.services import Service
from tests.scenario import injections, timed_faults
from tests.scenario.batch_services import provider_of
from tests.scenario.injections import Injector
from tests.scenario.repository import JobSpec
from tests.scenario.seeded_jobs import drawn_services, id_of, with_batches, with_fine_tuning, with_shared_ids, world_of
from tests.scenario.seeded_prices import cost_limits, drawn_prices, with_cost_limits
from tests.scenario.seeded_run import first_revision
from tests.scenario.simulation import RunWatch, Scenario, Simulation, Sleep, Step, TimedInjection

ACCOUNTS = ("one", "two", "three")
DESIRED = ("running", "paused", "cancelled", *("observed",) * 5)
CALM_S = 4500.0
"""Seconds, long enough for the last cancel to be repeated and confirmed, and for many missing jobs to count as gone."""
_EDITS: tuple[Injector, ...] = (
    *(injections.change_desired_state,) * 6,
    injections.toggle_typo,
    injections.delete,
    injections.rename,
    injections.suspend,
    injections.limit,
)
_SURROUNDINGS: tuple[Injector, ...] = (
    *(timed_faults.outage,) * 4,
    timed_faults.slowness,
    timed_faults.list_lag,
    timed_faults.forbid_job,
    timed_faults.forbid_job,
    timed_faults.vanish,
    timed_faults.vanish,
    timed_faults.wrong_project,
    timed_faults.shut,
    timed_faults.lose_key,
    timed_faults.skew,
    timed_faults.fill_disk,
    timed_faults.refuse_reads,
    timed_faults.missed_events,
    timed_faults.break_settings,
    timed_faults.go_down,
    timed_faults.ask_for_retry,
    injections.create_outside,
    *(timed_faults.lose_cancel,) * 2,
    injections.fault,
    injections.fault,
    injections.response_fault,
)
_OF_GIT: tuple[Injector, ...] = (*(timed_faults.git_away,) * 3, *(timed_faults.git_slow,) * 2)


def scenario(seed: int) -> Scenario:
    """Return the watch of a seed."""
    rng = random.Random(f"watch {seed}")  # noqa: S311  repeatable, not secret
    services = drawn_services(rng, ACCOUNTS[: rng.choice([1, 2, 2, 3])])
    prices = drawn_prices(f"watch {seed}", services)
    job_specs = tuple(with_cost_limits(f"watch {seed}", _job_specs(rng, services), prices))
    trouble_s = rng.choice([1200.0, 2400.0, 4200.0])
    is_published = rng.random() < 0.4
    steps = tuple(_steps(rng, trouble_s))
    accounts = (*with_fine_tuning(services), *with_batches(services))
    return Scenario(
        seed=seed,
        worlds={account: world_of(rng, account, job_specs, services, 12) for account in accounts},
        revision=first_revision(job_specs, services, prices),
        steps=steps,
        schedule=(
            *_hangs(rng, steps),
            *_happenings(rng, trouble_s, is_published=is_published),
            *cost_limits(f"watch {seed}", trouble_s, prices),
            TimedInjection(trouble_s, _end_faults),
        ),
        prices=prices,
        is_published=is_published,
    )


def _job_specs(rng: random.Random, services: Mapping[str, Service]) -> Iterator[JobSpec]:
    """Yield specs for jobs of both kinds."""
    accounts = [each for each in with_fine_tuning(services) for _ in range(rng.choice([1, 2, 4, 6]))]
    accounts += [each for each in with_batches(services) for _ in range(rng.choice([2, 4, 6]))]
    job_specs = tuple(
        _job_spec(number, account, id_of(services[provider_of(account)], account, number), rng.choice(DESIRED))
        for number, account in enumerate(accounts)
    )
    yield from with_shared_ids(rng, job_specs, services)


def _job_spec(number: int, account: str, job_id: str, desired: str) -> JobSpec:
    name = f"job-{number:02}"
    return JobSpec(name=name, file=f"{name}.yaml", account=account, job_id=job_id, desired=desired)


def _steps(rng: random.Random, trouble_s: float) -> Iterator[Step]:
    left = trouble_s + CALM_S
    while left > CALM_S and rng.random() < 0.4:
        seconds = rng.uniform(60, trouble_s / 2)
        yield RunWatch(seconds)
        yield Sleep(rng.choice([0.5, 30.0, 300.0]))
        left -= seconds
    yield RunWatch(left)


def _hangs(rng: random.Random, steps: tuple[Step, ...]) -> Iterator[TimedInjection]:
    """Let requests be in progress when a watch is stopped, in some runs."""
    at = 0.0
    for step in steps[:-1]:
        at += getattr(step, "seconds", 0.0)
        if isinstance(step, RunWatch) and rng.random() < 0.5:
            yield TimedInjection(at - 3.0, timed_faults.hang)


def _happenings(rng: random.Random, within_s: float, *, is_published: bool) -> Iterator[TimedInjection]:
    kinds = (*_SURROUNDINGS, *_OF_GIT) if is_published else _SURROUNDINGS
    for _ in range(rng.randrange(4, 12)):
        yield TimedInjection(rng.uniform(0, within_s), rng.choice(_EDITS))
    for _ in range(rng.randrange(3, 10)):
        at = rng.choice([0.0, rng.uniform(0, within_s)])
        yield TimedInjection(at, rng.choice(kinds))
        # Cancels are requested during each fault, to check that a fault of one account does not delay another.
        for _ in range(rng.randrange(3)):
            yield TimedInjection(
                min(at + rng.choice([0.3, 3.0, 20.0, 60.0]) * rng.random(), within_s), injections.want_gone
            )


def _end_faults(simulation: Simulation) -> None:
    injections.mend_everything(simulation)
    simulation.end_faults()
