from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.scenario.history import History, PassEnded
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.process import PAGE_SIZE
from tests.scenario.provider import KEY, Trick
from tests.scenario.repository import KEY_VARIABLE, Wish
from tests.scenario.short_runs import (
    a_plan,
    a_wish,
    cancels,
    every,
    fault,
    healed,
    reason,
    was_ever_ready_while_running,
)
from tests.scenario.simulation import Happening, Pass, Plan, Rest, Stage, play

WISHES = tuple(a_wish(f"ftjob-{name}", "running") for name in "abcd")
MANY = tuple(a_wish(f"ftjob-{number:02}", "running") for number in range(24))


def lose_key(stage: Stage) -> None:
    stage.machine.environ[KEY_VARIABLE] = "sk-of-somebody-else"


def switch_project(stage: Stage) -> None:
    stage.providers["one"].is_elsewhere = True


def want_all_cancelled(stage: Stage) -> None:
    wishes = tuple(replace(each, desired="cancelled") for each in stage.revision.wishes)
    stage.edit("all are to be cancelled", replace(stage.revision, wishes=wishes))


def during(trouble: Happening, wishes: tuple[Wish, ...]) -> History:
    """Look once while all is well; then comes trouble, for half an hour, and everything is to be cancelled."""
    happenings = [trouble, Happening(31.0, want_all_cancelled), healed(1800.0)]
    return play(a_plan(*wishes, steps=[Pass(), Rest(61.0), *every(61.0, 20), *every(300.0, 8)], happenings=happenings))


TROUBLES: dict[str, Callable[[], tuple[Happening, tuple[Wish, ...]]]] = {
    "wrong key": lambda: (Happening(30.0, lose_key), WISHES),
    "wrong project": lambda: (Happening(30.0, switch_project), WISHES),
    "wrong URL": lambda: (fault(30.0, fault="wrong-body-404"), WISHES),
    "a proxy's page": lambda: (fault(30.0, fault="html"), WISHES),
    "hanging server": lambda: (fault(30.0, fault="hang"), WISHES),
    "words unheard of": lambda: (fault(30.0, fault="unknown-word"), WISHES),
    "nothing but 500": lambda: (fault(30.0, fault="status", status="500"), WISHES),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_during_an_outage_nothing_is_cancelled_lost_or_called_done_and_after_it_all_is(name: str) -> None:
    trouble, wishes = TROUBLES[name]()
    history = during(trouble, wishes)

    assert not verdict(history, ALWAYS)
    assert all(at.total_seconds() >= 1800 for at in cancels(history))
    assert not any(was_ever_ready_while_running(history, each.name) for each in wishes if each.desired == "cancelled")
    assert {reason(history, each.name) for each in wishes} == {"Cancelled"}


@pytest.mark.parametrize(
    "trouble", [fault(30.0, fault="partial-page", page="2"), fault(30.0, fault="endless")], ids=["page 2", "no end"]
)
def test_of_a_list_that_is_not_whole_only_what_it_showed_is_acted_on(trouble: Happening) -> None:
    history = during(trouble, MANY)
    early = [each for each in MANY if any(at.total_seconds() < 1800 for at in cancels(history, each.job_id))]

    assert not verdict(history, ALWAYS)
    assert len(early) == PAGE_SIZE
    assert {reason(history, each.name) for each in MANY} == {"Cancelled"}


def test_what_a_list_that_broke_off_has_not_shown_is_not_taken_for_a_typo() -> None:
    history = play(a_plan(*MANY, steps=[Pass()], happenings=[fault(fault="partial-page", page="2")]))

    assert not verdict(history, ALWAYS)
    assert {reason(history, each.name) for each in MANY} == {"AsDesired", "CannotObserveProvider"}


def with_another_account(plan: Plan) -> Plan:
    return replace(
        plan,
        worlds={"one": plan.worlds["one"], "two": plan.worlds["one"]},
        revision=replace(plan.revision, accounts={**plan.revision.accounts, "two": "http://two.localhost/v1"}),
    )


def test_an_account_that_hangs_delays_no_other() -> None:
    mine, other = a_wish("ftjob-a"), a_wish("ftjob-b", account="two")
    history = play(with_another_account(a_plan(mine, other, steps=every(61.0, 4), happenings=[fault(fault="hang")])))

    assert [at.total_seconds() for at in cancels(history, "ftjob-b")] == [pytest.approx(0, abs=1)]
    assert reason(history, "job-b") == "Cancelled"
    assert not cancels(history, "ftjob-a")


def test_a_key_that_a_provider_echoes_is_nowhere_to_be_found(caplog: pytest.LogCaptureFixture) -> None:
    def echo(stage: Stage) -> None:
        stage.providers["one"].tricks.append(Trick("echoed-key", times=9))

    with caplog.at_level(logging.DEBUG):
        history = play(a_plan(*WISHES, steps=every(61.0, 8), happenings=[Happening(0.0, echo)]))

    assert not verdict(history, ALWAYS)
    assert KEY not in caplog.text


def test_an_outage_is_told_no_longer_than_anybody_looks() -> None:
    def want_nothing(stage: Stage) -> None:
        stage.edit("the specs are gone but one elsewhere", replace(stage.revision, wishes=(elsewhere,)))

    elsewhere = replace(a_wish("ftjob-z", "observed"), account="two")
    happenings = [Happening(30.0, lose_key), Happening(400.0, want_nothing)]
    steps = [Pass(), *every(61.0, 5), Rest(3700.0), Pass(), Rest(61.0), Pass()]
    history = play(with_another_account(a_plan(*WISHES, elsewhere, steps=steps, happenings=happenings)))
    trees = [event.statuses for event in history.events if isinstance(event, PassEnded)]

    assert any({"_providers/one.yaml", "_providers/two.yaml"} <= tree.keys() for tree in trees)
    assert {each for each in trees[-1] if each.startswith("_providers/")} == {"_providers/two.yaml"}
