"""Jobs that something else pauses, over several passes and processes: they are resumed only if a person wants that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.sandbox.faults import FAULTS
from tests.scenario.disruptions import RetryRequested
from tests.scenario.history import Crashed, History, ProviderRequest
from tests.scenario.oracles import ALWAYS, OF_A_WATCH, verdict
from tests.scenario.oracles.pauses import resumed_against_others
from tests.scenario.oracles.status_yaml import read, ready
from tests.scenario.seed_runner import check_all_seeds, failure_reports, run_pause_seed
from tests.scenario.short_runs import ACCOUNT, a_job_spec, a_scenario, every, last_status, reason
from tests.scenario.simulation import CrashAfter, RunWatch, Simulation, Step, TimedInjection, simulate
from tests.scenario.timed_faults import request_retry

JOB, NAME = "ftjob-a", "job-a"
SPEC = a_job_spec(JOB, "running")
CAPPED: dict[str, Any] = {"life": [{"phase": "running", "for": "3630s"}, {"phase": "paused"}]}
"""The life of a job that is an hour old and that its provider pauses after another 30 seconds."""
WEEK = timedelta(days=7)
SEEDS = (0, 4, 8, 11)
"""The seeds of an ordinary run. The last of them is the first that detects a resume against others."""


def run(*schedule: TimedInjection, steps: Iterable[Step] = every(61.0, 5), **job: Any) -> History:
    """Run passes over a job that should be running."""
    return simulate(a_scenario(SPEC, steps=steps, jobs={JOB: job or CAPPED}, schedule=schedule))


def run_paused(*schedule: TimedInjection, **job: Any) -> History:
    """Run passes over a running job that should be paused at first."""
    spec = replace(SPEC, desired="paused")
    return simulate(a_scenario(spec, steps=every(61.0, 6), jobs={JOB: job}, schedule=schedule))


def by_others(after_s: float, verb: str) -> TimedInjection:
    """Return a pause or a resume by another user."""

    def act(simulation: Simulation) -> None:
        world = simulation.providers[ACCOUNT].world
        {"pause": world.pause, "resume": world.resume}[verb](JOB, simulation.clock.now())
        simulation.note_event(f"another user {verb}s", f"{ACCOUNT}/{JOB}")

    return TimedInjection(after_s, act)


def edited(after_s: float, **changes: Any) -> TimedInjection:
    return TimedInjection(
        after_s, lambda simulation: simulation.edit(f"{changes}", simulation.revision.changed(NAME, **changes))
    )


def status_cut(after_s: float, length: int | None) -> TimedInjection:
    """Return the truncation of the status to this length. None means that it is deleted."""

    def cut(simulation: Simulation) -> None:
        path = f"{NAME}.yaml"
        data = None if length is None else simulation.statuses()[path][:length]
        simulation.tamper(path, "cut", data)

    return TimedInjection(after_s, cut)


def retried(after_s: float) -> TimedInjection:
    return TimedInjection(after_s, lambda simulation: request_retry(simulation, NAME))


def resumes(history: History) -> list[float]:
    """Return when the provider received resumes, in seconds since the start of the run."""
    return [
        (each.at - history.began_at).total_seconds()
        for each in history.events
        if isinstance(each, ProviderRequest) and each.verb == "resume"
    ]


def test_a_job_that_its_provider_pauses_is_reported_once_and_not_resumed() -> None:
    history = run(steps=every(61.0, 30))
    entries = last_status(history, NAME)["status"]["history"]

    assert (resumes(history), verdict(history, ALWAYS)) == ([], [])
    assert [(each["phase"], each["reason"]) for each in entries] == [
        ("paused", "PausedElsewhere"),
        ("running", "AsDesired"),
    ]


def test_a_job_that_was_paused_before_the_first_pass_is_resumed() -> None:
    history = run(life=[{"phase": "paused"}])

    assert (len(resumes(history)), reason(history, NAME), verdict(history, ALWAYS)) == (1, "AsDesired", [])


@pytest.mark.parametrize(("length", "is_resumed"), [(None, True), (300, False)], ids=["deleted", "damaged"])
def test_a_job_whose_status_was_deleted_is_resumed_like_a_new_one_and_one_with_a_damaged_status_is_not(
    length: int | None, *, is_resumed: bool
) -> None:
    history = run(status_cut(150.0, length))

    assert (len(resumes(history)), verdict(history, ALWAYS)) == (int(is_resumed), [])
    assert reason(history, NAME) == ("AsDesired" if is_resumed else "PausedElsewhere")


def test_a_crash_leads_to_no_resume_of_a_job_that_its_provider_paused_unless_it_leaves_no_status() -> None:
    steps = every(61.0, 4)
    left: Counter[str] = Counter()
    for effect in range(run(steps=steps).effects):
        planned = a_scenario(SPEC, steps=(CrashAfter(effect), *steps, *every(61.0, 2)), jobs={JOB: CAPPED})
        history = simulate(replace(planned, seed=effect))
        crash = next(each for each in history.events if isinstance(each, Crashed))
        tree = read(crash.statuses.get(f"{NAME}.yaml", b""))
        left[ready(tree)["reason"] if tree else "no status"] += 1

        assert verdict(history, ALWAYS) == []
        assert tree is None or resumes(history) == []
    assert set(left) == {"no status", "AsDesired", "PausedElsewhere"}


def test_a_pause_of_reconcile_that_others_undid_does_not_explain_a_later_pause_by_others() -> None:
    history = run_paused(
        by_others(100.0, "resume"), edited(100.0, desired="running"), by_others(200.0, "pause"), pauseTakes="0s"
    )
    receipts = last_status(history, NAME)["status"]["receipts"]

    assert [(each["verb"], each["outcome"]) for each in receipts] == [("pause", "paused")]
    assert (resumes(history), reason(history, NAME), verdict(history, ALWAYS)) == ([], "PausedElsewhere", [])


def test_a_pause_of_reconcile_that_takes_effect_after_its_spec_changed_is_ended() -> None:
    history = run_paused(edited(30.0, desired="running"), pauseTakes="90s")

    assert (len(resumes(history)), reason(history, NAME), verdict(history, ALWAYS)) == (1, "AsDesired", [])


def test_a_job_that_others_resume_is_as_desired_again() -> None:
    history = run(by_others(150.0, "resume"))

    assert (resumes(history), reason(history, NAME), verdict(history, ALWAYS)) == ([], "AsDesired", [])
    assert "pausedElsewhere" not in last_status(history, NAME)["status"]


def test_an_edit_resumes_the_job_once_and_a_second_pause_by_others_is_left_alone() -> None:
    history = run(edited(150.0, max_age=WEEK), by_others(250.0, "pause"), steps=every(61.0, 8))

    assert (len(resumes(history)), reason(history, NAME), verdict(history, ALWAYS)) == (1, "PausedElsewhere", [])


def test_a_retry_resumes_the_job_in_another_watch_than_the_one_that_found_it_paused() -> None:
    history = run(retried(400.0), steps=(RunWatch(300.0), RunWatch(600.0)))

    assert (len(resumes(history)), reason(history, NAME), verdict(history, OF_A_WATCH)) == (1, "AsDesired", [])
    assert resumes(history)[0] >= 400.0


def test_a_retry_whose_resume_is_lost_is_repeated_until_the_job_runs() -> None:
    def lose(simulation: Simulation) -> None:
        rule = {"fault": "status", "status": "503", "on": "resume", "times": 1}
        simulation.providers[ACCOUNT].faults.add(FAULTS.validate_python([rule]))

    history = run(TimedInjection(0.0, lose), retried(200.0), steps=(RunWatch(600.0),))

    assert (len(resumes(history)), reason(history, NAME), verdict(history, OF_A_WATCH)) == (2, "AsDesired", [])


def test_no_seed_with_many_pauses_violates_a_law(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    one = pytestconfig.getoption("--pauses")
    seeds = [one] if one is not None else range(500) if pytestconfig.getoption("--long") else SEEDS
    results = check_all_seeds(seeds, run_pause_seed)
    record_property("with many pauses", str(results))

    assert not results.wrong, failure_reports(results, run_pause_seed, "pauses")


def test_the_oracle_reports_a_resume_of_a_job_that_others_paused() -> None:
    history = run(retried(400.0), steps=(RunWatch(300.0), RunWatch(600.0)))
    history.events = [each for each in history.events if not isinstance(each, RetryRequested)]

    assert len([*resumed_against_others(history)]) == len(resumes(history)) == 1
