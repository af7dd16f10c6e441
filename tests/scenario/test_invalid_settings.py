from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.scenario.history import History, PassEnded
from tests.scenario.injections import break_settings, mend_settings
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.status_yaml import read, standing
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every, fault, last_status, reason, writes
from tests.scenario.simulation import Pass, RunToCompletion, Scenario, Simulation, TimedInjection, simulate

MENDED_S = 1800.0
PASSES = (*every(61.0, 20), Pass())


def broken_from_the_start(*schedule: TimedInjection) -> Scenario:
    """Return a run with invalid Settings and three jobs: one to cancel, one to pause, and one that stays as it is."""
    scenario = a_scenario(
        a_job_spec("ftjob-a", "cancelled"),
        a_job_spec("ftjob-b", "running"),
        a_job_spec("ftjob-c", "paused"),
        steps=PASSES,
        schedule=schedule,
    )
    return replace(scenario, revision=replace(scenario.revision, is_settings_broken=True))


def standings(history: History, name: str) -> list[str]:
    """Return the state of a job after each pass."""
    trees = [read(each.statuses[f"{name}.yaml"]) for each in history.events if isinstance(each, PassEnded)]
    return [standing(tree) for tree in trees if tree]


def test_invalid_settings_stall_every_due_change() -> None:
    history = simulate(broken_from_the_start())

    assert not verdict(history, ALWAYS)
    assert not cancels(history)
    assert set(standings(history, "job-a")) == set(standings(history, "job-c")) == {"Stalled"}
    assert {reason(history, name) for name in ("job-a", "job-c")} == {"RevisionNotTrusted"}
    assert set(standings(history, "job-b")) == {"Ready"}
    assert len(writes(history)) == 3


def test_due_changes_are_requested_once_the_settings_are_valid_again() -> None:
    history = simulate(replace(broken_from_the_start(TimedInjection(600.0, mend_settings))))

    assert not verdict(history, ALWAYS)
    assert [round(each.total_seconds()) for each in cancels(history)] == [610]
    assert {reason(history, f"job-{name}") for name in "abc"} == {"Cancelled", "AsDesired"}


def test_an_open_request_is_confirmed_even_if_the_settings_become_invalid() -> None:
    scenario = a_scenario(
        a_job_spec("ftjob-a"),
        steps=PASSES,
        jobs={"ftjob-a": {"cancelTakes": "3m"}},
        schedule=[TimedInjection(30.0, break_settings)],
    )
    history = simulate(scenario)

    assert reason(history, "job-a") == "Cancelled"
    assert len(cancels(history)) == 1


def test_a_retry_waits_for_valid_settings_and_its_status_says_so() -> None:
    schedule = [fault(fault="lost-cancel"), TimedInjection(30.0, break_settings)]
    history = simulate(a_scenario(a_job_spec("ftjob-a"), steps=PASSES, schedule=schedule))

    assert len(cancels(history)) == 1
    assert standings(history, "job-a")[:9] == ["Reconciling"] * 9
    assert set(standings(history, "job-a")[10:]) == {"Stalled"}
    assert last_status(history, "job-a")["status"]["receipts"][0]["outcome"] is None


def test_once_with_wait_does_not_wait_for_invalid_settings_to_be_fixed() -> None:
    history = simulate(replace(broken_from_the_start(), steps=(RunToCompletion(MENDED_S),)))
    took = history.events[-1].at - history.began_at

    assert took < timedelta(minutes=1)


def test_a_job_suspended_by_its_spec_says_so_even_if_the_settings_are_invalid() -> None:
    def suspend(simulation: Simulation) -> None:
        job_specs = tuple(replace(each, suspended_until=simulation.clock.now().replace(year=2030)) for each in WISHES)
        simulation.edit("suspended", replace(simulation.revision, job_specs=job_specs, is_settings_broken=True))

    history = simulate(a_scenario(*WISHES, steps=PASSES, schedule=[TimedInjection(0.0, suspend)]))

    assert standings(history, "job-a")[-1] == "Suspended"


WISHES = (a_job_spec("ftjob-a"),)


def test_a_status_is_kept_while_a_file_that_may_contain_its_spec_cannot_be_read() -> None:
    def move_into_a_conflict(simulation: Simulation) -> None:
        kept = tuple(each for each in simulation.revision.job_specs if each.name != "job-a")
        simulation.edit(
            "a conflict", replace(simulation.revision, job_specs=kept, broken_files=frozenset({"job-b.yaml"}))
        )

    def mend(simulation: Simulation) -> None:
        simulation.edit("mended", replace(simulation.revision, broken_files=frozenset()))

    job_specs = tuple(a_job_spec(f"ftjob-{name}", "running") for name in "abc")
    schedule = [TimedInjection(90.0, move_into_a_conflict), TimedInjection(600.0, mend)]
    history = simulate(a_scenario(*job_specs, steps=PASSES, schedule=schedule))
    passes = [each.statuses for each in history.events if isinstance(each, PassEnded)]

    assert not verdict(history, ALWAYS)
    assert all("job-a.yaml" in statuses for statuses in passes[:10])
    assert "job-a.yaml" not in passes[-1]


def test_the_status_of_a_deleted_spec_is_kept_while_a_spec_file_cannot_be_read() -> None:
    """The guard counts the request of a deleted spec for an hour. Then its status is removed, if every file is read."""

    def delete(simulation: Simulation) -> None:
        kept = tuple(each for each in simulation.revision.job_specs if each.name != "job-a")
        simulation.edit("deleted", replace(simulation.revision, job_specs=kept))

    def break_file(simulation: Simulation) -> None:
        simulation.edit("broken", replace(simulation.revision, broken_files=frozenset({"job-b.yaml"})))

    def mend(simulation: Simulation) -> None:
        simulation.edit("mended", replace(simulation.revision, broken_files=frozenset()))

    job_specs = (a_job_spec("ftjob-a"), a_job_spec("ftjob-b", "running"), a_job_spec("ftjob-c", "running"))
    schedule = [TimedInjection(90.0, delete), TimedInjection(1800.0, break_file), TimedInjection(5430.0, mend)]
    history = simulate(a_scenario(*job_specs, steps=every(600.0, 12), schedule=schedule))
    passes = [each.statuses for each in history.events if isinstance(each, PassEnded)]

    assert not verdict(history, ALWAYS)
    assert all("job-a.yaml" in statuses for statuses in passes[:10])
    assert "job-a.yaml" not in passes[-1]
