from dataclasses import replace

import pytest

from reconciler.core.conditions import Readiness, Verdict
from reconciler.core.decide import Decision, decide
from reconciler.core.receipts import intend
from reconciler.core.settle import RequestOutcome, halted, not_honoured, refused, settle, unconfirmed
from reconciler.model.action import Progress
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, Verb
from tests.support.build import NOW
from tests.support.conditions_oracle import violations
from tests.support.subjects import HOUR, MINUTE, SECOND, UNSEEN, a_look, a_past, a_receipt, a_subject

SUBJECT = a_subject("cancelled")
LATER = NOW + SECOND
STALLED = Verdict(Readiness.STALLED, Reason.CANCEL_NOT_HONOURED, "as it was")
FORBIDDEN = Verdict(Readiness.STALLED, Reason.ACTION_FORBIDDEN, "as it was")


def asked(last: JobStatus | None, progress: Progress, message: str = "") -> tuple[JobStatus, Decision]:
    """Return the status after the next attempt ended like this, and the decision that led to the attempt."""
    decision = decide(SUBJECT, a_look(), last, NOW)
    assert decision.action is not None
    intent = intend(decision.status, decision.action, None, None, NOW)
    return settle(intent, decision.status, decision.action, RequestOutcome(progress, message), last, LATER), decision


@pytest.mark.parametrize("progress", [Progress.NOT_DELIVERED, Progress.OVERTAKEN])
def test_an_undelivered_or_superseded_request_leaves_the_status_unchanged(progress: Progress) -> None:
    status, decision = asked(None, progress)

    assert status == decision.status
    assert status.receipts == ()


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress.ACCEPTED, "the provider accepted the cancel; no check has shown its effect yet"),
        (Progress.UNANSWERED, "the cancel got no clear response; the next check will show whether it arrived"),
        (Progress.REJECTED, "the provider refused the cancel: so it was"),
    ],
)
def test_a_request_that_may_have_arrived_leaves_the_cancel_pending(progress: Progress, words: str) -> None:
    status, _ = asked(None, progress, "so it was")

    assert (status.ready.reason, status.ready.message) == (Reason.CANCEL_PENDING, words)
    assert status.ready.last_transition_time == LATER
    assert status.is_reconciling
    assert status.open_receipt is not None
    assert status.open_receipt.accepted_at == (LATER if progress is Progress.ACCEPTED else None)


def test_a_forbidden_request_stalls_the_job() -> None:
    status, _ = asked(None, Progress.FORBIDDEN, "403")

    assert status.is_stalled
    assert (status.ready.reason, status.ready.message) == (Reason.ACTION_FORBIDDEN, "the cancel is forbidden: 403")
    assert status.open_receipt is not None


@pytest.mark.parametrize("progress", Progress)
def test_only_a_rejected_or_forbidden_request_increments_refusals(progress: Progress) -> None:
    status, _ = asked(a_past(SUBJECT, Phase.RUNNING, a_receipt(age=HOUR, refusals=1)), progress)
    expected = {Progress.REJECTED: 2, Progress.FORBIDDEN: 2}.get(progress, 1)

    assert status.open_receipt is not None
    assert status.open_receipt.refusals == expected


def test_a_forbidden_change_stays_stalled_until_a_later_attempt_is_accepted() -> None:
    forbidden, _ = asked(None, Progress.FORBIDDEN, "403")
    meanwhile = decide(SUBJECT, a_look(), forbidden, LATER)
    accepted, _ = asked(replace(forbidden, receipts=(a_receipt(age=HOUR),)), Progress.ACCEPTED)

    assert (meanwhile.action, meanwhile.status) == (None, forbidden)
    assert (accepted.is_stalled, accepted.ready.reason) == (False, Reason.CANCEL_PENDING)


@pytest.mark.parametrize("before", [STALLED, FORBIDDEN], ids=["not honoured", "forbidden"])
@pytest.mark.parametrize("progress", [Progress.ACCEPTED, Progress.UNANSWERED, Progress.REJECTED])
def test_a_reminder_leaves_the_job_stalled_with_cancel_not_honoured(progress: Progress, before: Verdict) -> None:
    last = a_past(SUBJECT, Phase.RUNNING, a_receipt(age=7 * HOUR, attempts=6), age=7 * HOUR, verdict=before)
    status, _ = asked(last, progress)

    assert (status.is_stalled, status.ready.reason) == (True, Reason.CANCEL_NOT_HONOURED)
    assert status.ready.message == "running at the provider after at least 5 requests to cancel"
    assert status.ready.last_transition_time == LATER
    assert decide(SUBJECT, a_look(), status, LATER).status == status


@pytest.mark.parametrize(("attempts", "reason"), [(4, Reason.CANCEL_PENDING), (5, Reason.CANCEL_NOT_HONOURED)])
def test_the_fifth_attempt_leaves_the_cancel_pending_and_the_sixth_is_a_reminder(attempts: int, reason: Reason) -> None:
    status, _ = asked(a_past(SUBJECT, Phase.RUNNING, a_receipt(age=7 * HOUR, attempts=attempts)), Progress.ACCEPTED)

    assert status.ready.reason is reason


def test_a_reminder_with_an_unchanged_verdict_adds_no_history_entry() -> None:
    said = not_honoured(Verb.CANCEL, Phase.RUNNING)
    last = a_past(SUBJECT, Phase.RUNNING, a_receipt(age=7 * HOUR, attempts=6), age=7 * HOUR, verdict=said)
    status, _ = asked(last, Progress.ACCEPTED)

    assert (status.conditions, status.history) == (last.conditions, last.history)


def test_a_forbidden_reminder_is_reported_as_action_forbidden() -> None:
    last = a_past(SUBJECT, Phase.RUNNING, a_receipt(age=7 * HOUR, attempts=6), verdict=STALLED)
    status, _ = asked(last, Progress.FORBIDDEN, "401")

    assert status.ready.reason is Reason.ACTION_FORBIDDEN


def test_an_undelivered_request_keeps_the_earlier_attempts() -> None:
    receipt = a_receipt(age=MINUTE, attempts=2)
    status, _ = asked(a_past(SUBJECT, Phase.RUNNING, receipt), Progress.NOT_DELIVERED)

    assert status.open_receipt == receipt


def test_a_change_refused_by_the_guard_is_stalled_with_its_message_and_no_receipt() -> None:
    decision = decide(SUBJECT, a_look(), None, NOW)
    status = refused(decision.status, "4 changes wanted at once", None, NOW)

    assert (status.is_stalled, status.ready.reason) == (True, Reason.REFUSED_BY_GUARD)
    assert status.ready.message == "4 changes wanted at once"
    assert status.receipts == ()
    assert violations(status) == []


def test_one_pass_adds_one_history_entry() -> None:
    status, _ = asked(a_past(SUBJECT, Phase.QUEUED), Progress.ACCEPTED)

    assert [entry.phase for entry in status.history] == [Phase.RUNNING, Phase.QUEUED]


def test_a_change_in_an_untrusted_revision_is_stalled_with_the_reason() -> None:
    decision = decide(SUBJECT, a_look(), None, NOW)
    before = a_past(SUBJECT)
    status = halted(decision.status, "the settings cannot be read", before, LATER)

    assert (status.is_stalled, status.ready.reason) == (True, Reason.REVISION_NOT_TRUSTED)
    assert (status.ready.message, status.ready.last_transition_time) == ("the settings cannot be read", LATER)
    assert status.history[1:] == before.history
    assert violations(status) == []


def test_a_listed_job_that_is_not_retrieved_is_reported_as_its_row_shows_it() -> None:
    last = a_past(a_subject("cancelled"), Phase.QUEUED, age=HOUR)
    listed, unobserved = listed_but_not_retrieved(last)

    assert unconfirmed(listed, unobserved, last, NOW) == listed


def test_a_job_that_was_never_retrieved_stays_unobserved_in_the_phase_of_its_row() -> None:
    listed, unobserved = listed_but_not_retrieved(None)
    status = unconfirmed(listed, unobserved, None, NOW)

    assert (status.phase, status.ready.reason) == (Phase.RUNNING, Reason.CANNOT_OBSERVE_PROVIDER)
    assert unconfirmed(*listed_but_not_retrieved(status), status, NOW) == status


def test_a_row_alone_does_not_contradict_an_accepted_cancel() -> None:
    accepted = a_receipt(age=HOUR, accepted_at=NOW - HOUR)
    last = a_past(a_subject("cancelled"), Phase.CANCELLING, accepted, age=HOUR)
    listed, unobserved = listed_but_not_retrieved(last)

    assert listed.phase is Phase.RUNNING
    assert unconfirmed(listed, unobserved, last, NOW) == last


def listed_but_not_retrieved(last: JobStatus | None) -> tuple[JobStatus, JobStatus]:
    """Return the statuses of a job that must be cancelled: by its row, which shows it running, and unobserved."""
    subject = a_subject("cancelled")
    unobserved = decide(subject, UNSEEN, last, NOW)
    return decide(subject, a_look(Phase.RUNNING), last, NOW).status, unobserved.status
