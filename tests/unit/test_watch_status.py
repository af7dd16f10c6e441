"""What is wrong with a watch, by the age of its signs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.watch_status import WatchStatus, liveness_problems, readiness_problems
from tests.support.build import NOW

WELL = WatchStatus(interval_s=60, heartbeat_at=0, progress_at=0, watched_at=0)
SIGNS = {
    "heartbeat_at": "the event loop is blocked: nothing runs, for 91 s",
    "progress_at": "a request hangs: no request to its account has ended, for 91 s",
    "watched_at": "the specs are not watched: only the periodic scan finds changes, for 91 s",
}


@pytest.mark.parametrize(("sign", "sentence"), SIGNS.items())
def test_each_sign_that_fails_alone_is_told_within_two_intervals(sign: str, sentence: str) -> None:
    def at(now: float) -> WatchStatus:
        moving = {each: now for each in SIGNS if each != sign}
        return WatchStatus(**{"interval_s": 60.0, sign: 0.0, **moving})  # type: ignore[arg-type]  # chosen by name

    assert liveness_problems(at(90.0), 90.0) == ()
    assert liveness_problems(at(91.0), 91.0) == (sentence,)


def test_it_is_well_again_as_soon_as_the_sign_is_back() -> None:
    ill = liveness_problems(replace(WELL, heartbeat_at=199), 200)
    back = replace(WELL, heartbeat_at=199, progress_at=199, watched_at=199)

    assert len(ill) == 2
    assert liveness_problems(back, 200) == ()


def test_a_blocked_loop_says_nothing_of_what_it_would_have_to_look_after() -> None:
    assert liveness_problems(WELL, 200) == ("the event loop is blocked: nothing runs, for 200 s",)


def test_it_is_ready_after_the_first_pass_until_it_stops_or_the_documents_stop_everything() -> None:
    ready = replace(WELL, finished_at=NOW)

    assert readiness_problems(WELL) == ("the first pass has not ended yet",)
    assert readiness_problems(ready) == ()
    assert readiness_problems(replace(ready, is_stopping=True)) == ("it is stopping",)
    assert readiness_problems(replace(ready, is_halted=True)) == ("an error in the documents stops every change",)
