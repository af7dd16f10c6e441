"""Doubt stays where it arose: whatever jobs of an account cannot be seen, all others are decided as ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import pytest

from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.provider import Trick
from tests.scenario.repository import Wish
from tests.scenario.short_runs import ACCOUNT, a_plan, a_wish, cancels, every, fault, last_status, reason
from tests.scenario.simulation import Happening, Pass, Plan, Rest, Stage, play

WANTED = {"a": "cancelled", "b": "cancelled", "c": "running", "d": "paused", "e": "observed"}
OBSERVED = tuple(a_wish(f"ftjob-{name}", "observed") for name in WANTED)
BEGINS_S = 30.0
TROUBLES: Mapping[str, dict[str, Any]] = {
    "403": {"fault": "status", "status": "403"},
    "404": {"fault": "status", "status": "404", "code": "fine_tune_not_found"},
    "garbage": {"fault": "garbage"},
    "nothing": {"fault": "reset-before-acting"},
}


def subsets(names: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield every selection of the jobs but for all of them."""
    return chain.from_iterable(combinations(names, count) for count in range(1, len(names)))


def want(stage: Stage) -> None:
    """Let each spec want what it is to want."""
    wishes = tuple(replace(each, desired=WANTED[each.job_id[-1]]) for each in stage.revision.wishes)
    stage.edit("all want something", replace(stage.revision, wishes=wishes))


def a_story(wishes: tuple[Wish, ...], *troubles: Happening) -> Plan:
    """See all jobs, and then want something of each."""
    steps = [Pass(), Rest(61.0), *every(61.0, 4)]
    return a_plan(*wishes, steps=steps, happenings=[*troubles, Happening(BEGINS_S, want)])


def told(history: History, name: str) -> tuple[str, str, list[int]]:
    """Return what became of a job: its phase, its reason, and when it was asked to stop."""
    times = [round(each.total_seconds()) for each in cancels(history, f"ftjob-{name}")]
    return last_status(history, f"job-{name}")["status"]["phase"], reason(history, f"job-{name}"), times


@pytest.mark.parametrize("kind", TROUBLES)
def test_whatever_jobs_cannot_be_seen_all_others_are_decided_as_if_there_were_no_more(kind: str) -> None:
    for troubled in subsets(WANTED):
        troubles = [fault(BEGINS_S, **TROUBLES[kind], job=f"ftjob-{name}", on="retrieve") for name in troubled]
        others = [name for name in WANTED if name not in troubled]
        history = play(a_story(OBSERVED, *troubles))
        alone = play(a_story(tuple(each for each in OBSERVED if each.job_id[-1] in others)))

        assert not verdict(history, ALWAYS)
        assert {name: told(history, name) for name in others} == {name: told(alone, name) for name in others}, troubled


CROWD = tuple(a_wish(f"ftjob-{number:02}", "observed") for number in range(25))
"""So many that they are listed."""


def stopped(name: str, after_s: float) -> Happening:
    """Return a commit that wants one job cancelled."""
    return Happening(after_s, lambda stage: stage.edit("stop", stage.revision.changed(name, desired="cancelled")))


def vanishing(after_m: int) -> dict[str, Any]:
    """The life of a job, an hour old as the run begins, of which its provider knows nothing from then on."""
    return {"life": [{"phase": "running", "for": f"{60 + after_m}m"}, {"phase": "absent"}]}


def test_a_job_that_only_a_lagging_list_shows_running_is_asked_to_stop_once() -> None:
    lags = fault(0.5, **{"fault": "stale-read", "for": "30d", "on": "list"})
    jobs = {each.job_id: {"age": "60d"} for each in CROWD}
    steps = [Pass(), *every(700.0, 9)]
    history = play(a_plan(*CROWD, steps=steps, jobs=jobs, happenings=[lags, stopped("job-07", BEGINS_S)]))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == 1
    assert told(history, "07")[:2] == ("cancelled", "Cancelled")


def test_jobs_that_only_a_lagging_list_shows_running_are_not_asked_to_stop_though_a_crowd_is_wanted_gone() -> None:
    def cancel_all(stage: Stage) -> None:
        for each in CROWD:
            stage.providers[ACCOUNT].world.cancel(each.job_id, stage.clock.now())

    def want_all_gone(stage: Stage) -> None:
        wishes = tuple(replace(each, desired="cancelled") for each in stage.revision.wishes)
        stage.edit("all are to be gone", replace(stage.revision, wishes=wishes))

    lags = fault(0.5, **{"fault": "stale-read", "for": "30m", "on": "list"})
    happenings = [lags, Happening(10.0, cancel_all), Happening(BEGINS_S, want_all_gone)]
    history = play(a_plan(*CROWD, steps=every(61.0, 3), happenings=happenings))

    assert not verdict(history, ALWAYS)
    assert cancels(history) == []
    assert {reason(history, each.name) for each in CROWD} == {"Cancelled"}


def test_garbled_rows_of_a_list_hide_no_job() -> None:
    def garble(stage: Stage) -> None:
        stage.providers[ACCOUNT].tricks.append(Trick("garbled-rows", times=99))

    unwanted = tuple(replace(each, desired="cancelled") for each in CROWD[::2])
    history = play(a_plan(*unwanted, *CROWD[1::2], steps=every(61.0, 4), happenings=[Happening(0.0, garble)]))

    assert not verdict(history, ALWAYS)
    assert {reason(history, each.name) for each in unwanted} == {"Cancelled"}
    assert {reason(history, each.name) for each in CROWD[1::2]} == {"AsDesired"}


def test_a_job_that_was_deleted_keeps_no_other_from_being_stopped_and_is_told_as_vanished() -> None:
    def add_two(stage: Stage) -> None:
        more = (a_wish("ftjob-new"), a_wish("ftjob-new2"))
        stage.edit("two more", replace(stage.revision, wishes=(stage.revision.wishes[0], *more)))

    jobs = {"ftjob-old": vanishing(1)}
    wishes = (a_wish("ftjob-old", "observed"), a_wish("ftjob-new", "observed"), a_wish("ftjob-new2", "observed"))
    story = a_plan(*wishes, steps=every(61.0, 5), jobs=jobs, happenings=[Happening(100.0, add_two)])
    first = replace(story.revision, wishes=(replace(wishes[0], desired="running"),))
    history = play(replace(story, revision=first))

    assert not verdict(history, ALWAYS)
    assert told(history, "old")[:2] == ("absent", "JobVanished")
    assert {told(history, name)[1] for name in ("new", "new2")} == {"Cancelled"}


def test_a_crowd_that_vanishes_keeps_no_other_from_being_stopped_and_is_believed_after_an_hour() -> None:
    wishes = tuple(a_wish(f"ftjob-{name}", "running") for name in "abcde")
    jobs = {"ftjob-a": vanishing(1), "ftjob-b": vanishing(1)}
    story = a_plan(*wishes, steps=every(61.0, 20), jobs=jobs, happenings=[stopped("job-c", 70.0)])
    at_first, later = play(story), play(replace(story, steps=(*story.steps, *every(600.0, 6))))

    assert not verdict(at_first, ALWAYS)
    assert [round(each.total_seconds()) for each in cancels(at_first)] == [122]
    assert {told(at_first, name)[1] for name in "ab"} == {"AsDesired"}
    assert not verdict(later, ALWAYS)
    assert {told(later, name)[1] for name in "ab"} == {"JobVanished"}
    assert {told(later, name)[1] for name in "de"} == {"AsDesired"}
