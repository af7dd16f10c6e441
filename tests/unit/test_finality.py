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
    """Return the final status of a job that reconcile cancelled."""
    asked = carried_out(WANTED, a_look(), None, NOW)
    look = a_look(Phase.CANCELLED, finished_at=NOW + SECOND, model="gpt-4o-mini")
    return decide(WANTED, look, asked, NOW + MINUTE).status


def doubted() -> JobStatus:
    return decide(WANTED, a_look(), ended(), NOW + 2 * MINUTE).status


def test_the_first_observation_that_contradicts_a_final_phase_only_records_a_doubt() -> None:
    decision = decide(WANTED, a_look(), ended(), NOW + 2 * MINUTE)

    assert decision.action is None
    assert decision.status == replace(ended(), doubted_at=NOW + 2 * MINUTE)
    assert decision.requeue == MINUTE
    assert is_settled(ended())
    assert not is_settled(decision.status)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_second_contradicting_observation_after_a_minute_reopens_the_job(edge: timedelta, where: str) -> None:
    decision = decide(WANTED, a_look(), doubted(), NOW + 3 * MINUTE + edge)
    is_open = where != "just before"

    assert (decision.action is not None) == is_open
    assert decision.status.final != is_open
    assert decision.status.phase is (Phase.RUNNING if is_open else Phase.CANCELLED)


def test_a_reopened_job_is_reported_and_cancelled_as_a_first_attempt() -> None:
    decision = decide(WANTED, a_look(), doubted(), NOW + 3 * MINUTE)
    third = NOW + 3 * MINUTE

    assert decision.status.history[:2] == (
        HistoryEntry(third, Phase.RUNNING, Reason.CANCEL_PENDING),
        HistoryEntry(third, Phase.RUNNING, Reason.PHASE_WENT_BACK),
    )
    assert decision.action is not None
    assert decision.action.is_first_attempt, "the guard counts only first attempts"
    assert decision.status.job is not None
    assert (decision.status.job.finished_at, decision.status.job.model) == (None, "gpt-4o-mini")
    assert decision.status.doubted_at is None


@pytest.mark.parametrize(
    "second", [a_look(Phase.CANCELLED), a_look(Phase.UNKNOWN), ABSENT], ids=["it has ended", "a strange word", "absent"]
)
def test_a_second_observation_that_does_not_contradict_the_end_removes_the_doubt(second: Observed) -> None:
    assert decide(WANTED, second, doubted(), NOW + 3 * MINUTE).status == ended()


def test_a_failed_observation_does_not_change_the_doubt() -> None:
    assert decide(WANTED, UNSEEN, doubted(), NOW + 3 * MINUTE).status == doubted()


def test_a_doubt_dated_in_the_future_is_replaced_by_one_dated_now() -> None:
    ahead = replace(doubted(), doubted_at=NOW + timedelta(days=365))
    first = decide(WANTED, a_look(), ahead, NOW + 3 * MINUTE)
    second = decide(WANTED, a_look(), first.status, NOW + 4 * MINUTE)

    assert first.status.doubted_at == NOW + 3 * MINUTE
    assert not second.status.final


@pytest.mark.parametrize("phase", list(Phase))
def test_a_terminal_phase_is_contradicted_by_every_other_phase_except_unknown(phase: Phase) -> None:
    assert is_contradicted(Phase.CANCELLED, phase) == (phase not in {Phase.CANCELLED, Phase.UNKNOWN})


def test_the_last_status_of_a_reopened_job_keeps_its_receipts_but_no_finish_time() -> None:
    assessment = assess(a_look().job, doubted(), NOW + 3 * MINUTE)

    assert assessment.job == a_look().job
    assert assessment.last is not None
    assert assessment.last.job is not None
    assert (assessment.last.final, assessment.last.doubted_at, assessment.last.job.finished_at) == (False, None, None)
    assert assessment.last.receipts == doubted().receipts


def test_a_final_status_without_job_facts_is_also_reopened() -> None:
    assessment = assess(a_look().job, replace(doubted(), job=None), NOW + 3 * MINUTE)

    assert assessment.last is not None
    assert (assessment.last.final, assessment.last.job) == (False, None)


def test_an_absent_job_is_assessed_by_its_last_known_terminal_phase() -> None:
    ended_lately = replace(ended(), final=False)
    assessment = assess(None, ended_lately, NOW + HOUR)

    assert assessment.job is not None
    assert (assessment.job.phase, assessment.last) == (Phase.CANCELLED, ended_lately)
    assert assess(None, replace(ended_lately, phase=Phase.RUNNING), NOW + HOUR).job is None
