"""When a writer pushes to a branch to which others push too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reconciler.git.push_turns import PUSHES_MAX, PushTurns


@dataclass
class Watch:
    """A clock that is set by hand."""

    at: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at


def a_writer(clock: Watch, *, is_lasting: bool = True, try_s: float = 0.5) -> PushTurns:
    """Return the turns of a writer that has just pushed."""
    turns = PushTurns(clock, lambda: 0.5, is_lasting=is_lasting)
    turns.pushed(clock.at - try_s)
    return turns


def test_a_writer_waits_after_its_push_before_it_publishes_statuses_that_no_request_depends_on() -> None:
    clock = Watch()
    turns = a_writer(clock)
    turns.found_others()

    assert turns.wait_s() == pytest.approx(1.5), "at least twice the time of a try, so that others can push"

    clock.at += 1.0
    assert turns.wait_s() == pytest.approx(0.5)

    clock.at += 1.0
    assert turns.wait_s() == 0


def test_a_slow_remote_does_not_delay_statuses_for_long() -> None:
    turns = a_writer(Watch(), try_s=30.0)
    assert turns.wait_s() == 1, "no other writer has been seen"

    turns.found_others()
    assert turns.wait_s() == 5


def test_a_writer_that_has_not_pushed_yet_does_not_wait() -> None:
    assert PushTurns(Watch(), is_lasting=True).wait_s() == 0


def test_a_writer_whose_first_push_is_refused_pauses_before_its_third_try() -> None:
    clock = Watch()
    turns = PushTurns(clock, lambda: 0.5)
    turns.refused(clock.at - 0.5)

    assert turns.pause_s(1) == 0
    assert turns.pause_s(2) > 0
    assert turns.wait_s() == 0, "it has not pushed yet"


def test_a_writer_that_publishes_once_waits_only_while_others_are_active() -> None:
    clock = Watch()
    turns = a_writer(clock, is_lasting=False)
    assert turns.wait_s() == 0

    turns.found_others()
    assert turns.wait_s() > 0
    assert turns.are_others_active()

    clock.at += 61
    assert not turns.are_others_active()


def test_a_refused_writer_tries_again_at_once_and_pauses_less_the_longer_it_has_waited() -> None:
    turns = a_writer(Watch())
    pauses = [turns.pause_s(refused) for refused in range(1, PUSHES_MAX + 1)]

    assert pauses[0] == 0
    assert pauses[1] > 0
    assert pauses[1:] == sorted(pauses[1:], reverse=True)
    assert pauses[-1] == 0
