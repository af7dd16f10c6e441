"""A change of the documents also applies to every request that still waits to be sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenario import injections
from tests.scenario.injections import Injector
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import a_job_spec, a_scenario, cancels, every
from tests.scenario.simulation import Pass, Simulation, TimedInjection, simulate

WISHES = tuple(a_job_spec(f"ftjob-{number:02}") for number in range(23))
CHANGED_AT_S = 3.0
"""A time at which some requests have been sent, and the others are queued."""


def want_them_to_run(simulation: Simulation) -> None:
    job_specs = tuple(replace(each, desired="running") for each in simulation.revision.job_specs)
    simulation.edit("all are to run", replace(simulation.revision, job_specs=job_specs))


def delete_them(simulation: Simulation) -> None:
    simulation.edit("all are deleted", replace(simulation.revision, job_specs=()))


@pytest.mark.parametrize(
    "change", [want_them_to_run, delete_them, injections.toggle_suspension, injections.break_settings]
)
def test_a_change_withdrawn_while_it_waits_for_the_throttle_is_not_requested(change: Injector) -> None:
    history = simulate(a_scenario(*WISHES, steps=(Pass(),), schedule=[TimedInjection(CHANGED_AT_S, change)]))
    asked = cancels(history)

    assert not verdict(history, ALWAYS)
    assert 0 < len(asked) < len(WISHES)
    assert max(each.total_seconds() for each in asked) <= CHANGED_AT_S


def test_a_withdrawn_change_has_no_receipt_and_can_be_requested_again() -> None:
    suspended, going_on = (
        TimedInjection(CHANGED_AT_S, injections.toggle_suspension),
        TimedInjection(200, injections.mend_settings),
    )
    history = simulate(a_scenario(*WISHES, steps=every(61.0, 6), schedule=[suspended, going_on]))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == len(WISHES)
