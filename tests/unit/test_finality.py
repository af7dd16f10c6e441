from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.decide import decide
from reconciler.core.finality import assess, is_contradicted, is_settled
from reconciler.model.job import Observed, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HistoryEntry, JobStatus
from tests.support.build import NOW
from tests.support.subjects import ABSENT, EDGES, HOUR, MINUTE, SECOND, UNSEEN, a_look, a_subject, carried_out

WANTED = a_subject("cancelled")
WHERE = [where for _, where in EDGES]


def ended() -> JobStatus:
    """A job that we cancelled, and that was seen cancelled."""
    asked = carried_out(WANTED, a_look(), None, NOW)
    look = a_look(Phase.CANCELLED, finished_at=NOW + SECOND, model="gpt-4o-mini")
    return decide(WANTED, look, asked, NOW + MINUTE).status


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
    third = NOW + 3 * MINUTE

    assert decision.status.history[:2] == (
        HistoryEntry(third, Phase.RUNNING, Reason.CANCEL_PENDING),
        HistoryEntry(third, Phase.RUNNING, Reason.PHASE_WENT_BACK),
    )
    assert decision.action is not None
    assert decision.action.is_first_attempt, "so that the guard counts it"
    assert decision.status.job is not None
    assert (decision.status.job.finished_at, decision.status.job.model) == (None, "gpt-4o-mini")
    assert decision.status.doubted_at is None


@pytest.mark.parametrize(
    "second", [a_look(Phase.CANCELLED), a_look(Phase.UNKNOWN), ABSENT], ids=["it has ended", "a strange word", "absent"]
)
def test_a_second_look_that_does_not_deny_the_end_takes_the_doubt_away(second: Observed) -> None:
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


def test_what_is_read_against_an_end_that_was_none_knows_the_job_and_no_end() -> None:
    assessment = assess(a_look().job, doubted(), NOW + 3 * MINUTE)

    assert assessment.job == a_look().job
    assert assessment.last is not None
    assert assessment.last.job is not None
    assert (assessment.last.final, assessment.last.doubted_at, assessment.last.job.finished_at) == (False, None, None)
    assert assessment.last.receipts == doubted().receipts


def test_an_end_that_a_status_tells_of_no_job_is_opened_again_like_any_other() -> None:
    assessment = assess(a_look().job, replace(doubted(), job=None), NOW + 3 * MINUTE)

    assert assessment.last is not None
    assert (assessment.last.final, assessment.last.job) == (False, None)


def test_a_job_that_had_ended_and_that_its_provider_has_forgotten_is_the_job_that_was_known() -> None:
    ended_lately = replace(ended(), final=False)
    assessment = assess(None, ended_lately, NOW + HOUR)

    assert assessment.job is not None
    assert (assessment.job.phase, assessment.last) == (Phase.CANCELLED, ended_lately)
    assert assess(None, replace(ended_lately, phase=Phase.RUNNING), NOW + HOUR).job is None
