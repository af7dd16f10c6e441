from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.conditions import Readiness, Verdict, stalled
from reconciler.core.decide import decide
from reconciler.core.situation import situate
from reconciler.core.subject import Subject
from reconciler.model.action import Action, Progress
from reconciler.model.job import JobError, Observed, Phase
from reconciler.model.kind import FINE_TUNING
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from reconciler.model.status import Because, ConditionStatus, HistoryEntry, Outcome, Receipt, RememberedAttempt, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    ABSENT,
    CANNOT_PAUSE,
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
SPANS = {24 * HOUR: "24 h", 2 * HOUR: "2 h", 30 * MINUTE: "30 min"}


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
def test_a_wait_that_lasts_too_long_is_stalled_and_is_still_polled(
    phase: Phase, wanted: str, patience: timedelta, waits: Reason, stalls: Reason, edge: timedelta, where: str
) -> None:
    subject = a_subject(wanted)
    decision = decide(subject, a_look(phase), a_past(subject, phase, age=patience + edge), NOW)
    is_lasting = where != "just before"

    assert decision.status.is_stalled == is_lasting
    assert decision.status.ready.reason is (stalls if is_lasting else waits)
    assert decision.status.ready.message.endswith(f"after {SPANS[patience]}") == is_lasting
    assert decision.requeue is not None


def test_a_stalled_wait_stays_stalled_despite_a_flapping_history_or_a_clock_step_back() -> None:
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
def test_a_suspension_ends_at_its_end_time(edge: timedelta, where: str) -> None:
    subject = a_subject("cancelled", suspend={"until": render_instant(NOW - edge)})
    decision = decide(subject, a_look(), None, NOW)

    assert (decision.action is None) == (where == "just before")


def test_a_suspended_job_is_polled_when_its_suspension_ends() -> None:
    subject = a_subject("cancelled", suspend={"until": render_instant(NOW + 7 * SECOND), "reason": "incident 7"})
    decision = decide(subject, a_look(), None, NOW)

    assert decision.requeue == 7 * SECOND
    assert decision.status.ready.message == "suspended, until 2026-11-23T14:03:27Z: incident 7"


def test_a_cancel_of_a_suspended_job_is_still_confirmed_and_not_withdrawn() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    suspended = a_subject("running", suspend=True)
    running = decide(suspended, a_look(), asked, NOW + MINUTE).status
    ended = decide(suspended, a_look(Phase.CANCELLED), asked, NOW + MINUTE).status

    assert running.open_receipt == asked.open_receipt
    assert ended.open_receipt is None
    assert ended.ready.reason is Reason.SUSPENDED


def test_a_failed_observation_causes_no_cancel_and_keeps_the_status() -> None:
    last = a_past(WANTED)
    decision = decide(WANTED, UNSEEN, last, NOW + DAY)

    assert (decision.action, decision.status) == (None, last)
    assert (decision.requeue, decision.last) == (WANTED.interval, last)


def test_a_spec_that_changed_during_an_outage_has_an_unknown_ready_condition() -> None:
    hold = Verdict(Readiness.READY, Reason.AS_DESIRED, "running")
    running = a_past(a_subject("running"), Phase.RUNNING, a_receipt(age=HOUR), verdict=hold)
    decision = decide(WANTED, UNSEEN, running, NOW)
    status = decision.status

    assert (decision.action, decision.requeue, decision.last) == (None, WANTED.interval, running)
    assert status.history == (
        HistoryEntry(NOW, running.phase, Reason.CANNOT_OBSERVE_PROVIDER),
        *running.history,
    )
    assert status.ready.last_transition_time == NOW
    assert (status.ready.status, status.ready.reason) == (ConditionStatus.UNKNOWN, Reason.CANNOT_OBSERVE_PROVIDER)
    assert (status.observed_generation, status.observed_spec) == (2, WANTED.digest)
    assert (status.job, status.phase, status.receipts) == (running.job, running.phase, running.receipts)
    assert status.ready.message == (
        "this version of the spec could not be observed yet; no change is requested until the job is observed"
    )


@pytest.mark.parametrize("is_final", [True, False])
def test_an_outage_changes_neither_the_final_flag_nor_the_doubt_of_a_status(*, is_final: bool) -> None:
    ended = replace(a_past(a_subject("running"), Phase.SUCCEEDED), final=is_final, doubted_at=NOW)
    status = decide(WANTED, UNSEEN, ended, NOW).status

    assert (status.final, status.doubted_at, status.spent) == (is_final, NOW, ended.spent)
    assert decide(WANTED, UNSEEN, None, NOW).status.final is False


def test_a_spec_that_is_corrected_during_an_outage_is_no_longer_reported_as_invalid() -> None:
    broken = stalled(WANTED.name, WANTED.source, a_past(WANTED), Reason.INVALID_SPEC, "line 3", NOW)
    status = decide(WANTED, UNSEEN, broken, NOW + MINUTE).status

    assert status.ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert status.observed_generation == broken.observed_generation


def test_the_status_of_a_moved_spec_has_the_new_name_and_source() -> None:
    moved = replace(WANTED, name="new-name", source="new.yaml")
    statuses = [decide(moved, look, a_past(WANTED), NOW).status for look in (UNSEEN, a_look())]

    assert [(each.name, each.source) for each in statuses] == [("new-name", "new.yaml")] * 2


def test_a_spec_that_only_moved_during_an_outage_is_not_reported_as_changed() -> None:
    last, moved = a_past(WANTED), replace(WANTED, name="new-name", source="new.yaml")

    assert decide(moved, UNSEEN, last, NOW).status == replace(last, name="new-name", source="new.yaml")


def test_a_provider_that_does_not_report_cancelling_confirms_only_by_an_end_time() -> None:
    subject = a_subject("cancelled", HIDES_CANCELLING)
    asked = carried_out(subject, a_look(), None, NOW)
    hidden = decide(subject, a_look(Phase.CANCELLED, finished_at=None), asked, NOW + HOUR).status
    ended = decide(subject, a_look(Phase.CANCELLED, finished_at=NOW), asked, NOW + HOUR).status

    assert (hidden.phase, hidden.is_ready, hidden.final) == (Phase.CANCELLING, False, False)
    assert (ended.phase, ended.is_ready, ended.final) == (Phase.CANCELLED, True, True)


def follow(subject: Subject, progress: Progress, until: datetime) -> list[timedelta]:
    """Follow the requeues of a job that keeps running, and return when a cancel was requested."""
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


def test_an_unanswered_cancel_is_sent_five_times_and_then_every_six_hours() -> None:
    asked = follow(WANTED, Progress.UNANSWERED, NOW + 7 * HOUR)

    assert asked == [*(seconds * SECOND for seconds in (0, 5, 15, 35, 75)), 75 * SECOND + 6 * HOUR]


def test_an_accepted_cancel_without_effect_is_repeated_after_10_minutes_then_6_hours() -> None:
    asked = follow(WANTED, Progress.ACCEPTED, NOW + 7 * HOUR)

    assert asked == [*(minutes * MINUTE for minutes in (0, 10, 20, 30, 40)), 40 * MINUTE + 6 * HOUR]


def test_an_undelivered_request_is_sent_again_after_the_next_observation() -> None:
    decision = decide(WANTED, a_look(), None, NOW)
    status = answered(decision, NOW, Progress.NOT_DELIVERED)

    assert decide(WANTED, a_look(), status, NOW + SECOND).action == decision.action


@pytest.mark.parametrize("jump", [-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY])
@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.CANCELLING, Phase.CANCELLED, Phase.ABSENT, Phase.UNKNOWN])
def test_a_clock_step_neither_confirms_nor_forgets_a_cancel(phase: Phase, jump: timedelta) -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    look = ABSENT if phase is Phase.ABSENT else a_look(phase, NOW + jump)
    decision = decide(WANTED, look, asked, NOW + jump)

    assert decision.status.is_ready == (phase is Phase.CANCELLED)
    assert len(decision.status.receipts) == 1
    assert decision.action is None or not decision.action.is_first_attempt


def test_a_cancel_is_still_repeated_after_the_clock_steps_back_a_day() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    decision = decide(WANTED, a_look(at=NOW - DAY), asked, NOW - DAY)

    assert decision.action is not None


def test_an_action_contains_its_job_its_reason_and_whether_it_is_the_first_attempt() -> None:
    subject = a_subject("cancelled", reason="see #412")
    first = decide(subject, a_look(), None, NOW)
    second = decide(subject, a_look(), a_past(subject, Phase.RUNNING, a_receipt(age=MINUTE)), NOW)

    assert first.action == Action(
        verb=Verb.CANCEL,
        ref=REF,
        name="support-triage",
        because=Because.DESIRED_STATE,
        reason="see #412",
        is_first_attempt=True,
    )
    assert second.action == replace(first.action, is_first_attempt=False)


def test_the_generation_starts_at_1_and_increases_when_the_spec_changes() -> None:
    first = decide(WANTED, a_look(), None, NOW).status
    same = decide(WANTED, a_look(Phase.PAUSED), first, NOW + MINUTE).status
    changed = decide(a_subject("running"), a_look(), same, NOW + HOUR).status

    assert [each.observed_generation for each in (first, same, changed)] == [1, 1, 2]


def test_a_pause_is_not_requested_for_a_kind_that_cannot_be_paused() -> None:
    kind = replace(FINE_TUNING, name="OtherJob", can_be_paused=False)
    decision = decide(replace(a_subject("paused"), kind=kind), a_look(), None, NOW)

    assert decision.status.kind is kind
    assert (decision.action, decision.status.ready.reason) == (None, Reason.NOT_SUPPORTED)


def test_the_message_of_a_failed_job_contains_the_error_of_the_provider() -> None:
    look = a_look(Phase.FAILED, error=JobError("invalid_file", "line 7 is not JSON"))

    assert decide(a_subject("running"), look, None, NOW).status.ready.message == (
        "failed at the provider: line 7 is not JSON"
    )


def test_a_cancel_sent_before_a_suspension_is_reported_as_requested_after_it() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    held = decide(a_subject("cancelled", suspend=True), a_look(), asked, NOW + SECOND).status
    status = decide(WANTED, a_look(), held, NOW + 2 * SECOND).status

    assert status.ready.message == "running at the provider; cancel was requested"


def test_a_job_with_a_known_phase_again_is_no_longer_reported_as_not_understood() -> None:
    last = a_past(WANTED, Phase.RUNNING, a_receipt(age=MINUTE, accepted_at=NOW - MINUTE))
    strange = decide(WANTED, a_look(Phase.UNKNOWN), last, NOW).status
    status = decide(WANTED, a_look(), strange, NOW + MINUTE).status

    assert strange.ready.reason is Reason.PHASE_NOT_UNDERSTOOD
    assert (status.ready.reason, status.ready.message) == (
        Reason.CANCEL_PENDING,
        "running at the provider; cancel was requested",
    )


def test_a_stuck_pause_is_no_longer_reported_as_stuck_once_the_job_runs_again() -> None:
    paused = a_subject("paused")
    pausing = a_past(paused, Phase.PAUSING, a_receipt(Verb.PAUSE, MINUTE, accepted_at=NOW), age=30 * MINUTE)
    stuck = decide(paused, a_look(Phase.PAUSING), pausing, NOW).status
    status = decide(paused, a_look(), stuck, NOW + MINUTE).status

    assert (stuck.is_stalled, stuck.ready.message) == (True, "still pausing at the provider after 30 min")
    assert (status.is_reconciling, status.ready.message) == (True, "running at the provider; pause was requested")


def test_training_progress_is_written_only_with_a_transition() -> None:
    subject = a_subject("observed")
    first = decide(subject, a_look(trained_tokens=10), None, NOW).status
    more = decide(subject, a_look(trained_tokens=20), first, NOW + MINUTE).status
    paused = decide(subject, a_look(Phase.PAUSED, trained_tokens=30), more, NOW + HOUR).status

    assert more is first
    assert paused.job is not None
    assert paused.job.trained_tokens == 30


def test_a_retry_by_the_user_causes_a_request_before_it_is_due() -> None:
    last = a_past(WANTED, Phase.RUNNING, a_receipt(age=SECOND, attempts=6))
    decisions = [decide(replace(WANTED, is_retry=is_retry), a_look(), last, NOW) for is_retry in (False, True)]

    assert [each.action is not None for each in decisions] == [False, True]


def test_a_job_that_was_never_observed_and_is_absent_is_not_found() -> None:
    status = decide(WANTED, Observed(None), None, NOW).status

    assert (status.ready.reason, status.phase, status.final) == (Reason.JOB_NOT_FOUND, Phase.ABSENT, False)


@pytest.mark.parametrize(
    ("wanted", "look", "message"),
    [
        ("running", a_look(), "running at the provider"),
        ("observed", a_look(), "running at the provider"),
        ("cancelled", a_look(), "running at the provider; cancel is due"),
        ("running", a_look(Phase.PAUSED), "paused at the provider; resume is due"),
        ("cancelled", a_look(Phase.CANCELLING), "cancelling at the provider"),
        ("cancelled", a_look(Phase.SUCCEEDED), "succeeded at the provider"),
        ("running", a_look(Phase.FAILED), "failed at the provider"),
        ("running", a_look(Phase.FAILED, error=JobError(None, None)), "failed at the provider"),
        ("running", ABSENT, "the provider has no job with this id: check spec.jobId for a typo, and check the account"),
        (
            "running",
            a_look(Phase.UNKNOWN, provider_status="dreaming"),
            "the provider reports 'dreaming', a status that this version does not know: update reconcile",
        ),
    ],
)
def test_the_message_describes_the_observation_and_the_due_change(wanted: str, look: Observed, message: str) -> None:
    assert decide(a_subject(wanted), look, None, NOW).status.ready.message == message


@pytest.mark.parametrize(
    ("wanted", "receipt", "message"),
    [
        ("running", None, "the provider no longer knows this job"),
        ("observed", None, "the provider no longer knows this job"),
        (
            "cancelled",
            a_receipt(accepted_at=NOW),
            "the provider no longer knows this job; one more check will confirm it",
        ),
    ],
)
def test_the_message_of_a_vanished_job_says_that_the_provider_no_longer_knows_it(
    wanted: str, receipt: Receipt | None, message: str
) -> None:
    subject = a_subject(wanted)
    last = a_past(subject, Phase.RUNNING, *([receipt] if receipt else []))

    assert decide(subject, ABSENT, last, NOW).status.ready.message == message


def test_the_message_about_a_limit_says_whether_a_cancel_follows() -> None:
    over: Any = {"limits": {"maxAge": "1h"}}
    running, observed = (decide(a_subject(wanted, **over), a_look(), None, NOW) for wanted in ("running", "observed"))
    unjudged = decide(a_subject("running", **over), a_look(as_of=None), None, NOW)

    assert running.status.ready.message == "running at the provider, over maxAge 1h; cancel is due"
    assert observed.status.ready.message == (
        "running at the provider; over maxAge 1h, which is only reported for an observed job"
    )
    assert observed.action is None
    assert unjudged.status.ready.message.startswith("running at the provider; its limit maxAge ")


def test_a_job_that_was_cancelled_because_of_a_limit_is_reported_as_such() -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    receipt = a_receipt(because=Because.LIMIT_REACHED, reason="maxAge 1h", accepted_at=NOW)
    ended = decide(subject, a_look(Phase.CANCELLED), a_past(subject, Phase.RUNNING, receipt), NOW).status

    assert (ended.ready.reason, ended.ready.message) == (
        Reason.LIMIT_REACHED,
        "cancelled, because it exceeded a limit of its spec",
    )


@pytest.mark.parametrize(("wanted", "limit"), [("running", "maxAge 1h"), ("observed", None)])
def test_a_limit_that_caused_a_cancel_is_dropped_once_the_spec_only_observes(wanted: str, limit: str | None) -> None:
    subject = a_subject(wanted, limits={"maxAge": "1h"})
    receipt = a_receipt(because=Because.LIMIT_REACHED, reason="maxAge 1h")
    without_a_clock = a_look(as_of=None).job

    assert situate(subject, without_a_clock, a_past(subject, Phase.RUNNING, receipt), NOW).limit == limit


@pytest.mark.parametrize(("max_age", "reason"), [("1h", Reason.LIMIT_REACHED), ("3h", Reason.CANCELLED_ELSEWHERE)])
def test_without_a_receipt_a_job_cancelled_over_its_limit_reports_limit_reached(max_age: str, reason: Reason) -> None:
    subject = a_subject("running", limits={"maxAge": max_age})
    look = a_look(Phase.CANCELLED, finished_at=NOW)

    assert decide(subject, look, None, NOW).status.ready.reason is reason


@pytest.mark.parametrize(("wanted", "phase", "verb"), [("paused", "running", "pause"), ("running", "paused", "resume")])
def test_an_unsupported_request_is_not_sent_and_the_job_is_stalled(wanted: str, phase: str, verb: str) -> None:
    decision = decide(a_subject(wanted, CANNOT_PAUSE), a_look(Phase(phase)), None, NOW)

    assert decision.action is None
    assert decision.status.is_stalled
    assert (decision.status.ready.reason, decision.status.ready.message) == (
        Reason.NOT_SUPPORTED,
        f"openai cannot {verb} a job",
    )


def test_a_pause_that_was_undone_three_times_is_not_requested_again() -> None:
    undone = [a_receipt(Verb.PAUSE, age=HOUR, outcome=Outcome.PAUSED, confirmed_at=NOW - HOUR)] * 3
    subject = a_subject("paused")
    decision = decide(subject, a_look(), a_past(subject, Phase.PAUSED, *undone), NOW)

    assert decision.action is None
    assert (decision.status.is_stalled, decision.status.ready.message) == (
        True,
        "something other than reconcile undid the pause three times within a day",
    )


@pytest.mark.parametrize(
    ("suspend", "message"),
    [
        ({}, "suspended"),
        ({"reason": "incident 7"}, "suspended: incident 7"),
        ({"until": render_instant(NOW + HOUR)}, f"suspended, until {render_instant(NOW + HOUR)}"),
    ],
)
def test_the_message_of_a_suspension_contains_its_end_and_its_reason(suspend: dict[str, str], message: str) -> None:
    assert decide(a_subject("cancelled", suspend=suspend or True), a_look(), None, NOW).status.ready.message == message


def test_a_decision_keeps_the_spent_attempts_generation_and_history_of_the_job() -> None:
    spent = (RememberedAttempt(account=str(REF.account), requested_at=NOW - MINUTE, approved_by=None),)
    last = replace(a_past(WANTED), observed_generation=7, spent=spent)
    same, changed = (decide(subject, a_look(), last, NOW) for subject in (WANTED, a_subject("running")))

    assert (same.status.observed_generation, changed.status.observed_generation) == (7, 8)
    assert (same.status.spent, changed.status.spent) == (spent, spent)
    assert same.status.history[-1] == last.history[-1]
    assert (same.last, changed.last) == (last, last)


def test_the_requeue_is_at_the_estimated_finish_time() -> None:
    look = a_look(estimated_finish_at=NOW + 10 * SECOND)

    assert decide(a_subject("running"), look, None, NOW).requeue == 10 * SECOND


@pytest.mark.parametrize(("refused", "confirmed_at"), [({}, NOW), ({"is_refused": True}, None)])
def test_an_observed_end_confirms_the_cancel_unless_the_first_request_was_refused(
    refused: dict[str, bool], confirmed_at: datetime | None
) -> None:
    last, look = a_past(WANTED, Phase.RUNNING, a_receipt(age=MINUTE)), a_look(Phase.CANCELLED)

    assert decide(WANTED, look, last, NOW, **refused).status.receipts[0].confirmed_at == confirmed_at
    assert situate(WANTED, look.job, last, NOW, **refused).receipts[0].confirmed_at == confirmed_at
