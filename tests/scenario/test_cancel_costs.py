"""The guard's limit on what cancelled jobs have cost, in virtual time, over restarts and without the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from reconciler.core.guard import ChangeLimits
from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.price_book import PriceBook
from tests.scenario.short_runs import a_batch_spec, a_job_spec, a_scenario, cancels, every, reason, writes
from tests.scenario.simulation import CrashAfter, Pass, RunWatch, Simulation, TimedInjection, simulate
from tests.scenario.test_change_limit import lose_state

HOUR_S = 3600.0
CHANGED_AT_S = 90.0
LOST_AT_S = 182.0
WANTED_AT_S = 220.0
ROOMY = ChangeLimits(max_cancels=100, max_cancel_percent=100, max_cancels_absolute=100)
PRICES = {("openai", "FineTuningJob"): Decimal(10)}


def want(*names: str) -> Callable[[Simulation], None]:
    """Return an edit that requests the cancel of these jobs."""

    def edit(simulation: Simulation) -> None:
        for name in names:
            simulation.edit("-> cancelled", simulation.revision.changed(name, desired="cancelled"))

    return edit


def played(most: int, *, is_lost: bool, hourly: Mapping[tuple[str, str], Decimal] = PRICES) -> History:
    """Run: two jobs that have each cost 10 USD are cancelled, then the cancels of a third and a batch are wanted.

    With `is_lost`, the process ends in between and the state directory is lost, so only the statuses record the costs.
    """
    job_specs = [
        a_job_spec("ftjob-a"),
        a_job_spec("ftjob-b"),
        a_job_spec("ftjob-c", "observed"),
        a_batch_spec("batch_d", "observed"),
    ]
    schedule = [TimedInjection(WANTED_AT_S, want("job-c", "batch-d"))]
    steps = (*every(61.0, 3), RunWatch(1.0), *every(61.0, 70), Pass()) if is_lost else (*every(61.0, 72), Pass())
    if is_lost:
        schedule.append(TimedInjection(LOST_AT_S, lose_state))
    scenario = a_scenario(*job_specs, steps=steps, schedule=schedule)
    return simulate(replace(scenario, prices=PriceBook(hourly, Decimal(most)), change_limits=ROOMY))


@pytest.mark.parametrize("is_lost", [False, True], ids=["one process", "after the state is lost"])
def test_the_costs_of_the_last_hour_count_and_an_unknown_cost_is_never_allowed(*, is_lost: bool) -> None:
    history = played(25, is_lost=is_lost)
    asked = {job: [each.total_seconds() for each in cancels(history, f"ftjob-{job}")] for job in "abc"}

    assert not verdict(history, ALWAYS)
    assert all(len(asked[job]) == 1 and asked[job][0] < CHANGED_AT_S for job in "ab"), asked
    assert len(asked["c"]) == 1
    assert HOUR_S < asked["c"][0] < HOUR_S + 90
    assert cancels(history, "batch_d") == []
    assert reason(history, "batch-d") == "RefusedByGuard"


def test_a_higher_limit_allows_the_same_cancels_at_once() -> None:
    history = played(60, is_lost=False, hourly={**PRICES, ("openai", "BatchJob"): Decimal(1)})

    assert not verdict(history, ALWAYS)
    assert [each.total_seconds() < WANTED_AT_S + 90 for each in cancels(history)] == [True] * 4


def test_a_status_that_reports_a_refusal_is_not_written_again_while_the_cost_grows() -> None:
    scenario = a_scenario(a_job_spec("ftjob-a"), a_job_spec("ftjob-b"), steps=(*every(61.0, 20), Pass()))
    history = simulate(replace(scenario, prices=PriceBook(PRICES, Decimal(15)), change_limits=ROOMY))

    assert not verdict(history, ALWAYS)
    assert cancels(history) == []
    assert [each.path for each in writes(history)] == ["job-a.yaml", "job-b.yaml"]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("crash_at", range(12))
def test_a_crash_at_any_effect_forgets_no_cost(crash_at: int) -> None:
    job_specs = [a_job_spec(f"ftjob-{each}", "cancelled" if each in "ab" else "observed") for each in "abc"]
    steps = (CrashAfter(crash_at), *every(61.0, 12), Pass())
    scenario = a_scenario(*job_specs, steps=steps, schedule=[TimedInjection(WANTED_AT_S, want("job-c"))])
    history = simulate(replace(scenario, prices=PriceBook(PRICES, Decimal(25)), change_limits=ROOMY))

    assert not verdict(history, ALWAYS)
    assert [len(cancels(history, f"ftjob-{each}")) > 0 for each in "abc"] == [True, True, False]
