"""A doubtful job affects no other job: jobs that can be observed are decided normally."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import pytest

from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.provider import ResponseFault
from tests.scenario.repository import JobSpec
from tests.scenario.short_runs import ACCOUNT, a_job_spec, a_scenario, cancels, every, fault, last_status, reason
from tests.scenario.simulation import Pass, Scenario, Simulation, Sleep, TimedInjection, simulate

WANTED = {"a": "cancelled", "b": "cancelled", "c": "running", "d": "paused", "e": "observed"}
OBSERVED = tuple(a_job_spec(f"ftjob-{name}", "observed") for name in WANTED)
BEGINS_S = 30.0
TROUBLES: Mapping[str, dict[str, Any]] = {
    "403": {"fault": "status", "status": "403"},
    "404": {"fault": "status", "status": "404", "code": "fine_tune_not_found"},
    "garbage": {"fault": "garbage"},
    "nothing": {"fault": "reset-before-acting"},
}


def subsets(names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield every selection of at least one job, except the selection of all jobs."""
    return chain.from_iterable(combinations(names, count) for count in range(1, len(names)))


def want(simulation: Simulation) -> None:
    """Set the desired state of each spec."""
    job_specs = tuple(replace(each, desired=WANTED[each.job_id[-1]]) for each in simulation.revision.job_specs)
    simulation.edit("all want something", replace(simulation.revision, job_specs=job_specs))


def a_run(job_specs: tuple[JobSpec, ...], *troubles: TimedInjection) -> Scenario:
    """Observe all jobs, and then request a change of each."""
    steps = [Pass(), Sleep(61.0), *every(61.0, 4)]
    return a_scenario(*job_specs, steps=steps, schedule=[*troubles, TimedInjection(BEGINS_S, want)])


def outcome(history: History, name: str) -> tuple[str, str, list[int]]:
    """Return the result of a job: its phase, its reason, and the times of its cancel requests."""
    times = [round(each.total_seconds()) for each in cancels(history, f"ftjob-{name}")]
    return last_status(history, f"job-{name}")["status"]["phase"], reason(history, f"job-{name}"), times


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", TROUBLES)
def test_unobserved_jobs_do_not_change_the_decisions_about_all_others(kind: str, pytestconfig: pytest.Config) -> None:
    every_nth = 1 if pytestconfig.getoption("long") else 3
    for troubled in [*subsets(WANTED)][::every_nth]:
        troubles = [fault(BEGINS_S, **TROUBLES[kind], job=f"ftjob-{name}", on="retrieve") for name in troubled]
        others = [name for name in WANTED if name not in troubled]
        history = simulate(a_run(OBSERVED, *troubles))
        alone = simulate(a_run(tuple(each for each in OBSERVED if each.job_id[-1] in others)))

        assert not verdict(history, ALWAYS)
        assert {name: outcome(history, name) for name in others} == {name: outcome(alone, name) for name in others}, (
            troubled
        )


CROWD = tuple(a_job_spec(f"ftjob-{number:02}", "observed") for number in range(25))
"""So many jobs that they are listed and not retrieved one by one."""


def stopped(name: str, after_s: float) -> TimedInjection:
    """Return a commit that requests the cancel of one job."""
    return TimedInjection(
        after_s, lambda simulation: simulation.edit("stop", simulation.revision.changed(name, desired="cancelled"))
    )


def vanishing(after_m: int) -> dict[str, Any]:
    """Return the life of a job that is an hour old when the run begins, and unknown to its provider from then on."""
    return {"life": [{"phase": "running", "for": f"{60 + after_m}m"}, {"phase": "absent"}]}


def test_a_job_that_only_a_stale_list_shows_as_running_is_cancelled_once() -> None:
    lags = fault(0.5, **{"fault": "stale-read", "for": "30d", "on": "list"})
    jobs = {each.job_id: {"age": "60d"} for each in CROWD}
    steps = [Pass(), *every(700.0, 9)]
    history = simulate(a_scenario(*CROWD, steps=steps, jobs=jobs, schedule=[lags, stopped("job-07", BEGINS_S)]))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 1
    assert outcome(history, "07")[:2] == ("cancelled", "Cancelled")


def test_a_stale_list_causes_no_cancel_even_if_every_job_should_be_cancelled() -> None:
    def cancel_all(simulation: Simulation) -> None:
        for each in CROWD:
            simulation.providers[ACCOUNT].world.cancel(each.job_id, simulation.clock.now())

    def want_all_gone(simulation: Simulation) -> None:
        job_specs = tuple(replace(each, desired="cancelled") for each in simulation.revision.job_specs)
        simulation.edit("all are to be gone", replace(simulation.revision, job_specs=job_specs))

    lags = fault(0.5, **{"fault": "stale-read", "for": "30m", "on": "list"})
    schedule = [lags, TimedInjection(10.0, cancel_all), TimedInjection(BEGINS_S, want_all_gone)]
    history = simulate(a_scenario(*CROWD, steps=every(61.0, 3), schedule=schedule))

    assert not verdict(history, ALWAYS)
    assert cancels(history) == []
    assert {reason(history, each.name) for each in CROWD} == {"Cancelled"}


def test_garbled_rows_of_a_list_hide_no_job() -> None:
    def garble(simulation: Simulation) -> None:
        simulation.providers[ACCOUNT].response_faults.append(ResponseFault("garbled-rows", times=99))

    unwanted = tuple(replace(each, desired="cancelled") for each in CROWD[::2])
    history = simulate(
        a_scenario(*unwanted, *CROWD[1::2], steps=every(61.0, 4), schedule=[TimedInjection(0.0, garble)])
    )

    assert not verdict(history, ALWAYS)
    assert {reason(history, each.name) for each in unwanted} == {"Cancelled"}
    assert {reason(history, each.name) for each in CROWD[1::2]} == {"AsDesired"}


def test_a_deleted_job_is_reported_as_vanished_and_does_not_delay_other_cancels() -> None:
    def add_two(simulation: Simulation) -> None:
        more = (a_job_spec("ftjob-new"), a_job_spec("ftjob-new2"))
        simulation.edit("two more", replace(simulation.revision, job_specs=(simulation.revision.job_specs[0], *more)))

    jobs = {"ftjob-old": vanishing(1)}
    job_specs = (
        a_job_spec("ftjob-old", "observed"),
        a_job_spec("ftjob-new", "observed"),
        a_job_spec("ftjob-new2", "observed"),
    )
    story = a_scenario(*job_specs, steps=every(61.0, 5), jobs=jobs, schedule=[TimedInjection(100.0, add_two)])
    first = replace(story.revision, job_specs=(replace(job_specs[0], desired="running"),))
    history = simulate(replace(story, revision=first))

    assert not verdict(history, ALWAYS)
    assert outcome(history, "old")[:2] == ("absent", "JobVanished")
    assert {outcome(history, name)[1] for name in ("new", "new2")} == {"Cancelled"}


def test_a_mass_disappearance_does_not_delay_other_cancels_and_is_accepted_after_an_hour() -> None:
    job_specs = tuple(a_job_spec(f"ftjob-{name}", "running") for name in "abcde")
    jobs = {"ftjob-a": vanishing(1), "ftjob-b": vanishing(1)}
    story = a_scenario(*job_specs, steps=every(61.0, 20), jobs=jobs, schedule=[stopped("job-c", 70.0)])
    at_first, later = simulate(story), simulate(replace(story, steps=(*story.steps, *every(600.0, 6))))

    assert not verdict(at_first, ALWAYS)
    assert [round(each.total_seconds()) for each in cancels(at_first)] == [122]
    assert {outcome(at_first, name)[1] for name in "ab"} == {"AsDesired"}
    assert not verdict(later, ALWAYS)
    assert {outcome(later, name)[1] for name in "ab"} == {"JobVanished"}
    assert {outcome(later, name)[1] for name in "de"} == {"AsDesired"}
