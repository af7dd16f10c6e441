"""A run from a seed: its jobs, their desired states, the faults, and the times of the passes.

Rules: a seed always produces the same run. Every run ends without faults for long enough that everything settles, and
then with a time in which nothing may change.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconciler.core.guard import ChangeLimits
from tests.contract.dialects.services import Service
from tests.scenario import injections
from tests.scenario.ambiguous_faults import DOUBTS, OF_LISTS, UNDER_BRAKES, RefusedThenCancelled
from tests.scenario.batch_services import provider_of
from tests.scenario.injections import DESIRED, Injector
from tests.scenario.price_book import PriceBook
from tests.scenario.repository import JobSpec, Revision
from tests.scenario.seeded_jobs import drawn_services, id_of, with_batches, with_fine_tuning, with_shared_ids, world_of
from tests.scenario.seeded_prices import cost_limits, drawn_prices, with_cost_limits
from tests.scenario.simulation import (
    LOOSE,
    CrashAfter,
    EndFaults,
    ExpectNoChange,
    Pass,
    RunToCompletion,
    Scenario,
    Sleep,
    Step,
    TimedInjection,
)

ACCOUNTS = ("one", "two")
TIGHT = ChangeLimits(max_cancels=2, max_cancel_percent=0, max_cancels_absolute=2)
BESIDE_COSTS = ChangeLimits(max_cancels=9, max_cancel_percent=0, max_cancels_absolute=9)
"""The limits on numbers in a run with a limit on costs, which is usually reached first."""
MANY = 30
"""More jobs than are retrieved one by one, so that lists are read even if some of the jobs have ended."""
_OF_A_CROWD = ("observed", "observed", "observed", "running", "cancelled")

_EDITS: tuple[Injector, ...] = (
    injections.change_desired_state,
    injections.change_desired_state,
    injections.change_desired_state,
    injections.toggle_typo,
    injections.toggle_broken_file,
    injections.delete,
    injections.rename,
    injections.move,
    injections.duplicate,
    injections.remove_copies,
    injections.suspend,
    injections.limit,
    injections.name_another_job,
    injections.change_kind,
    injections.toggle_broken_account,
    injections.break_settings,
    injections.toggle_suspension,
    injections.mend_settings,
    injections.edit_during_look,
)
_MISHAPS: tuple[Injector, ...] = (
    *(injections.fault,) * 12,
    injections.outage,
    injections.response_fault,
    injections.response_fault,
    injections.skew_clock,
    injections.switch_account,
    injections.lose_key,
    injections.change_outside,
    injections.create_outside,
    injections.create_outside,
    injections.revive,
    injections.damage_status,
    injections.damage_status,
    injections.fill_disk,
    injections.refuse_reads,
    injections.refuse_reads,
)
_IN_A_CROWD: tuple[Injector, ...] = (*(injections.damage_list,) * 4, *(injections.revive,) * 3)
_UNDER_TIGHT_BRAKES: tuple[Injector, ...] = (
    *(injections.change_desired_state,) * 2,
    injections.suspend,
    injections.delete,
    injections.name_another_job,
    injections.change_kind,
    injections.turn_jobs,
    *(injections.refuse_reads,) * 2,
    *(injections.fault,) * 3,
)


def scenario(seed: int) -> Scenario:
    """Return the run of a seed."""
    rng = random.Random(seed)  # noqa: S311  repeatable, not secret
    is_tight = rng.random() < 0.12
    is_crowded = rng.random() < 0.1
    # In these runs people only change desired states, so that doubts about parts of an account are the main faults.
    is_alone = random.Random(f"{seed} alone").random() < 0.25  # noqa: S311  repeatable, not secret
    # The services have their own random source: the run is the same in each dialect.
    services = drawn_services(
        random.Random(f"{seed} services"),  # noqa: S311  repeatable, not secret
        ACCOUNTS[: 1 if is_crowded else rng.choice([1, 1, 2])],
    )
    job_specs = tuple(_job_specs(rng, services, is_crowded=is_crowded))
    worlds = {
        account: world_of(rng, account, job_specs, services, 20 if is_crowded else 0)
        for account in (*with_fine_tuning(services), *with_batches(services))
    }
    prices = drawn_prices(str(seed), services, is_tight=is_tight)
    job_specs = tuple(with_cost_limits(str(seed), job_specs, prices))
    steps = tuple(steps_until_settled(rng, may_crash=not is_tight))
    trouble_s = sum(step.seconds for step in steps[: steps.index(EndFaults())] if isinstance(step, Sleep))
    return Scenario(
        seed=seed,
        worlds=worlds,
        revision=replace(first_revision(job_specs, services, prices), has_rate_limits=not _is_adaptive(seed)),
        steps=steps,
        remaining_steps=steps[steps.index(EndFaults()) :],
        schedule=(
            *_happenings(rng, trouble_s, _UNDER_TIGHT_BRAKES if is_tight else _EDITS[:1] if is_alone else None),
            *(TimedInjection(rng.uniform(0, trouble_s), each) for each in _IN_A_CROWD if is_crowded and not is_alone),
            *_doubts(seed, trouble_s, is_tight=is_tight, is_crowded=is_crowded),
            *_refusals(seed, trouble_s),
            *_throttling(seed, trouble_s),
            *cost_limits(str(seed), trouble_s, prices),
        ),
        prices=prices,
        change_limits=_change_limits(prices, is_tight=is_tight),
    )


def _doubts(seed: int, within_s: float, *, is_tight: bool, is_crowded: bool) -> Iterator[TimedInjection]:
    """Yield faults that make a part of an account doubtful, from their own random source."""
    rng = random.Random(f"{seed} doubts")  # noqa: S311  repeatable, not secret
    for _ in range(rng.randrange(3, 7)):
        # Many faults begin at the start, because the first pass sends most requests.
        yield TimedInjection(
            rng.choice([0.0, rng.uniform(0, within_s)]), rng.choice(UNDER_BRAKES if is_tight else DOUBTS)
        )
    for each in OF_LISTS if is_crowded and not is_tight else ():
        yield TimedInjection(rng.uniform(0, within_s), each)


def _refusals(seed: int, within_s: float) -> Iterator[TimedInjection]:
    """Yield the events of a job whose cancels are refused, in some runs, from their own random source."""
    rng = random.Random(f"{seed} refusals")  # noqa: S311  repeatable, not secret
    if rng.random() < 0.2:
        job, third_s = RefusedThenCancelled(), within_s / 3
        for place, do in enumerate((job.refuse, job.cancel, job.keep)):
            yield TimedInjection(rng.uniform(place, place + 1) * third_s, do)


def _is_adaptive(seed: int) -> bool:
    """Return whether the accounts of a run have no configured rate limit."""
    return random.Random(f"{seed} adaptive").random() < 0.4  # noqa: S311  repeatable, not secret


def _throttling(seed: int, within_s: float) -> Iterator[TimedInjection]:
    """Yield the limits of providers that throttle requests, in some runs, from a random source of their own."""
    rng = random.Random(f"{seed} throttling")  # noqa: S311  repeatable, not secret
    if rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            yield TimedInjection(rng.choice([0.0, rng.uniform(0, within_s)]), injections.limit_requests)


def _change_limits(prices: PriceBook | None, *, is_tight: bool) -> ChangeLimits:
    if not is_tight:
        return LOOSE
    return TIGHT if prices is None or prices.most_an_hour is None else BESIDE_COSTS


def _job_specs(rng: random.Random, services: Mapping[str, Service], *, is_crowded: bool) -> Iterator[JobSpec]:
    """Yield specs for jobs of both kinds. In a crowded run, one kind has `MANY` jobs."""
    kinds = [with_fine_tuning(services), with_batches(services)]
    counts = [rng.randrange(2, 5), rng.randrange(2, 5)]
    if is_crowded:
        counts[rng.randrange(2)] = MANY
    accounts = [rng.choice(kind) for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]
    desired = _OF_A_CROWD if is_crowded else DESIRED
    job_specs = tuple(
        _job_spec(rng, number, account, rng.choice(desired), services) for number, account in enumerate(accounts)
    )
    yield from with_shared_ids(rng, job_specs, services)


def _job_spec(rng: random.Random, number: int, account: str, desired: str, services: Mapping[str, Service]) -> JobSpec:
    folder = rng.choice(["", "team-0/", "team-1/"])
    limits: dict[str, Any] = {}
    if rng.random() < 0.2:
        limits["max_age"] = timedelta(minutes=rng.choice([30, 90, 200, 50_000]))
    if rng.random() < 0.1:
        limits["max_queued"] = timedelta(minutes=rng.choice([7, 40]))
    return JobSpec(
        name=f"job-{number:02}",
        file=f"{folder}{rng.choice(['bots', f'job-{number:02}'])}.yaml",
        account=account,
        job_id=id_of(services[provider_of(account)], account, number),
        desired=desired,
        **limits,
    )


def first_revision(
    job_specs: tuple[JobSpec, ...], services: Mapping[str, Service], prices: PriceBook | None = None
) -> Revision:
    """Return the first documents of a run: each Provider has its own host, and the path of its service."""
    addresses = {name: f"http://{name}.localhost{service.path}" for name, service in services.items()}
    declared = {} if prices is None else prices.declared
    return Revision(job_specs=job_specs, accounts=addresses, services=services, declared_prices=declared)


def steps_until_settled(rng: random.Random, *, may_crash: bool) -> Iterator[Step]:
    """Yield passes and sleeps, with crashes in between, and then the end of all faults and the time to settle."""
    for _ in range(rng.randrange(5, 9)):
        if may_crash and rng.random() < 0.3:
            yield CrashAfter(rng.choice([0, rng.randrange(12), rng.randrange(60)]))
        yield RunToCompletion(rng.choice([20.0, 90.0])) if rng.random() < 0.15 else Pass()
        yield Sleep(rng.choice([7.0, 20.0, 61.0, 61.0, 130.0, 700.0]))
    yield EndFaults()
    # The short sleeps are for requests that are soon repeated. The long sleeps are for requests that are repeated after
    # ten minutes or six hours, for change limits, and for jobs that end. The last sleep is for a cancel that takes
    # time.
    for seconds in (61.0, 61.0, 660.0, 7.5 * 3600, 61.0, 660.0, 61.0):
        yield Pass()
        yield Sleep(seconds)
    yield Pass()
    yield ExpectNoChange()
    for _ in range(2):
        yield Sleep(61.0)
        yield Pass()


def _happenings(rng: random.Random, within_s: float, only: tuple[Injector, ...] | None) -> Iterator[TimedInjection]:
    for _ in range(rng.randrange(8, 20)):
        kinds = only or (_EDITS if rng.random() < 0.4 else _MISHAPS)
        # Many events occur before the first observation, because the first pass sends most requests.
        yield TimedInjection(rng.choice([0.0, rng.uniform(0, within_s), rng.uniform(0, within_s)]), rng.choice(kinds))
    # Some errors are never repaired. The due changes must then be reported as stalled, and stay so.
    if rng.random() < 0.8:
        yield TimedInjection(within_s, injections.mend_accounts)
    if rng.random() < 0.9:
        yield TimedInjection(within_s, injections.mend_settings)
