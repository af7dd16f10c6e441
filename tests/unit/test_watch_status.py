"""The liveness and readiness problems of a watch, by the age of its signs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.election import ElectionStatus
from reconciler.model.watch_status import WatchStatus, liveness_problems, readiness_problems
from tests.support.build import NOW

WELL = WatchStatus(interval_s=60, heartbeat_at=0, progress_at=0, watched_at=0)
SIGNS = {
    "heartbeat_at": "the event loop is blocked: nothing has run for 91 s",
    "progress_at": "a request or a pass hangs: it has made no progress for 91 s",
    "watched_at": (
        "the specs are not watched: only the periodic scan finds changes, because the watcher has not worked for 91 s"
    ),
}


@pytest.mark.parametrize(("sign", "sentence"), SIGNS.items())
def test_each_liveness_problem_is_reported_alone_within_two_intervals(sign: str, sentence: str) -> None:
    def at(now: float) -> WatchStatus:
        moving = {each: now for each in SIGNS if each != sign}
        return WatchStatus(**{"interval_s": 60.0, sign: 0.0, **moving})  # type: ignore[arg-type]  # chosen by name

    assert liveness_problems(at(90.0), 90.0) == ()
    assert liveness_problems(at(91.0), 91.0) == (sentence,)


def test_a_watch_is_live_again_as_soon_as_its_signs_are_recent() -> None:
    ill = liveness_problems(replace(WELL, heartbeat_at=199), 200)
    back = replace(WELL, heartbeat_at=199, progress_at=199, watched_at=199)

    assert len(ill) == 2
    assert liveness_problems(back, 200) == ()


def test_a_blocked_event_loop_hides_the_other_liveness_problems() -> None:
    assert liveness_problems(WELL, 200) == ("the event loop is blocked: nothing has run for 200 s",)


def test_a_watch_is_ready_from_its_first_pass_until_it_stops_or_is_halted() -> None:
    ready = replace(WELL, finished_at=NOW)

    assert readiness_problems(WELL) == ("the first pass has not ended yet",)
    assert readiness_problems(ready) == ()
    assert readiness_problems(replace(ready, is_stopping=True)) == ("the watch is stopping",)
    assert readiness_problems(replace(ready, is_halted=True)) == (
        "no change is requested: the specs cannot be acted on, or the Settings are not valid",
    )


@pytest.mark.parametrize(
    ("leadership", "problem"),
    [
        (ElectionStatus("lease:a/b", holder="other"), "standing by for lease:a/b: other holds the lease"),
        (ElectionStatus("lease:a/b"), "standing by for lease:a/b: no known replica holds the lease"),
        (ElectionStatus("lease:a/b", problem="no answer"), "standing by for lease:a/b: no answer"),
    ],
)
def test_a_watch_that_stands_by_is_live_but_not_ready_and_says_why(leadership: ElectionStatus, problem: str) -> None:
    watch = replace(WELL, finished_at=NOW, leadership=leadership)

    assert readiness_problems(watch) == (problem,)
    assert liveness_problems(watch, 0) == ()
    assert readiness_problems(replace(watch, leadership=replace(leadership, is_leader=True))) == ()
