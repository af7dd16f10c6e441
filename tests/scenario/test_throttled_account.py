"""A provider that throttles requests beyond its limit, and accounts whose request rate no document limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.scenario.history import History, ProviderRequest
from tests.scenario.oracles import ALWAYS, OF_A_WATCH, verdict
from tests.scenario.oracles.requests import rate_limit_exceeded
from tests.scenario.provider import THROTTLED
from tests.scenario.repository import JobSpec
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every, fault, healed, reason
from tests.scenario.simulation import RunWatch, Simulation, Sleep, TimedInjection, simulate
from tests.support.limited_provider import Hint, LimitedProvider

JOBS = tuple(a_job_spec(f"ftjob-{number:02}") for number in range(30))
FOLLOWED = tuple(a_job_spec(f"ftjob-{number:02}", "observed") for number in range(30))
LAWS = tuple(law for law in ALWAYS if law is not rate_limit_exceeded)
"""All oracles except the oracle for pauses and rate limits."""

Record = Callable[[str, object], None]


def throttled(hint: Hint, specs: tuple[JobSpec, ...], passes: int) -> History:
    """Run for ten minutes with a provider that allows two requests a second."""

    def limit(simulation: Simulation) -> None:
        simulation.providers["one"].host.limit = LimitedProvider(2.0, hint)

    steps = (Sleep(1.0), *every(600.0 / passes, passes))
    scenario = a_scenario(*specs, steps=steps, schedule=[TimedInjection(0.5, limit)])
    return simulate(replace(scenario, revision=replace(scenario.revision, has_rate_limits=False)))


def test_edits_during_a_requested_pause_do_not_delay_the_observation_after_it() -> None:
    def edit(simulation: Simulation) -> None:
        limit = timedelta(hours=100) + simulation.clock.now() - simulation.history.began_at
        simulation.edit("another limit", simulation.revision.changed("job-a", max_queued=limit))

    down = fault(fault="status", status="503", retryAfter="30s")
    schedule = [down, *(TimedInjection(float(second), edit) for second in range(1, 30)), healed(45.0)]
    history = simulate(a_scenario(a_job_spec(), steps=[RunWatch(600.0)], schedule=schedule))
    sent = [each.at - history.began_at for each in requests(history)]

    assert sent[:2] == [timedelta(0), timedelta(seconds=30)]
    assert timedelta(seconds=60) <= cancels(history)[0] < timedelta(seconds=65), sent
    assert not verdict(history, OF_A_WATCH)


def requests(history: History) -> list[ProviderRequest]:
    return [each for each in history.events if isinstance(each, ProviderRequest)]


def test_reads_that_are_repeated_on_a_new_connection_stay_within_the_rate_limit() -> None:
    broken = [fault(fault="reset-before-acting", on="retrieve", after=each, times=1) for each in range(1, 12)]
    history = simulate(a_scenario(*JOBS[:12], steps=every(61.0, 1), schedule=broken))
    reads = Counter(each.job_id for each in requests(history) if each.verb == "retrieve")

    assert not verdict(history, ALWAYS)
    assert sum(reads.values()) > len(reads) + 6
    assert len(cancels(history)) == 12


@pytest.mark.sampled(1)
@pytest.mark.parametrize("hint", Hint)
def test_thirty_cancels_of_a_throttled_account_are_each_accepted_once(hint: Hint, record_property: Record) -> None:
    history = throttled(hint, JOBS, passes=60)
    refused = [each for each in requests(history) if each.fault == THROTTLED]
    accepted = Counter(each.job_id for each in requests(history) if each.is_change and each.is_well)
    done_at = max(each.ended_at for each in requests(history) if each.is_change) - history.began_at
    record_property(
        f"30 cancels where 2 requests a second are allowed, hints: {hint.value}",
        f"{len(refused)} of {len(requests(history))} requests were throttled; the last cancel was sent after {done_at}",
    )

    assert {reason(history, each.name) for each in JOBS} == {"Cancelled"}
    assert set(accepted.values()) == {1}
    assert set(accepted) == {each.job_id for each in JOBS}
    assert not verdict(history, LAWS)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("hint", Hint)
def test_a_throttled_account_that_is_polled_for_ten_minutes_is_seldom_throttled(
    hint: Hint, record_property: Record
) -> None:
    history = throttled(hint, FOLLOWED, passes=120)
    refused = [each for each in requests(history) if each.fault == THROTTLED]
    record_property(
        f"30 jobs are polled where 2 requests a second are allowed, hints: {hint.value}",
        f"{len(refused)} of {len(requests(history))} requests were throttled",
    )

    assert len(refused) <= 0.1 * len(requests(history)) + 10
    assert not verdict(history, LAWS)
