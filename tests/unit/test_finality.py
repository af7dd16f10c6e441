from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.decide import decide
from reconciler.core.finality import is_contradicted, is_settled
from reconciler.model.job import Phase, Seen
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from tests.support.build import NOW
from tests.support.subjects import ABSENT, EDGES, MINUTE, SECOND, UNSEEN, a_look, a_subject, carried_out

WANTED = a_subject("cancelled")
WHERE = [where for _, where in EDGES]


def ended() -> JobStatus:
    """A job that we cancelled, and that was seen cancelled."""
    asked = carried_out(WANTED, a_look(), None, NOW)
    return decide(WANTED, a_look(Phase.CANCELLED, finished_at=NOW + SECOND), asked, NOW + MINUTE).status


def doubted() -> JobStatus:
    return decide(WANTED, a_look(), ended(), NOW + 2 * MINUTE).status


def test_a_job_that_ended_stays_as_it_is_at_the_first_look_that_shows_otherwise() -> None:
    decision = decide(WANTED, a_look(), ended(), NOW + 2 * MINUTE)

    assert decision.action is None
    assert decision.status == replace(ended(), doubted_at=NOW + 2 * MINUTE)
    assert decision.requeue == MINUTE
    assert is_settled(ended())
    assert not is_settled(decision.status)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_second_look_a_minute_later_opens_the_job_again(edge: timedelta, where: str) -> None:
    decision = decide(WANTED, a_look(), doubted(), NOW + 3 * MINUTE + edge)
    is_open = where != "just before"

    assert (decision.action is not None) == is_open
    assert decision.status.final != is_open
    assert decision.status.phase is (Phase.RUNNING if is_open else Phase.CANCELLED)


def test_a_job_that_is_open_again_says_so_and_is_cancelled_anew() -> None:
    decision = decide(WANTED, a_look(), doubted(), NOW + 3 * MINUTE)
    told = [(each.phase, each.reason) for each in decision.status.history]

    assert told[:2] == [(Phase.RUNNING, Reason.CANCEL_PENDING), (Phase.RUNNING, Reason.PHASE_WENT_BACK)]
    assert decision.action is not None
    assert decision.action.is_first_attempt, "so that the guard counts it"
    assert decision.status.job is not None
    assert decision.status.job.finished_at is None
    assert decision.status.doubted_at is None


@pytest.mark.parametrize(
    "second", [a_look(Phase.CANCELLED), a_look(Phase.UNKNOWN), ABSENT], ids=["it has ended", "a strange word", "absent"]
)
def test_a_second_look_that_does_not_deny_the_end_takes_the_doubt_away(second: Seen) -> None:
    assert decide(WANTED, second, doubted(), NOW + 3 * MINUTE).status == ended()


def test_a_look_that_fails_leaves_the_doubt_as_it_is() -> None:
    assert decide(WANTED, UNSEEN, doubted(), NOW + 3 * MINUTE).status == doubted()


def test_a_doubt_from_the_future_begins_anew_and_does_not_last_for_ever() -> None:
    ahead = replace(doubted(), doubted_at=NOW + timedelta(days=365))
    first = decide(WANTED, a_look(), ahead, NOW + 3 * MINUTE)
    second = decide(WANTED, a_look(), first.status, NOW + 4 * MINUTE)

    assert first.status.doubted_at == NOW + 3 * MINUTE
    assert not second.status.final


@pytest.mark.parametrize("phase", list(Phase))
def test_an_end_is_contradicted_by_every_other_phase_but_a_word_that_nobody_knows(phase: Phase) -> None:
    assert is_contradicted(Phase.CANCELLED, phase) == (phase not in {Phase.CANCELLED, Phase.UNKNOWN})
