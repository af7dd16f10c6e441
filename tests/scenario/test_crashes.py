from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.oracles.convergence import endings
from tests.scenario.parallel import in_parallel
from tests.scenario.short_runs import a_batch_spec, a_job_spec, a_scenario, cancels
from tests.scenario.simulation import CrashAfter, Pass, Scenario, Simulation, Sleep, Step, TimedInjection, simulate

STEPS: tuple[Step, ...] = (Pass(), Sleep(2.0), Pass(), Sleep(61.0), Pass(), Sleep(61.0), Pass(), Sleep(61.0))
AFTER: tuple[Step, ...] = (Pass(), Sleep(61.0), Pass(), Sleep(61.0), Pass())
REFERENCE = a_scenario(
    a_job_spec("ftjob-a", "cancelled"),
    a_job_spec("ftjob-b", "cancelled", file="team/bots.yaml"),
    a_job_spec("ftjob-c", "running", file="team/bots.yaml"),
    a_job_spec("ftjob-d", "paused"),
    a_job_spec("ftjob-e", "running"),
    steps=(*STEPS, *AFTER),
    jobs={
        "ftjob-b": {"cancelTakes": "70s", "cancelWord": "cancelling"},
        "ftjob-c": {"life": [{"phase": "running", "for": "62m"}, {"phase": "succeeded"}]},
        "ftjob-e": {"life": [{"phase": "paused"}]},
    },
)


def crashed_before(effect: int, scenario: Scenario, seed: int = 0) -> Scenario:
    return replace(scenario, seed=seed, steps=(CrashAfter(effect), *scenario.steps))


@cache
def undisturbed_endings() -> dict[str, tuple[str, str]]:
    return endings(simulate(REFERENCE))


def problems(point: tuple[int, int]) -> list[str]:
    """Crash before one effect, with one choice of the data that the disk loses. Return the problems that result."""
    effect, loss = point
    history = simulate(crashed_before(effect, REFERENCE, loss))
    found = verdict(history, ALWAYS)
    if endings(history) != undisturbed_endings():
        found.append(f"it ends as {endings(history)}")
    return [f"effect {effect}, loss {loss}: {each}" for each in found]


def test_a_crash_at_any_effect_leads_to_the_same_end_state_as_no_crash(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    losses = 5 if pytestconfig.getoption("--long") else 1
    # Without a crash, the run has `effects` effects, and each is a point at which it may crash.
    effects = simulate(REFERENCE).effects
    every = 1 if pytestconfig.getoption("--long") else 5
    points = [(effect, loss) for effect in range(0, effects, every) for loss in range(losses)]
    wrong = [each for found in in_parallel(problems, points) for each in found]
    record_property("crash points", f"{effects}, each with {losses} choices of what the disk forgets")

    assert not wrong, "\n".join(wrong[:10])
    assert effects > 50


def test_a_crash_between_a_cancel_and_its_response_repeats_at_most_one_cancel() -> None:
    slow = a_scenario(a_job_spec("ftjob-a", "cancelled"), steps=STEPS, jobs={"ftjob-a": {"cancelTakes": "5m"}})
    sent = {len(cancels(simulate(crashed_before(effect, slow)))) for effect in range(simulate(slow).effects)}

    assert sent == {1, 2}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("loss", range(5))
def test_an_intent_in_a_new_directory_survives_a_crash_right_after_its_request(loss: int) -> None:
    scenario = a_scenario(a_job_spec("ftjob-a", "cancelled", file="new/folder/a.yaml"), steps=(*STEPS, *AFTER))
    histories = [simulate(crashed_before(effect, scenario, loss)) for effect in range(14)]

    assert not [each for history in histories for each in verdict(history, ALWAYS)]


def swap_names(simulation: Simulation) -> None:
    """Let the two specs exchange their names in one commit."""
    one, two = simulation.revision.job_specs
    swapped = replace(one, name=two.name), replace(two, name=one.name)
    simulation.edit("names are swapped", replace(simulation.revision, job_specs=swapped))


def test_a_crash_after_specs_of_two_accounts_have_swapped_names_repeats_no_cancel(
    pytestconfig: pytest.Config,
) -> None:
    slow = {"ftjob-a": {"cancelTakes": "9m"}, "batch_a": {"cancelTakes": "9m"}}
    before: tuple[Step, ...] = (Pass(), Sleep(20.0))
    specs, schedule = (a_job_spec(), a_batch_spec()), (TimedInjection(10.0, swap_names),)
    first = simulate(a_scenario(*specs, steps=before, jobs=slow)).effects
    swapped = a_scenario(*specs, steps=(*before, *STEPS[:3], *STEPS[:1]), jobs=slow, schedule=schedule)
    points = range(first, simulate(swapped).effects + 1, 2)
    crashes = [(effect, loss) for effect in points for loss in (1, 2)]
    if not pytestconfig.getoption("--long"):  # each effect with one of the losses, in turn
        crashes = [(effect, 1 + at % 2) for at, effect in enumerate(points)]
    histories = [simulate(crashed_before(effect, swapped, loss)) for effect, loss in crashes]

    assert {(len(cancels(each, "ftjob-a")), len(cancels(each, "batch_a"))) for each in histories} == {(1, 1)}
    assert not [each for history in histories for each in verdict(history, ALWAYS)]
    assert len(points) > 10
