"""Long watches in virtual time, with the real transport: the number of requests and of writes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from reconciler.ports import Rate
from reconciler.sandbox.config import SandboxOptions
from tests.scenario.history import INTACT, FileWritten, History, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.statuses import unobserved_phase
from tests.scenario.repository import Revision
from tests.scenario.short_runs import ACCOUNT, URL, a_job_spec, cancels, fault, healed, reason
from tests.scenario.simulation import RunWatch, Scenario, Simulation, Step, TimedInjection, simulate

HOUR_S = 3600
DAY_S = 24 * HOUR_S
BUDGET = Rate()
"""The default rate limit of an account of type openai."""

LAWS = tuple(oracle for oracle in ALWAYS if oracle is not unobserved_phase)
"""The oracles without `unobserved_phase`: in a watch an account worker may outlive its pass, so that a status may
rest on a response that arrived before its pass."""

Record = Callable[[str, object], None]


def a_job(number: int) -> dict[str, object]:
    """Return a job of a long day. Some jobs have ended, most run, some are queued, and they end at different hours."""
    life: list[dict[str, str]] = [{"phase": "running", "for": f"{2 + number % 47}h"}, {"phase": "succeeded"}]
    if number % 6 == 0:
        life = [{"phase": "succeeded"}]
    elif number % 6 == 1:
        life = [{"phase": "queued", "for": f"{1 + number % 30}h"}, *life]
    return {"id": f"ftjob-{number:03}", "age": "90m", "life": life}


def a_job_that_goes_on(number: int) -> dict[str, object]:
    return {"id": f"ftjob-{number:03}", "age": "90m", "life": [{"phase": "running"}]}


def a_watch(
    jobs: int,
    *steps: Step,
    schedule: Iterable[TimedInjection] = (),
    job: Callable[[int], dict[str, object]] = a_job,
) -> Scenario:
    job_specs = tuple(a_job_spec(f"ftjob-{number:03}", "observed") for number in range(jobs))
    return Scenario(
        seed=0,
        worlds={ACCOUNT: SandboxOptions.model_validate({"jobs": list(map(job, range(jobs)))})},
        revision=Revision(job_specs=job_specs, accounts={ACCOUNT: URL}),
        steps=steps,
        schedule=tuple(schedule),
        has_small_pages=False,
    )


def cancelled(after_s: float, number: int) -> TimedInjection:
    """Return a commit that requests the cancel of one job."""

    def commit(simulation: Simulation) -> None:
        simulation.edit(f"cancel {number}", simulation.revision.changed(f"job-{number:03}", desired="cancelled"))

    return TimedInjection(after_s, commit)


def outages(seconds: float, seed: int) -> Iterator[TimedInjection]:
    """Yield faults of every kind that delays requests, with and without a known end, and hours without faults."""
    rng = random.Random(seed)  # noqa: S311  a seed determines the run
    at = 0.0
    while at < seconds:
        at += rng.uniform(600, 4 * HOUR_S)
        rule: dict[str, object] = rng.choice(
            [
                {"fault": "status", "status": "503"},
                {"fault": "status", "status": "429"},
                {"fault": "status", "status": "429", "retry_after": f"{rng.randrange(1, 900)}s"},
                {"fault": "hang"},
                {"fault": "reset-before-acting"},
                {"fault": "status", "status": "500", "times": rng.randrange(1, 20)},
            ]
        )
        yield fault(at, **rule)
        at += rng.uniform(60, 6 * HOUR_S)
        yield healed(at)


def moments_of(history: History) -> list[float]:
    """Return the times at which requests arrived, in seconds."""
    return [
        (each.at - history.began_at).total_seconds() for each in history.events if isinstance(each, ProviderRequest)
    ]


def writes(history: History, since_s: float = 0) -> list[FileWritten]:
    since = history.began_at + timedelta(seconds=since_s)
    return [each for each in history.events if isinstance(each, FileWritten) and each.at >= since]


def busiest_minute(moments: list[float]) -> int:
    return max(Counter(int(moment // 60) for moment in moments).values())


def overdrawn(moments: list[float], rate: Rate) -> float:
    """Return by how many requests a token bucket of this rate was exceeded. At most 0 means not at all."""
    level = most = 1.0
    for before, after in pairwise(moments):
        level = max(0.0, level - (after - before) * rate.requests_per_second) + 1
        most = max(most, level)
    return most - rate.burst


@pytest.mark.long
def test_a_day_with_three_hundred_jobs_needs_few_requests(record_property: Record, pytestconfig: pytest.Config) -> None:
    hours = 24 if pytestconfig.getoption("long") else 3
    edits = [cancelled(HOUR_S * (turn + 0.5), 2 + 6 * turn) for turn in range(hours)]
    history = simulate(a_watch(300, RunWatch(hours * HOUR_S), schedule=edits))
    moments = moments_of(history)
    record_property(
        f"{hours} hours with 300 jobs and {hours} commits",
        f"{len(moments)} requests, {len(moments) / hours / 60:.2f} a minute, {busiest_minute(moments)} in the busiest; "
        f"{len(writes(history))} status writes, {len(writes(history, 60))} after the first minute",
    )

    assert not verdict(history, LAWS)
    assert {reason(history, f"job-{2 + 6 * turn:03}") for turn in range(hours)} <= {"Cancelled", "FinishedBeforeCancel"}
    assert len(moments) / hours / 60 < 300 / 60
    assert overdrawn(moments, BUDGET) <= 0


@pytest.mark.sampled(1)
@pytest.mark.parametrize("after_s", [1, 60, 299])
def test_a_cancel_does_not_wait_for_the_observation_of_many_vanished_jobs(
    after_s: int, record_property: Record, pytestconfig: pytest.Config
) -> None:
    jobs = 2000 if pytestconfig.getoption("long") else 200
    gone, gone_at_s = 3 * jobs // 10, 600

    def a_job_of_a_crowd(number: int) -> dict[str, object]:
        life = [{"phase": "running", "for": f"{90 * 60 + gone_at_s}s"}, {"phase": "absent"}]
        return {"id": f"ftjob-{number:03}", "age": "90m", "life": life if number < gone else [{"phase": "running"}]}

    edit = cancelled(gone_at_s + after_s, jobs - 1)
    history = simulate(a_watch(jobs, RunWatch(gone_at_s + 900), schedule=[edit], job=a_job_of_a_crowd))
    (left_at_s,) = [each.total_seconds() for each in cancels(history)]
    asked = sum(moment > gone_at_s for moment in moments_of(history))
    record_property(
        f"{gone} of {jobs} jobs vanish, and {after_s} s later one of the others is to be cancelled",
        f"its cancel leaves after {left_at_s - gone_at_s - after_s:.1f} s; {asked} requests in 15 minutes",
    )

    assert not verdict(history, LAWS)
    assert left_at_s - gone_at_s - after_s < 8
    assert asked < 100


def test_an_idle_watch_writes_nothing_and_observes_many_jobs_with_one_request(
    record_property: Record, pytestconfig: pytest.Config
) -> None:
    jobs = 300 if pytestconfig.getoption("long") else 100
    began_s = 600  # by then every job was observed
    history = simulate(a_watch(jobs, RunWatch(began_s + HOUR_S), job=a_job_that_goes_on))
    moments = moments_of(history)
    late = [moment for moment in moments if moment > began_s]
    record_property(
        f"an hour in which nothing happens, with {jobs} running jobs", f"{len(late)} requests, 0 status writes"
    )

    assert len(writes(history)) == jobs
    assert writes(history, since_s=60) == []
    assert len(late) <= 3 * 60 / 4


@pytest.mark.long
def test_outages_never_raise_the_request_rate_above_its_limit(
    record_property: Record, pytestconfig: pytest.Config
) -> None:
    days = 7 if pytestconfig.getoption("long") else 1
    seconds = days * DAY_S
    edits = [cancelled(HOUR_S * (5 * turn + 2), 2 + 6 * turn) for turn in range(4)]
    troubles = [*outages(seconds, seed=7), *edits]
    history = simulate(a_watch(30, RunWatch(seconds), schedule=troubles, job=a_job_that_goes_on))
    moments = moments_of(history)
    bad = sum(each.status != INTACT for each in history.events if isinstance(each, ProviderRequest))
    record_property(
        f"{days} days of outages with 30 jobs",
        f"{len(moments)} requests, {bad} of them in vain, {busiest_minute(moments)} in the busiest minute, "
        f"{overdrawn(moments, BUDGET) + BUDGET.burst:.1f} of a bucket of {BUDGET.burst} used at most; "
        f"{len(writes(history))} status writes",
    )

    assert not verdict(history, LAWS)
    assert bad > 0
    assert overdrawn(moments, BUDGET) <= 0
