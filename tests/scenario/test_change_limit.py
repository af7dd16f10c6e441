"""The guard's limit for each hour, in virtual time, while the specs change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.repository import JobSpec
from tests.scenario.seeded_run import TIGHT
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every, reason
from tests.scenario.simulation import Pass, RunWatch, Simulation, TimedInjection, simulate

HOUR_S = 3600.0
CHANGED_AT_S = 90.0
FIRST, SECOND = ("ftjob-a", "ftjob-b"), ("ftjob-c", "ftjob-d")

Change = Callable[[tuple[JobSpec, ...]], tuple[JobSpec, ...]]


def other_jobs(job_specs: tuple[JobSpec, ...]) -> tuple[JobSpec, ...]:
    """Let the specs whose jobs were cancelled name the other two jobs, which may have had their own specs."""
    return tuple(replace(job_spec, job_id=job_id) for job_spec, job_id in zip(job_specs, SECOND, strict=False))


def other_specs(job_specs: tuple[JobSpec, ...]) -> tuple[JobSpec, ...]:
    """Delete the specs whose jobs were cancelled, and request the cancel of the other two jobs."""
    return tuple(replace(job_spec, desired="cancelled") for job_spec in job_specs[2:])


def other_names(job_specs: tuple[JobSpec, ...]) -> tuple[JobSpec, ...]:
    """Give the other two specs the names of the specs whose jobs were cancelled, and request two more cancels."""
    return tuple(
        replace(job_spec, name=before.name, file=before.file, desired="cancelled")
        for job_spec, before in zip(job_specs[2:], job_specs, strict=False)
    )


def played(change: Change, specs: int) -> History:
    """Run: as many jobs are cancelled as the guard allows in an hour, and then two more cancels are requested."""

    def edit(simulation: Simulation) -> None:
        simulation.edit("others", replace(simulation.revision, job_specs=change(simulation.revision.job_specs)))

    job_specs = [*(a_job_spec(job_id) for job_id in FIRST), *(a_job_spec(job_id, "observed") for job_id in SECOND)]
    scenario = a_scenario(*job_specs, steps=(*every(61.0, 70), Pass()), schedule=[TimedInjection(CHANGED_AT_S, edit)])
    return simulate(
        replace(scenario, revision=replace(scenario.revision, job_specs=tuple(job_specs[:specs])), change_limits=TIGHT)
    )


@pytest.mark.parametrize(("change", "specs"), [(other_jobs, 2), (other_jobs, 4), (other_specs, 4), (other_names, 4)])
def test_changing_specs_does_not_bypass_the_hourly_limit_of_the_guard(change: Change, specs: int) -> None:
    history = played(change, specs)
    asked = {job_id: [each.total_seconds() for each in cancels(history, job_id)] for job_id in (*FIRST, *SECOND)}

    assert not verdict(history, ALWAYS)
    assert all(len(asked[job_id]) == 1 and asked[job_id][0] < CHANGED_AT_S for job_id in FIRST), asked
    assert all(len(asked[job_id]) == 1 and HOUR_S < asked[job_id][0] < HOUR_S + 90 for job_id in SECOND), asked


def test_an_edit_of_one_spec_in_a_watch_does_not_split_a_refused_batch() -> None:
    def limit(name: str) -> Callable[[Simulation], None]:
        return lambda simulation: simulation.edit(
            "a limit", simulation.revision.changed(name, max_age=timedelta(days=400))
        )

    edits = [TimedInjection(100.0 + 5 * place, limit(f"job-{name}")) for place, name in enumerate("abc")]
    scenario = a_scenario(*map(a_job_spec, (*FIRST, *SECOND)), steps=[Pass(), RunWatch(400.0), Pass()], schedule=edits)
    history = simulate(replace(scenario, change_limits=TIGHT))

    assert not verdict(history, ALWAYS)
    assert cancels(history) == []
    assert {reason(history, f"job-{name}") for name in "abcd"} == {"RefusedByGuard"}
