from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.scenario.history import History, PassEnded
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.process import PAGE_SIZE
from tests.scenario.provider import KEY, ResponseFault
from tests.scenario.repository import KEY_VARIABLE, JobSpec
from tests.scenario.short_runs import (
    a_job_spec,
    a_scenario,
    cancels,
    every,
    fault,
    healed,
    reason,
    was_ever_ready_while_running,
)
from tests.scenario.simulation import Pass, Scenario, Simulation, Sleep, TimedInjection, simulate

WISHES = tuple(a_job_spec(f"ftjob-{name}", "running") for name in "abcd")
MANY = tuple(a_job_spec(f"ftjob-{number:02}", "running") for number in range(40))


def lose_key(simulation: Simulation) -> None:
    simulation.machine.environ[KEY_VARIABLE] = "sk-of-somebody-else"


def switch_project(simulation: Simulation) -> None:
    simulation.providers["one"].host.is_wrong_project = True


def want_all_cancelled(simulation: Simulation) -> None:
    job_specs = tuple(replace(each, desired="cancelled") for each in simulation.revision.job_specs)
    simulation.edit("all are to be cancelled", replace(simulation.revision, job_specs=job_specs))


def during(trouble: TimedInjection, job_specs: tuple[JobSpec, ...]) -> History:
    """Make one pass without faults, then begin a fault of half an hour and request every cancel."""
    schedule = [trouble, TimedInjection(31.0, want_all_cancelled), healed(1800.0)]
    return simulate(
        a_scenario(*job_specs, steps=[Pass(), Sleep(61.0), *every(61.0, 20), *every(300.0, 8)], schedule=schedule)
    )


TROUBLES: dict[str, Callable[[], tuple[TimedInjection, tuple[JobSpec, ...]]]] = {
    "wrong key": lambda: (TimedInjection(30.0, lose_key), WISHES),
    "wrong project": lambda: (TimedInjection(30.0, switch_project), WISHES),
    "wrong URL": lambda: (fault(30.0, fault="wrong-body-404"), WISHES),
    "a proxy's page": lambda: (fault(30.0, fault="html"), WISHES),
    "hanging server": lambda: (fault(30.0, fault="hang"), WISHES),
    "words unheard of": lambda: (fault(30.0, fault="unknown-word"), WISHES),
    "nothing but 500": lambda: (fault(30.0, fault="status", status="500"), WISHES),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", TROUBLES)
def test_an_outage_delays_every_cancel_but_confirms_and_loses_none(name: str) -> None:
    trouble, job_specs = TROUBLES[name]()
    history = during(trouble, job_specs)

    assert not verdict(history, ALWAYS)
    assert all(at.total_seconds() >= 1800 for at in cancels(history))
    assert not any(
        was_ever_ready_while_running(history, each.name) for each in job_specs if each.desired == "cancelled"
    )
    assert {reason(history, each.name) for each in job_specs} == {"Cancelled"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "trouble", [fault(30.0, fault="partial-page", page="2"), fault(30.0, fault="endless")], ids=["page 2", "no end"]
)
def test_only_the_jobs_in_an_incomplete_list_are_acted_on(trouble: TimedInjection) -> None:
    history = during(trouble, MANY)
    early = [each for each in MANY if any(at.total_seconds() < 1800 for at in cancels(history, each.job_id))]

    assert not verdict(history, ALWAYS)
    assert len(early) == PAGE_SIZE
    assert {reason(history, each.name) for each in MANY} == {"Cancelled"}


def test_a_job_missing_from_an_incomplete_list_is_not_reported_as_a_typo() -> None:
    history = simulate(a_scenario(*MANY, steps=[Pass()], schedule=[fault(fault="partial-page", page="2")]))

    assert not verdict(history, ALWAYS)
    assert {reason(history, each.name) for each in MANY} == {"AsDesired", "CannotObserveProvider"}


def with_another_account(scenario: Scenario) -> Scenario:
    return replace(
        scenario,
        worlds={"one": scenario.worlds["one"], "two": scenario.worlds["one"]},
        revision=replace(scenario.revision, accounts={**scenario.revision.accounts, "two": "http://two.localhost/v1"}),
    )


def test_an_account_that_hangs_does_not_delay_any_other() -> None:
    mine, other = a_job_spec("ftjob-a"), a_job_spec("ftjob-b", account="two")
    history = simulate(
        with_another_account(a_scenario(mine, other, steps=every(61.0, 4), schedule=[fault(fault="hang")]))
    )

    assert [at.total_seconds() for at in cancels(history, "ftjob-b")] == [pytest.approx(0, abs=1)]
    assert reason(history, "job-b") == "Cancelled"
    assert not cancels(history, "ftjob-a")


def test_a_key_that_a_provider_echoes_is_redacted_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    def echo(simulation: Simulation) -> None:
        simulation.providers["one"].response_faults.append(ResponseFault("echoed-key", times=9))

    with caplog.at_level(logging.DEBUG):
        history = simulate(a_scenario(*WISHES, steps=every(61.0, 8), schedule=[TimedInjection(0.0, echo)]))

    assert not verdict(history, ALWAYS)
    assert KEY not in caplog.text


def test_the_status_of_an_outage_is_removed_once_no_spec_uses_the_account() -> None:
    def want_nothing(simulation: Simulation) -> None:
        simulation.edit("the specs are gone but one elsewhere", replace(simulation.revision, job_specs=(elsewhere,)))

    elsewhere = replace(a_job_spec("ftjob-z", "observed"), account="two")
    schedule = [TimedInjection(30.0, lose_key), TimedInjection(400.0, want_nothing)]
    steps = [Pass(), *every(61.0, 5), Sleep(3700.0), Pass(), Sleep(61.0), Pass()]
    history = simulate(with_another_account(a_scenario(*WISHES, elsewhere, steps=steps, schedule=schedule)))
    trees = [event.statuses for event in history.events if isinstance(event, PassEnded)]

    assert any({"_providers/one.yaml", "_providers/two.yaml"} <= tree.keys() for tree in trees)
    assert {each for each in trees[-1] if each.startswith("_providers/")} == {"_providers/two.yaml"}
