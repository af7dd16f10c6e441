from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.scenario.history import History, PassBegun, Served
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import ACCOUNT, a_plan, a_wish, cancels, every, fault, last_status, reason, writes
from tests.scenario.simulation import Doom, Happening, Pass, Plan, Rest, Stage, play

OTHERS = tuple(a_wish(f"ftjob-{number:02}", "observed") for number in range(21))
"""So many that they are listed, and with them the job that has ended."""
BACK_S = 150.0


def go_back(stage: Stage) -> None:
    stage.providers[ACCOUNT].world.go_back("ftjob-a", stage.clock.now())


def cancel(stage: Stage) -> None:
    stage.providers[ACCOUNT].world.cancel("ftjob-a", stage.clock.now())


def a_story(desired: str = "cancelled", *happenings: Happening, passes: int = 8) -> Plan:
    """Cancel a job, see it ended, and then let it run again."""
    usual = happenings or (Happening(BACK_S, go_back),)
    return a_plan(a_wish("ftjob-a", desired), *OTHERS, steps=[*every(61.0, passes), Pass()], happenings=usual)


def looks_at_it(history: History) -> list[int]:
    """In which passes the job itself was asked for."""
    passes, found = -1, []
    for event in history.events:
        passes += isinstance(event, PassBegun)
        if isinstance(event, Served) and (event.verb, event.job_id) == ("retrieve", "ftjob-a"):
            found.append(passes)
    return found


def reasons(history: History) -> list[tuple[str, str]]:
    """Phase and reason of each entry of its status's history, oldest first."""
    entries = reversed(last_status(history, "job-a")["status"]["history"])
    return [(each["phase"], each["reason"]) for each in entries]


def test_a_job_that_runs_again_is_opened_by_two_looks_and_cancelled_again() -> None:
    history = play(a_story())

    assert not verdict(history, ALWAYS)
    assert [round(each.total_seconds()) for each in cancels(history)] == [0, 244]
    assert reasons(history)[1:] == [
        ("cancelled", "Cancelled"),
        ("running", "PhaseWentBack"),
        ("running", "CancelPending"),
        ("cancelled", "Cancelled"),
    ]
    assert last_status(history, "job-a")["status"]["final"] is True


def test_a_job_that_has_ended_costs_nothing_while_no_list_denies_it() -> None:
    history = play(a_story("cancelled", Happening(0.0, lambda _: None)))
    kinds = Counter(each.verb for each in history.events if isinstance(each, Served))

    assert looks_at_it(history) == [0], "before it was cancelled"
    assert kinds["cancel"] == 1


def test_a_list_that_is_stale_opens_nothing_by_itself() -> None:
    stale = fault(90.0, **{"fault": "stale-read", "for": "1h", "on": "list"})
    history = play(a_story("cancelled", stale))

    assert len(looks_at_it(history)) > 2, "the list denied the end, so the job was asked for"
    assert len(cancels(history)) == 1
    assert ("running", "PhaseWentBack") not in reasons(history)
    assert len([each for each in writes(history) if each.path == "job-a.yaml"]) == 3


def test_an_end_that_only_one_look_denies_stands() -> None:
    history = play(a_story("cancelled", Happening(BACK_S, go_back), Happening(200.0, cancel)))

    assert len(cancels(history)) == 1
    assert ("running", "PhaseWentBack") not in reasons(history)
    assert last_status(history, "job-a")["status"].get("doubtedAt") is None


def test_a_few_jobs_are_not_listed_so_that_nobody_notices_and_nothing_is_spent() -> None:
    plan = a_plan(a_wish("ftjob-a"), steps=[*every(61.0, 8), Pass()], happenings=[Happening(BACK_S, go_back)])
    history = play(plan)

    assert looks_at_it(history) == [0, 1]


@pytest.mark.parametrize("desired", ["running", "observed"])
def test_a_job_that_is_to_run_is_as_desired_once_it_does_again(desired: str) -> None:
    history = play(a_story(desired, Happening(30.0, cancel), Happening(BACK_S, go_back)))

    assert not cancels(history)
    assert reason(history, "job-a") == "AsDesired"
    assert last_status(history, "job-a")["status"]["phase"] == "running"


def test_a_crash_anywhere_costs_no_more_than_one_cancel_for_each_life_of_the_job() -> None:
    plan = a_story(passes=5)
    effects = play(plan).effects
    after = replace(plan, steps=(*plan.steps, Rest(61.0), *every(61.0, 4), Pass()))
    histories = [play(replace(after, steps=(Doom(effect), *after.steps))) for effect in range(0, effects, 5)]

    assert not [each for history in histories for each in verdict(history, ALWAYS)]
    assert {reason(history, "job-a") for history in histories} == {"Cancelled"}
    assert {len(cancels(history)) for history in histories} <= {2, 3}
