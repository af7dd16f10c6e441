from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.conditions import Stance, Verdict, stalled
from reconciler.core.decide import decide
from reconciler.core.subject import Subject
from reconciler.model.job import JobError, Phase, Seen
from reconciler.model.reason import Reason
from reconciler.model.report import Progress
from reconciler.model.spec import render_instant
from reconciler.model.status import ConditionStatus, HistoryEntry, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    ABSENT,
    DAY,
    EDGES,
    HIDES_CANCELLING,
    HOUR,
    MINUTE,
    REF,
    SECOND,
    UNSEEN,
    a_look,
    a_past,
    a_receipt,
    a_subject,
    answered,
    carried_out,
)

WHERE = [where for _, where in EDGES]
WANTED = a_subject("cancelled")


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
@pytest.mark.parametrize(
    ("phase", "wanted", "patience", "waits", "stalls"),
    [
        (Phase.UNKNOWN, "running", 24 * HOUR, Reason.PHASE_NOT_UNDERSTOOD, Reason.PHASE_NOT_UNDERSTOOD),
        (Phase.UNKNOWN, "cancelled", 24 * HOUR, Reason.PHASE_NOT_UNDERSTOOD, Reason.PHASE_NOT_UNDERSTOOD),
        (Phase.CANCELLING, "cancelled", 2 * HOUR, Reason.CANCEL_PENDING, Reason.CANCEL_STUCK),
        (Phase.CANCELLING, "running", 2 * HOUR, Reason.CANCELLING_ELSEWHERE, Reason.CANCELLING_ELSEWHERE),
        (Phase.PAUSING, "paused", 30 * MINUTE, Reason.PAUSE_PENDING, Reason.PAUSE_PENDING),
        (Phase.PAUSING, "running", 30 * MINUTE, Reason.RESUME_PENDING, Reason.RESUME_PENDING),
    ],
)
def test_a_wait_that_lasts_wants_a_person_and_is_looked_at_still(
    phase: Phase, wanted: str, patience: timedelta, waits: Reason, stalls: Reason, edge: timedelta, where: str
) -> None:
    subject = a_subject(wanted)
    decision = decide(subject, a_look(phase), a_past(subject, phase, age=patience + edge), NOW)
    is_lasting = where != "just before"

    assert decision.status.is_stalled == is_lasting
    assert decision.status.ready.reason is (stalls if is_lasting else waits)
    assert decision.requeue is not None


def test_a_wait_that_lasted_is_not_forgotten_by_a_history_that_flaps_or_a_clock_that_jumps_back() -> None:
    subject = a_subject("paused")
    flapping = (
        HistoryEntry(NOW - 20 * MINUTE, Phase.PAUSING, Reason.SUSPENDED),
        HistoryEntry(NOW - HOUR, Phase.PAUSING, Reason.PAUSE_PENDING),
    )
    last = replace(a_past(subject, Phase.PAUSING), history=flapping)
    decision = decide(subject, a_look(Phase.PAUSING), last, NOW)
    again = [decide(subject, a_look(Phase.PAUSING), decision.status, NOW + jump) for jump in (timedelta(0), -HOUR)]

    assert decision.status.is_stalled
    assert [each.status for each in again] == [decision.status] * 2


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_suspension_ends_at_its_moment(edge: timedelta, where: str) -> None:
    subject = a_subject("cancelled", suspend={"until": render_instant(NOW - edge)})
    decision = decide(subject, a_look(), None, NOW)

    assert (decision.action is None) == (where == "just before")


def test_a_suspension_is_due_again_at_its_end() -> None:
    subject = a_subject("cancelled", suspend={"until": render_instant(NOW + 7 * SECOND), "reason": "incident 7"})
    decision = decide(subject, a_look(), None, NOW)

    assert decision.requeue == 7 * SECOND
    assert decision.status.ready.message == "suspended, until 2026-11-23T14:03:27Z: incident 7"


def test_a_suspended_job_is_still_confirmed_and_not_withdrawn() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    suspended = a_subject("running", suspend=True)
    running = decide(suspended, a_look(), asked, NOW + MINUTE).status
    ended = decide(suspended, a_look(Phase.CANCELLED), asked, NOW + MINUTE).status

    assert running.open_receipt == asked.open_receipt
    assert ended.open_receipt is None
    assert ended.ready.reason is Reason.SUSPENDED


def test_a_failed_look_never_leads_to_a_cancel_and_changes_nothing_known() -> None:
    last = a_past(WANTED)
    decision = decide(WANTED, UNSEEN, last, NOW + DAY)

    assert (decision.action, decision.status) == (None, last)


def test_a_spec_that_changed_while_nobody_could_look_is_neither_ready_nor_not() -> None:
    running = a_past(a_subject("running"), verdict=Verdict(Stance.HOLD, Reason.AS_DESIRED, "running"))
    status = decide(WANTED, UNSEEN, running, NOW).status

    assert (status.ready.status, status.ready.reason) == (ConditionStatus.UNKNOWN, Reason.CANNOT_OBSERVE_PROVIDER)
    assert (status.observed_generation, status.observed_spec) == (2, WANTED.digest)
    assert (status.job, status.phase, status.receipts) == (running.job, running.phase, running.receipts)


def test_a_spec_that_is_mended_during_an_outage_is_no_longer_called_invalid() -> None:
    broken = stalled(WANTED.name, WANTED.source, a_past(WANTED), Reason.INVALID_SPEC, "line 3", NOW)
    status = decide(WANTED, UNSEEN, broken, NOW + MINUTE).status

    assert status.ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert status.observed_generation == broken.observed_generation


def test_a_spec_that_moved_is_told_of_under_its_new_name() -> None:
    moved = replace(WANTED, name="new-name", source="new.yaml")
    statuses = [decide(moved, look, a_past(WANTED), NOW).status for look in (UNSEEN, a_look())]

    assert [(each.name, each.source) for each in statuses] == [("new-name", "new.yaml")] * 2


def test_a_provider_that_hides_cancelling_confirms_only_by_an_end_time() -> None:
    subject = a_subject("cancelled", HIDES_CANCELLING)
    asked = carried_out(subject, a_look(), None, NOW)
    hidden = decide(subject, a_look(Phase.CANCELLED, finished_at=None), asked, NOW + HOUR).status
    ended = decide(subject, a_look(Phase.CANCELLED, finished_at=NOW), asked, NOW + HOUR).status

    assert (hidden.phase, hidden.is_ready, hidden.final) == (Phase.CANCELLING, False, False)
    assert (ended.phase, ended.is_ready, ended.final) == (Phase.CANCELLED, True, True)


def follow(subject: Subject, progress: Progress, until: datetime) -> list[timedelta]:
    """Follow the requeues of a job that goes on whatever is asked, and return when it was asked to stop."""
    status, now, asked = None, NOW, []
    while now < until:
        decision = decide(subject, a_look(at=now, created_at=NOW - HOUR), status, now)
        if decision.action is not None:
            asked.append(now - NOW)
        status = answered(decision, now, progress)
        after = decide(subject, a_look(at=now, created_at=NOW - HOUR), status, now)
        assert after.requeue is not None
        now += after.requeue
    return asked


def test_a_job_that_does_not_answer_is_asked_five_times_and_then_every_six_hours() -> None:
    asked = follow(WANTED, Progress.UNANSWERED, NOW + 7 * HOUR)

    assert asked == [*(seconds * SECOND for seconds in (0, 5, 15, 35, 75)), 75 * SECOND + 6 * HOUR]


def test_a_cancel_that_is_accepted_and_not_honoured_is_asked_for_every_ten_minutes_and_then_every_six_hours() -> None:
    asked = follow(WANTED, Progress.ACCEPTED, NOW + 7 * HOUR)

    assert asked == [*(minutes * MINUTE for minutes in (0, 10, 20, 30, 40)), 40 * MINUTE + 6 * HOUR]


def test_a_request_that_never_arrives_is_asked_for_at_every_look() -> None:
    decision = decide(WANTED, a_look(), None, NOW)
    status = answered(decision, NOW, Progress.NOT_DELIVERED)

    assert decide(WANTED, a_look(), status, NOW + SECOND).action == decision.action


@pytest.mark.parametrize("jump", [-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY])
@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.CANCELLING, Phase.CANCELLED, Phase.ABSENT, Phase.UNKNOWN])
def test_a_clock_that_jumps_never_confirms_nor_forgets_a_cancel(phase: Phase, jump: timedelta) -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    look = ABSENT if phase is Phase.ABSENT else a_look(phase, NOW + jump)
    decision = decide(WANTED, look, asked, NOW + jump)

    assert decision.status.is_ready == (phase is Phase.CANCELLED)
    assert len(decision.status.receipts) == 1
    assert decision.action is None or not decision.action.is_first_attempt


def test_a_clock_that_jumps_back_a_day_does_not_keep_a_job_from_being_asked_again() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    decision = decide(WANTED, a_look(at=NOW - DAY), asked, NOW - DAY)

    assert decision.action is not None


def test_an_action_says_which_job_why_and_whether_for_the_first_time() -> None:
    subject = a_subject("cancelled", reason="see #412")
    first = decide(subject, a_look(), None, NOW)
    second = decide(subject, a_look(), a_past(subject, Phase.RUNNING, a_receipt(age=MINUTE)), NOW)

    assert first.action is not None
    assert (first.action.verb, first.action.ref, first.action.reason) == (Verb.CANCEL, REF, "see #412")
    assert [each.action and each.action.is_first_attempt for each in (first, second)] == [True, False]


def test_a_failed_job_says_what_the_provider_said() -> None:
    look = a_look(Phase.FAILED, error=JobError("invalid_file", "line 7 is not JSON"))

    assert decide(a_subject("running"), look, None, NOW).status.ready.message == (
        "failed at the provider: line 7 is not JSON"
    )


def test_a_request_that_was_made_is_not_said_to_be_due_after_a_suspension() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    held = decide(a_subject("cancelled", suspend=True), a_look(), asked, NOW + SECOND).status
    status = decide(WANTED, a_look(), held, NOW + 2 * SECOND).status

    assert status.ready.message == "running at the provider; cancel was asked for"


def test_progress_that_moves_by_itself_is_written_only_with_a_transition() -> None:
    subject = a_subject("observed")
    first = decide(subject, a_look(trained_tokens=10), None, NOW).status
    more = decide(subject, a_look(trained_tokens=20), first, NOW + MINUTE).status
    paused = decide(subject, a_look(Phase.PAUSED, trained_tokens=30), more, NOW + HOUR).status

    assert more is first
    assert paused.job is not None
    assert paused.job.trained_tokens == 30


def test_a_person_who_asks_for_a_retry_gets_one_before_it_is_due() -> None:
    last = a_past(WANTED, Phase.RUNNING, a_receipt(age=SECOND, attempts=6))
    decisions = [decide(replace(WANTED, is_retry=is_retry), a_look(), last, NOW) for is_retry in (False, True)]

    assert [each.action is not None for each in decisions] == [False, True]


def test_a_look_that_found_nothing_is_no_job_at_all() -> None:
    status = decide(WANTED, Seen(None), None, NOW).status

    assert (status.ready.reason, status.phase, status.final) == (Reason.JOB_NOT_FOUND, Phase.ABSENT, False)
