"""What people change while requests wait for their turn holds for each of them that has not left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenario import injections
from tests.scenario.injections import Trouble
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.short_runs import a_plan, a_wish, cancels, every
from tests.scenario.simulation import Happening, Pass, Stage, play

WISHES = tuple(a_wish(f"ftjob-{number:02}") for number in range(23))
CHANGED_AT_S = 3.0
"""By then some have left, and the others wait for their turn."""


def want_them_to_run(stage: Stage) -> None:
    wishes = tuple(replace(each, desired="running") for each in stage.revision.wishes)
    stage.edit("all are to run", replace(stage.revision, wishes=wishes))


def delete_them(stage: Stage) -> None:
    stage.edit("all are deleted", replace(stage.revision, wishes=()))


@pytest.mark.parametrize(
    "change", [want_them_to_run, delete_them, injections.toggle_suspension, injections.break_settings]
)
def test_nothing_leaves_that_was_taken_back_while_it_waited_for_its_turn(change: Trouble) -> None:
    history = play(a_plan(*WISHES, steps=(Pass(),), happenings=[Happening(CHANGED_AT_S, change)]))
    asked = cancels(history)

    assert not verdict(history, ALWAYS)
    assert 0 < len(asked) < len(WISHES)
    assert max(each.total_seconds() for each in asked) <= CHANGED_AT_S


def test_what_was_taken_back_leaves_no_receipt_and_is_asked_for_once_it_is_wanted_again() -> None:
    suspended, going_on = (
        Happening(CHANGED_AT_S, injections.toggle_suspension),
        Happening(200, injections.mend_settings),
    )
    history = play(a_plan(*WISHES, steps=every(61.0, 6), happenings=[suspended, going_on]))

    assert not verdict(history, ALWAYS)
    assert len(cancels(history)) == len(WISHES)
