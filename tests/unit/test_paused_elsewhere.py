"""A job that something other than reconcile paused: it is not resumed until a person requests that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.claim import Claim
from reconciler.core.conditions import stalled
from reconciler.core.decide import Decision, decide
from reconciler.core.match import match
from reconciler.core.settle import refused
from reconciler.core.subject import Subject
from reconciler.model.action import Progress
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import Because, HistoryEntry, JobStatus, Outcome, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    ABSENT,
    CANNOT_PAUSE,
    DAY,
    EDGES,
    HOUR,
    MINUTE,
    REF,
    UNSEEN,
    a_batch_look,
    a_batch_subject,
    a_look,
    a_receipt,
    a_subject,
    answered,
    carried_out,
)

RUNNING = a_subject("running")
EDITED = a_subject("running", limits={"maxAge": "90d"})
UNPAUSED = (Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING)
UNCERTAIN = (ABSENT, a_look(Phase.UNKNOWN, provider_status="resting"), a_look(Phase.CANCELLING))


def seen(phase: Phase, last: JobStatus | None = None, subject: Subject = RUNNING, at: datetime = NOW) -> JobStatus:
    """Return the status after a job was observed in this phase. A request is accepted."""
    return carried_out(subject, a_look(phase, at), last, at)


def held(subject: Subject = RUNNING) -> JobStatus:
    """Return the status of a job that was running and is now paused."""
    return seen(Phase.PAUSED, seen(Phase.RUNNING, subject=subject, at=NOW - HOUR), subject)


def next_decision(last: JobStatus, subject: Subject = RUNNING, phase: Phase = Phase.PAUSED) -> Decision:
    return decide(subject, a_look(phase, NOW + MINUTE), last, NOW + MINUTE)


def is_held(decision: Decision) -> bool:
    is_stalled = decision.status.is_stalled and decision.status.ready.reason is Reason.PAUSED_ELSEWHERE
    return is_stalled and decision.action is None


def is_resumed(decision: Decision) -> bool:
    return decision.action is not None and decision.action.verb is Verb.RESUME


def retried(subject: Subject = RUNNING) -> Subject:
    return replace(subject, is_retry=True)


@pytest.mark.parametrize("before", UNPAUSED)
@pytest.mark.parametrize("phase", [Phase.PAUSING, Phase.PAUSED])
def test_a_job_that_was_paused_elsewhere_is_stalled_and_not_resumed(before: Phase, phase: Phase) -> None:
    last = seen(before, at=NOW - HOUR)
    decision = decide(RUNNING, a_look(phase), last, NOW)

    assert is_held(decision)
    assert decision.status.paused_elsewhere == RUNNING.digest
    assert decision.requeue is not None
    assert decision.status.ready.message == (
        f"{phase} at the provider, apparently not by reconcile, so it is not resumed: check for a spending limit "
        "there, and run `reconcile retry` to resume it"
    )


def test_a_held_job_stays_held_and_its_status_stays_the_same() -> None:
    created_at, last = NOW - 2 * HOUR, held()
    for now in (NOW + MINUTE, NOW + DAY, NOW + 90 * DAY):
        decision = decide(RUNNING, a_look(Phase.PAUSED, now, created_at=created_at), last, now)

        assert (decision.status, decision.action) == (last, None)


def test_a_held_job_that_pauses_slowly_stays_held() -> None:
    pausing = seen(Phase.PAUSING, seen(Phase.RUNNING))

    assert is_held(next_decision(pausing))
    assert is_held(next_decision(pausing, phase=Phase.PAUSING))


def test_a_job_that_was_paused_before_its_first_observation_is_resumed() -> None:
    assert is_resumed(decide(RUNNING, a_look(Phase.PAUSED), None, NOW))


@pytest.mark.parametrize("look", [UNSEEN, *UNCERTAIN])
def test_a_job_whose_phase_was_never_certain_is_resumed(look: Any) -> None:
    assert is_resumed(next_decision(decide(RUNNING, look, None, NOW).status))


@pytest.mark.parametrize("look", UNCERTAIN)
@pytest.mark.parametrize(("before", "is_news"), [(Phase.RUNNING, True), (Phase.PAUSED, False)])
def test_an_uncertain_phase_in_between_does_not_hide_the_phase_before_it(
    look: Any, before: Phase, is_news: Any
) -> None:
    first = seen(before, subject=a_subject("observed"), at=NOW - HOUR)
    last = decide(RUNNING, look, first, NOW).status

    assert is_held(next_decision(last)) == is_news
    assert is_resumed(next_decision(last)) != is_news


@pytest.mark.parametrize("look", [UNSEEN, *UNCERTAIN])
def test_a_held_job_is_still_held_after_its_phase_was_uncertain(look: Any) -> None:
    assert is_held(next_decision(decide(RUNNING, look, held(), NOW).status))


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_a_held_job_that_something_else_resumes_is_as_desired_and_a_later_pause_is_held_again(phase: Phase) -> None:
    resumed = next_decision(held(), phase=phase)

    assert (resumed.status.ready.reason, resumed.status.paused_elsewhere) == (Reason.AS_DESIRED, None)
    assert is_held(next_decision(resumed.status))


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
def test_the_end_of_a_job_ends_the_hold(phase: Phase) -> None:
    assert next_decision(held(), phase=phase).status.paused_elsewhere is None


def test_a_job_that_had_ended_and_is_now_paused_is_held() -> None:
    last = replace(seen(Phase.FAILED), final=True, doubted_at=NOW - HOUR)

    assert is_held(next_decision(last))


# --- released ------------------------------------------------------------------------------------------------


def test_a_retry_resumes_a_held_job_once() -> None:
    decision = next_decision(held(), retried())
    resuming = answered(decision, NOW + MINUTE, Progress.ACCEPTED)
    running = seen(Phase.RUNNING, resuming, at=NOW + HOUR)

    assert is_resumed(decision)
    assert decision.action is not None
    assert (decision.action.because, decision.action.is_first_attempt) == (Because.DESIRED_STATE, True)
    assert resuming.ready.reason is Reason.RESUME_PENDING
    assert running.receipts[0].outcome is Outcome.RUNNING
    assert is_held(decide(RUNNING, a_look(Phase.PAUSED, NOW + 2 * HOUR), running, NOW + 2 * HOUR))


def test_a_retry_in_shadow_mode_does_not_end_the_hold_for_a_later_run_without_it() -> None:
    shadow = decide(replace(retried(), is_shadow=True), a_look(Phase.PAUSED), held(), NOW + MINUTE)
    later = decide(RUNNING, a_look(Phase.PAUSED), shadow.status, NOW + HOUR)

    assert is_held(shadow)
    assert shadow.status == held()
    assert is_held(later)


def test_a_retry_resumes_a_job_whose_pause_is_observed_only_then() -> None:
    assert is_resumed(next_decision(seen(Phase.RUNNING), retried()))


@pytest.mark.parametrize("progress", [Progress.NOT_DELIVERED, Progress.OVERTAKEN, Progress.UNANSWERED])
def test_a_retry_whose_request_did_not_succeed_is_repeated_without_another_retry(progress: Progress) -> None:
    last = answered(next_decision(held(), retried()), NOW + MINUTE, progress)
    again = decide(RUNNING, a_look(Phase.PAUSED, NOW + HOUR), last, NOW + HOUR)

    assert is_resumed(again)


def test_a_resume_that_the_guard_refused_after_a_retry_stays_wanted() -> None:
    decision = next_decision(held(), retried())
    last = refused(decision.status, "too many", decision.last, NOW + MINUTE)

    assert is_resumed(next_decision(last))


def test_a_resume_that_waits_for_a_window_after_a_retry_stays_wanted() -> None:
    closed = ChangeWindow("freeze", is_deny=True, when=Period(NOW, NOW + HOUR))
    last = next_decision(held(), replace(retried(), windows=(closed,))).status

    assert last.ready.reason is Reason.OUTSIDE_WINDOW
    assert is_resumed(next_decision(last))


def test_a_changed_spec_resumes_a_held_job() -> None:
    assert is_resumed(next_decision(held(), EDITED))


def test_a_spec_that_changes_before_its_pause_was_observed_does_not_resume_the_job() -> None:
    decision = next_decision(seen(Phase.RUNNING), EDITED)

    assert is_held(decision)
    assert is_held(next_decision(decision.status, EDITED))
    assert is_resumed(next_decision(decision.status, RUNNING))


def test_a_spec_that_wanted_something_else_meanwhile_and_then_running_again_resumes_the_job() -> None:
    for wanted in ("paused", "observed"):
        meanwhile = next_decision(held(), a_subject(wanted)).status

        assert (meanwhile.ready.reason, meanwhile.paused_elsewhere) == (Reason.AS_DESIRED, None)
        assert is_resumed(next_decision(meanwhile))


def test_a_renamed_or_moved_spec_does_not_resume_a_held_job() -> None:
    moved = replace(RUNNING, name="new-name", source="new.yaml")

    assert is_held(next_decision(held(), moved))


def test_a_spec_that_changes_during_an_outage_resumes_a_held_job_and_one_that_is_reverted_does_not() -> None:
    outage = decide(EDITED, UNSEEN, held(), NOW).status

    assert outage.ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert is_resumed(next_decision(outage, EDITED))
    assert is_held(next_decision(outage, RUNNING))


def test_a_spec_that_was_invalid_meanwhile_does_not_resume_a_held_job() -> None:
    broken = stalled(RUNNING.name, RUNNING.source, held(), Reason.INVALID_SPEC, "line 3", NOW)

    assert is_held(next_decision(broken))


# --- suspended -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "suspended",
    [a_subject("running", suspend=True), replace(RUNNING, suspension=a_subject("running", suspend=True).suspension)],
    ids=["by its spec", "by the Settings"],
)
def test_suspending_and_unsuspending_a_held_job_does_not_resume_it(suspended: Subject) -> None:
    for last in (held(), seen(Phase.RUNNING)):
        during = next_decision(last, suspended)
        asked = next_decision(during.status, retried(suspended))

        assert (during.status.ready.reason, during.action) == (Reason.SUSPENDED, None)
        assert (asked.status, asked.action) == (during.status, None)
        assert is_held(next_decision(during.status))


def test_a_suspension_that_ends_by_itself_does_not_resume_a_held_job() -> None:
    suspended = a_subject("running", suspend={"until": NOW + 2 * MINUTE})
    later = NOW + HOUR
    for last in (held(), seen(Phase.RUNNING)):
        during = next_decision(last, suspended).status
        ended = decide(suspended, a_look(Phase.PAUSED, later), during, later)

        assert is_held(ended)
        assert is_held(decide(RUNNING, a_look(Phase.PAUSED, later), ended.status, later))


def test_a_spec_that_changes_while_it_is_suspended_resumes_a_held_job_afterwards() -> None:
    during = next_decision(held(), a_subject("running", suspend=True, limits={"maxAge": "90d"})).status

    assert is_resumed(next_decision(during, EDITED))


# --- whose pause it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("progress", [Progress.ACCEPTED, Progress.UNANSWERED])
@pytest.mark.parametrize("phase", [Phase.PAUSING, Phase.PAUSED])
def test_a_job_that_reconcile_may_have_paused_before_its_spec_changed_is_resumed(
    progress: Progress, phase: Phase
) -> None:
    asked = carried_out(a_subject("paused"), a_look(), None, NOW - 9 * MINUTE, progress)
    withdrawn = seen(Phase.RUNNING, asked)
    late = next_decision(withdrawn, phase=phase).status
    paused = decide(RUNNING, a_look(Phase.PAUSED, NOW + HOUR), late, NOW + HOUR)

    assert withdrawn.receipts[0].outcome is Outcome.WITHDRAWN
    assert late.ready.reason is Reason.RESUME_PENDING
    assert is_resumed(paused)


@pytest.mark.parametrize(("edge", "where"), EDGES)
def test_a_pause_explains_that_a_job_is_paused_for_fifteen_minutes(edge: timedelta, where: str) -> None:
    asked = carried_out(a_subject("paused"), a_look(), None, NOW - 14 * MINUTE - edge)
    decision = next_decision(seen(Phase.RUNNING, asked))

    assert is_held(decision) == (where == "just after")
    assert is_resumed(decision) == (where != "just after")


def test_a_refused_pause_does_not_explain_that_a_job_is_paused() -> None:
    asked = carried_out(a_subject("paused"), a_look(), None, NOW - 9 * MINUTE, Progress.REJECTED)

    assert is_held(next_decision(seen(Phase.RUNNING, asked)))


def test_a_pause_that_was_confirmed_and_undone_does_not_explain_a_later_pause() -> None:
    wanted = a_subject("paused")
    asked = carried_out(wanted, a_look(at=NOW - 3 * HOUR), None, NOW - 3 * HOUR)
    confirmed = seen(Phase.PAUSED, asked, wanted, NOW - 2 * HOUR)
    undone = seen(Phase.RUNNING, confirmed, at=NOW - HOUR)

    assert confirmed.receipts[0].outcome is Outcome.PAUSED
    assert is_held(next_decision(undone))
    assert is_resumed(next_decision(confirmed))


def test_a_pause_before_the_newest_request_does_not_explain_a_later_pause() -> None:
    withdrawn = a_receipt(Verb.PAUSE, 9 * MINUTE, accepted_at=NOW - 9 * MINUTE, outcome=Outcome.WITHDRAWN)
    resumed = a_receipt(Verb.RESUME, MINUTE, accepted_at=NOW, confirmed_at=NOW, outcome=Outcome.RUNNING)

    assert is_resumed(next_decision(replace(seen(Phase.RUNNING), receipts=(withdrawn,))))
    assert is_held(next_decision(replace(seen(Phase.RUNNING), receipts=(resumed, withdrawn))))


def test_a_pause_that_is_open_while_the_job_is_suspended_explains_that_the_job_is_paused() -> None:
    asked = carried_out(a_subject("paused"), a_look(), None, NOW - 9 * MINUTE)
    during = next_decision(asked, a_subject("running", suspend=True)).status

    assert during.paused_elsewhere is None
    assert is_resumed(next_decision(during))


# --- other rules ---------------------------------------------------------------------------------------------


def test_a_held_job_over_a_limit_is_cancelled() -> None:
    limited = a_subject("running", limits={"maxAge": "150m"})
    last = seen(Phase.PAUSED, seen(Phase.RUNNING, subject=limited, at=NOW - HOUR), limited)
    job = a_look(Phase.PAUSED, NOW + HOUR, created_at=NOW - 2 * HOUR)
    decision = decide(limited, job, last, NOW + HOUR)

    assert decision.action is not None
    assert (decision.action.verb, decision.action.because) == (Verb.CANCEL, Because.LIMIT_REACHED)


@pytest.mark.parametrize("wanted", ["paused", "cancelled", "observed"])
def test_a_job_that_should_not_run_is_never_held(wanted: str) -> None:
    subject = a_subject(wanted)
    decision = decide(subject, a_look(Phase.PAUSED), seen(Phase.RUNNING, subject=RUNNING), NOW)

    assert decision.status.paused_elsewhere is None
    assert decision.status.ready.reason is not Reason.PAUSED_ELSEWHERE


def test_a_job_that_cannot_be_resumed_is_not_supported_whoever_paused_it() -> None:
    alone, batch = a_subject("running", CANNOT_PAUSE), a_batch_subject("running", a_subject().capabilities)
    first = carried_out(batch, a_batch_look(), None, NOW)
    decisions = [
        next_decision(seen(Phase.RUNNING, subject=alone), alone),
        decide(batch, a_batch_look(Phase.PAUSED), first, NOW + MINUTE),
    ]

    assert [each.status.ready.reason for each in decisions] == [Reason.NOT_SUPPORTED] * 2


def test_a_retry_of_a_change_that_was_undone_three_times_is_contested() -> None:
    resumed = a_receipt(Verb.RESUME, HOUR, accepted_at=NOW, confirmed_at=NOW, outcome=Outcome.RUNNING)
    last = replace(held(), receipts=(resumed,) * 3)

    assert is_held(next_decision(last))
    assert next_decision(last, retried()).status.ready.reason is Reason.CONTESTED


# --- lost and other statuses ---------------------------------------------------------------------------------


def test_a_paused_job_whose_status_was_discarded_is_held() -> None:
    claim = Claim(0, RUNNING.name, RUNNING.source, REF)
    last = match([claim], [], NOW, discarded=[RUNNING.name]).last[0]

    assert is_held(next_decision(last))
    assert is_resumed(next_decision(next_decision(last).status, retried()))
    assert next_decision(last, phase=Phase.RUNNING).status.is_ready


def test_a_spec_that_now_names_another_job_which_is_paused_resumes_that_job() -> None:
    another = JobRef(REF.account, "ftjob-another")
    claim = Claim(0, RUNNING.name, RUNNING.source, another)
    last = match([claim], [held()], NOW).last[0]
    decision = decide(replace(RUNNING, ref=another), a_look(Phase.PAUSED, id=another.id), last, NOW)

    assert (last.history[0].reason, last.paused_elsewhere) == (Reason.JOB_CHANGED, None)
    assert is_resumed(decision)


def test_a_history_of_uncertain_phases_alone_holds_no_job() -> None:
    unknown = HistoryEntry(NOW, Phase.UNKNOWN, Reason.PHASE_NOT_UNDERSTOOD)
    last = replace(seen(Phase.RUNNING), phase=Phase.UNKNOWN, history=(unknown,))

    assert is_resumed(next_decision(last))
