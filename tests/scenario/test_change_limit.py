"""The guard's limit for each hour, in virtual time, while the specs change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.sandbox.faults import FAULTS
from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, IN_TIME, OF_A_WATCH, verdict
from tests.scenario.process import STATE
from tests.scenario.repository import JobSpec, Revision
from tests.scenario.seeded_jobs import declared
from tests.scenario.seeded_run import TIGHT
from tests.scenario.short_runs import RUNNING, a_job_spec, a_scenario, cancels, every, reason
from tests.scenario.simulation import Pass, RunWatch, Scenario, Simulation, TimedInjection, simulate

HOUR_S = 3600.0
PASS_S = 61.0
CHANGED_AT_S = 90.0
LOST_AT_S = 182.0
CANCELLED_AT_S = 220.0
PUSH_S = 20.0
ACCOUNTS = ("one", "two", "three")
WITHOUT_DEADLINES = tuple(oracle for oracle in OF_A_WATCH if oracle not in IN_TIME)
"""The oracles of a watch without those for deadlines, which a slow push delays."""
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


def lose_state(simulation: Simulation) -> None:
    """Remove the files of the state directory, as on a new CI runner. Git still has the statuses."""
    disk = simulation.machine.disk
    for path in map(Path, disk.files()):
        if path.is_relative_to(STATE):
            disk.drop(path)


def played(change: Change, specs: int, *, is_later: bool) -> History:
    """Run: as many jobs are cancelled as the guard allows in an hour, and then two more cancels are requested.

    With `is_later`, the specs change first, and a later edit requests the cancels. In between, the process ends and the
    state directory is lost, so only the statuses record the first cancels.
    """
    job_specs = [*(a_job_spec(job_id) for job_id in FIRST), *(a_job_spec(job_id, "observed") for job_id in SECOND)]
    changed = change(tuple(job_specs[:specs]))

    def edit(job_specs: tuple[JobSpec, ...]) -> Callable[[Simulation], None]:
        return lambda simulation: simulation.edit("others", replace(simulation.revision, job_specs=job_specs))

    steps, schedule = (*every(PASS_S, 70), Pass()), [TimedInjection(CHANGED_AT_S, edit(changed))]
    if is_later:
        observed = tuple(replace(each, desired="observed") for each in changed)
        schedule = [
            TimedInjection(CHANGED_AT_S, edit(observed)),
            TimedInjection(LOST_AT_S, lose_state),
            TimedInjection(CANCELLED_AT_S, edit(changed)),
        ]
        steps = (*every(PASS_S, 3), RunWatch(1.0), *steps)
    scenario = a_scenario(*job_specs, steps=steps, schedule=schedule)
    return simulate(
        replace(scenario, revision=replace(scenario.revision, job_specs=tuple(job_specs[:specs])), change_limits=TIGHT)
    )


@pytest.mark.parametrize(
    "is_later",
    [
        pytest.param(False, id="at once", marks=pytest.mark.long),  # no planted bug is detected by these alone
        pytest.param(True, id="after the state is lost"),
    ],
)
@pytest.mark.parametrize(("change", "specs"), [(other_jobs, 2), (other_jobs, 4), (other_specs, 4), (other_names, 4)])
def test_changing_specs_does_not_bypass_the_hourly_limit_of_the_guard(
    change: Change, specs: int, *, is_later: bool
) -> None:
    history = played(change, specs, is_later=is_later)
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


def test_changes_that_wait_for_a_slow_push_count_against_the_limit_of_all_accounts() -> None:
    """Two changes are allowed and wait for the push of a pass. The next pass judges the change of a third account."""

    def slow(simulation: Simulation) -> None:
        branch = simulation.machine.branch
        assert branch is not None
        branch.takes_s = PUSH_S
        for name in ("one", "two"):
            (late,) = FAULTS.validate_python([{"fault": "slow", "for": "3s", "on": "retrieve"}])
            simulation.providers[name].faults.add([late])

    def want_gone(*names: str) -> Callable[[Simulation], None]:
        def edit(simulation: Simulation) -> None:
            for name in names:
                simulation.edit("-> cancelled", simulation.revision.changed(f"job-{name}", desired="cancelled"))

        return edit

    scenario = Scenario(
        seed=0,
        worlds={name: declared(name, {f"ftjob-{name}": {"age": "1h", "life": RUNNING}}) for name in ACCOUNTS},
        revision=Revision(
            job_specs=tuple(a_job_spec(f"ftjob-{name}", "observed", account=name) for name in ACCOUNTS),
            accounts={name: f"http://{name}.localhost/v1" for name in ACCOUNTS},
        ),
        steps=(RunWatch(1200.0),),
        schedule=(
            TimedInjection(CHANGED_AT_S - 10.0, slow),
            TimedInjection(CHANGED_AT_S, want_gone("one", "two")),
            TimedInjection(CHANGED_AT_S + PUSH_S / 2, want_gone("three")),
        ),
        change_limits=TIGHT,
        is_published=True,
    )
    history = simulate(scenario)

    assert not verdict(history, WITHOUT_DEADLINES)
    assert {name: len(cancels(history, account=name)) for name in ACCOUNTS} == {"one": 1, "two": 1, "three": 0}
    assert reason(history, "job-three") == "RefusedByGuard"
