from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.scenario.history import History, PassStarted, ProviderRequest
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import (
    ACCOUNT,
    a_job_spec,
    a_scenario,
    cancels,
    every,
    fault,
    last_status,
    reason,
    writes,
)
from tests.scenario.simulation import CrashAfter, Pass, Scenario, Simulation, Sleep, TimedInjection, simulate

OTHERS = tuple(a_job_spec(f"ftjob-{number:02}", "observed") for number in range(21))
"""So many jobs that they are listed, together with the job that has ended."""
BACK_S = 150.0


def revive(simulation: Simulation) -> None:
    simulation.providers[ACCOUNT].world.revive("ftjob-a", simulation.clock.now())


def cancel(simulation: Simulation) -> None:
    simulation.providers[ACCOUNT].world.cancel("ftjob-a", simulation.clock.now())


def a_run(desired: str = "cancelled", *schedule: TimedInjection, passes: int = 8) -> Scenario:
    """Cancel a job, let it end, and then let it run again."""
    usual = schedule or (TimedInjection(BACK_S, revive),)
    return a_scenario(a_job_spec("ftjob-a", desired), *OTHERS, steps=[*every(61.0, passes), Pass()], schedule=usual)


def looks_at_it(history: History) -> list[int]:
    """Return the number of the pass, from 0, for each retrieve of the revived job."""
    passes, found = -1, []
    for event in history.events:
        passes += isinstance(event, PassStarted)
        if isinstance(event, ProviderRequest) and (event.verb, event.job_id) == ("retrieve", "ftjob-a"):
            found.append(passes)
    return found


def reasons(history: History) -> list[tuple[str, str]]:
    """Return the phase and reason of each entry of the status's history, oldest first."""
    entries = reversed(last_status(history, "job-a")["status"]["history"])
    return [(each["phase"], each["reason"]) for each in entries]


def test_a_job_observed_running_again_twice_is_reopened_and_cancelled() -> None:
    history = simulate(a_run())

    assert not verdict(history, ALWAYS)
    assert [round(each.total_seconds()) for each in cancels(history)] == [0, 249]
    assert reasons(history)[1:] == [
        ("cancelled", "Cancelled"),
        ("running", "PhaseWentBack"),
        ("running", "CancelPending"),
        ("cancelled", "Cancelled"),
    ]
    assert last_status(history, "job-a")["status"]["final"] is True


def test_a_finished_job_needs_no_request_unless_a_list_contradicts_it() -> None:
    history = simulate(a_run("cancelled", TimedInjection(0.0, lambda _: None)))
    kinds = Counter(each.verb for each in history.events if isinstance(each, ProviderRequest))

    assert looks_at_it(history) == [0], "the job is retrieved only before its cancel"
    assert kinds["cancel"] == 1


def test_a_stale_list_alone_does_not_reopen_a_finished_job() -> None:
    stale = fault(90.0, **{"fault": "stale-read", "for": "1h", "on": "list"})
    history = simulate(a_run("cancelled", stale))

    assert len(looks_at_it(history)) > 2, "the list contradicts the end, so the job was retrieved"
    assert len(cancels(history)) == 1
    assert ("running", "PhaseWentBack") not in reasons(history)
    assert len([each for each in writes(history) if each.path == "job-a.yaml"]) == 3


def test_one_contradicting_observation_does_not_reopen_a_finished_job() -> None:
    history = simulate(a_run("cancelled", TimedInjection(BACK_S, revive), TimedInjection(200.0, cancel)))

    assert len(cancels(history)) == 1
    assert ("running", "PhaseWentBack") not in reasons(history)
    assert last_status(history, "job-a")["status"].get("doubtedAt") is None


def test_few_jobs_are_not_listed_so_a_revived_job_is_not_retrieved_again() -> None:
    scenario = a_scenario(
        a_job_spec("ftjob-a"), steps=[*every(61.0, 8), Pass()], schedule=[TimedInjection(BACK_S, revive)]
    )
    history = simulate(scenario)

    assert looks_at_it(history) == [0, 1]


@pytest.mark.parametrize("desired", ["running", "observed"])
def test_a_revived_job_whose_desired_state_is_running_is_as_desired(desired: str) -> None:
    history = simulate(a_run(desired, TimedInjection(30.0, cancel), TimedInjection(BACK_S, revive)))

    assert not cancels(history)
    assert reason(history, "job-a") == "AsDesired"
    assert last_status(history, "job-a")["status"]["phase"] == "running"


@pytest.mark.long
def test_a_crash_causes_at_most_one_extra_cancel_for_each_run_of_the_job() -> None:
    scenario = a_run(passes=5)
    effects = simulate(scenario).effects
    after = replace(scenario, steps=(*scenario.steps, Sleep(61.0), *every(61.0, 4), Pass()))
    histories = [simulate(replace(after, steps=(CrashAfter(effect), *after.steps))) for effect in range(0, effects, 5)]

    assert not [each for history in histories for each in verdict(history, ALWAYS)]
    assert {reason(history, "job-a") for history in histories} == {"Cancelled"}
    assert {len(cancels(history)) for history in histories} <= {2, 3}
