"""The guard's hour, in virtual time, while the specs change under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.scenario.history import History
from tests.scenario.oracles import ALWAYS, verdict
from tests.scenario.repository import Wish
from tests.scenario.seeded_run import TIGHT
from tests.scenario.short_runs import a_plan, a_wish, cancels, every, reason
from tests.scenario.simulation import Happening, Pass, Stage, Watched, play

HOUR_S = 3600.0
CHANGED_AT_S = 90.0
FIRST, SECOND = ("ftjob-a", "ftjob-b"), ("ftjob-c", "ftjob-d")

Change = Callable[[tuple[Wish, ...]], tuple[Wish, ...]]


def other_jobs(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Let the specs whose jobs were cancelled name the other two, which may have had specs of their own."""
    return tuple(replace(wish, job_id=job_id) for wish, job_id in zip(wishes, SECOND, strict=False))


def other_specs(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Let those specs go, and want of the other two what they wanted."""
    return tuple(replace(wish, desired="cancelled") for wish in wishes[2:])


def other_names(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
    """Let the other two take the names of those specs."""
    return tuple(
        replace(wish, name=before.name, file=before.file, desired="cancelled")
        for wish, before in zip(wishes[2:], wishes, strict=False)
    )


def played(change: Change, specs: int) -> History:
    """Cancel as many jobs as the brakes let pass in an hour, then change the specs so that two more are wanted."""

    def edit(stage: Stage) -> None:
        stage.edit("others", replace(stage.revision, wishes=change(stage.revision.wishes)))

    wishes = [*(a_wish(job_id) for job_id in FIRST), *(a_wish(job_id, "observed") for job_id in SECOND)]
    plan = a_plan(*wishes, steps=(*every(61.0, 70), Pass()), happenings=[Happening(CHANGED_AT_S, edit)])
    return play(replace(plan, revision=replace(plan.revision, wishes=tuple(wishes[:specs])), brakes=TIGHT))


@pytest.mark.parametrize(("change", "specs"), [(other_jobs, 2), (other_jobs, 4), (other_specs, 4), (other_names, 4)])
def test_specs_that_change_are_no_way_around_the_guards_hour(change: Change, specs: int) -> None:
    history = played(change, specs)
    asked = {job_id: [each.total_seconds() for each in cancels(history, job_id)] for job_id in (*FIRST, *SECOND)}

    assert not verdict(history, ALWAYS)
    assert all(len(asked[job_id]) == 1 and asked[job_id][0] < CHANGED_AT_S for job_id in FIRST), asked
    assert all(len(asked[job_id]) == 1 and HOUR_S < asked[job_id][0] < HOUR_S + 90 for job_id in SECOND), asked


def test_in_a_watch_an_edit_of_one_spec_takes_nothing_out_of_a_batch_that_was_refused() -> None:
    def limit(name: str) -> Callable[[Stage], None]:
        return lambda stage: stage.edit("a limit", stage.revision.changed(name, max_age=timedelta(days=400)))

    edits = [Happening(100.0 + 5 * place, limit(f"job-{name}")) for place, name in enumerate("abc")]
    plan = a_plan(*map(a_wish, (*FIRST, *SECOND)), steps=[Pass(), Watched(400.0), Pass()], happenings=edits)
    history = play(replace(plan, brakes=TIGHT))

    assert not verdict(history, ALWAYS)
    assert cancels(history) == []
    assert {reason(history, f"job-{name}") for name in "abcd"} == {"RefusedByGuard"}
