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
def test_a_wait_that_lasts_wants_a_person_and_is_looked_at_still(
    phase: Phase, wanted: str, patience: timedelta, waits: Reason, stalls: Reason, edge: timedelta, where: str
) -> None:
    subject = a_subject(wanted)
    decision = decide(subject, a_look(phase), a_past(subject, phase, age=patience + edge), NOW)
    is_lasting = where != "just before"

    assert decision.status.is_stalled == is_lasting
    assert decision.status.ready.reason is (stalls if is_lasting else waits)
    assert decision.status.ready.message.endswith(f"after {SPANS[patience]}") == is_lasting
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
    assert (decision.requeue, decision.last) == (WANTED.interval, last)


def test_a_spec_that_changed_while_nobody_could_look_is_neither_ready_nor_not() -> None:
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
        "the spec changed while the provider could not be observed; no change is requested until it can be"
    )


@pytest.mark.parametrize("is_final", [True, False])
def test_an_end_that_was_known_stays_known_while_nobody_can_look(*, is_final: bool) -> None:
    ended = replace(a_past(a_subject("running"), Phase.SUCCEEDED), final=is_final, doubted_at=NOW)
    status = decide(WANTED, UNSEEN, ended, NOW).status

    assert (status.final, status.doubted_at, status.spent) == (is_final, NOW, ended.spent)
    assert decide(WANTED, UNSEEN, None, NOW).status.final is False


def test_a_spec_that_is_mended_during_an_outage_is_no_longer_called_invalid() -> None:
    broken = stalled(WANTED.name, WANTED.source, a_past(WANTED), Reason.INVALID_SPEC, "line 3", NOW)
    status = decide(WANTED, UNSEEN, broken, NOW + MINUTE).status

    assert status.ready.reason is Reason.CANNOT_OBSERVE_PROVIDER
    assert status.observed_generation == broken.observed_generation


def test_a_spec_that_moved_is_told_of_under_its_new_name() -> None:
    moved = replace(WANTED, name="new-name", source="new.yaml")
    statuses = [decide(moved, look, a_past(WANTED), NOW).status for look in (UNSEEN, a_look())]

    assert [(each.name, each.source) for each in statuses] == [("new-name", "new.yaml")] * 2


def test_a_spec_that_only_moved_during_an_outage_is_not_said_to_have_changed() -> None:
    last, moved = a_past(WANTED), replace(WANTED, name="new-name", source="new.yaml")

    assert decide(moved, UNSEEN, last, NOW).status == replace(last, name="new-name", source="new.yaml")


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

    assert first.action == Action(
        verb=Verb.CANCEL,
        ref=REF,
        name="support-triage",
        because=Because.DESIRED_STATE,
        reason="see #412",
        is_first_attempt=True,
    )
    assert second.action == replace(first.action, is_first_attempt=False)


def test_the_first_status_of_a_spec_is_of_its_first_generation_and_the_next_is_so_until_the_spec_changes() -> None:
    first = decide(WANTED, a_look(), None, NOW).status
    same = decide(WANTED, a_look(Phase.PAUSED), first, NOW + MINUTE).status
    changed = decide(a_subject("running"), a_look(), same, NOW + HOUR).status

    assert [each.observed_generation for each in (first, same, changed)] == [1, 1, 2]


def test_a_status_is_of_the_kind_of_its_spec_and_a_kind_that_cannot_be_paused_is_not_asked_to() -> None:
    kind = replace(FINE_TUNING, name="OtherJob", can_be_paused=False)
    decision = decide(replace(a_subject("paused"), kind=kind), a_look(), None, NOW)

    assert decision.status.kind is kind
    assert (decision.action, decision.status.ready.reason) == (None, Reason.NOT_SUPPORTED)


def test_a_failed_job_says_what_the_provider_said() -> None:
    look = a_look(Phase.FAILED, error=JobError("invalid_file", "line 7 is not JSON"))

    assert decide(a_subject("running"), look, None, NOW).status.ready.message == (
        "failed at the provider: line 7 is not JSON"
    )


def test_a_request_that_was_made_is_not_said_to_be_due_after_a_suspension() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    held = decide(a_subject("cancelled", suspend=True), a_look(), asked, NOW + SECOND).status
    status = decide(WANTED, a_look(), held, NOW + 2 * SECOND).status

    assert status.ready.message == "running at the provider; cancel was requested"


def test_a_job_that_is_understood_again_is_told_as_it_is_now() -> None:
    last = a_past(WANTED, Phase.RUNNING, a_receipt(age=MINUTE, accepted_at=NOW - MINUTE))
    strange = decide(WANTED, a_look(Phase.UNKNOWN), last, NOW).status
    status = decide(WANTED, a_look(), strange, NOW + MINUTE).status

    assert strange.ready.reason is Reason.PHASE_NOT_UNDERSTOOD
    assert (status.ready.reason, status.ready.message) == (
        Reason.CANCEL_PENDING,
        "running at the provider; cancel was requested",
    )


def test_a_pause_that_was_stuck_is_not_said_to_be_stuck_once_the_job_runs_again() -> None:
    paused = a_subject("paused")
    pausing = a_past(paused, Phase.PAUSING, a_receipt(Verb.PAUSE, MINUTE, accepted_at=NOW), age=30 * MINUTE)
    stuck = decide(paused, a_look(Phase.PAUSING), pausing, NOW).status
    status = decide(paused, a_look(), stuck, NOW + MINUTE).status

    assert (stuck.is_stalled, stuck.ready.message) == (True, "still pausing at the provider after 30 min")
    assert (status.is_reconciling, status.ready.message) == (True, "running at the provider; pause was requested")


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
        ("running", ABSENT, "the provider does not know this job id: a typo, or another account"),
        (
            "running",
            a_look(Phase.UNKNOWN, provider_status="dreaming"),
            "the provider reports 'dreaming', a status that this version does not know",
        ),
    ],
)
def test_what_a_look_showed_is_told_in_one_sentence(wanted: str, look: Observed, message: str) -> None:
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
def test_a_job_that_was_there_is_told_to_be_gone(wanted: str, receipt: Receipt | None, message: str) -> None:
    subject = a_subject(wanted)
    last = a_past(subject, Phase.RUNNING, *([receipt] if receipt else []))

    assert decide(subject, ABSENT, last, NOW).status.ready.message == message


def test_a_limit_is_told_with_what_it_does_and_on_an_observed_job_that_it_does_nothing() -> None:
    over: Any = {"limits": {"maxAge": "1h"}}
    running, observed = (decide(a_subject(wanted, **over), a_look(), None, NOW) for wanted in ("running", "observed"))
    unjudged = decide(a_subject("running", **over), a_look(as_of=None), None, NOW)

    assert running.status.ready.message == "running at the provider, over maxAge 1h; cancel is due"
    assert observed.status.ready.message == (
        "running at the provider; over maxAge 1h, which is only reported for an observed job"
    )
    assert observed.action is None
    assert unjudged.status.ready.message.startswith("running at the provider; its limit maxAge ")


def test_a_job_that_a_limit_cancelled_says_so() -> None:
    subject = a_subject("running", limits={"maxAge": "1h"})
    receipt = a_receipt(because=Because.LIMIT_REACHED, reason="maxAge 1h", accepted_at=NOW)
    ended = decide(subject, a_look(Phase.CANCELLED), a_past(subject, Phase.RUNNING, receipt), NOW).status

    assert (ended.ready.reason, ended.ready.message) == (
        Reason.LIMIT_REACHED,
        "cancelled, because it exceeded a limit of its spec",
    )


@pytest.mark.parametrize(("wanted", "limit"), [("running", "maxAge 1h"), ("observed", None)])
def test_a_limit_that_a_job_was_asked_to_stop_for_is_forgotten_once_its_spec_only_observes(
    wanted: str, limit: str | None
) -> None:
    subject = a_subject(wanted, limits={"maxAge": "1h"})
    receipt = a_receipt(because=Because.LIMIT_REACHED, reason="maxAge 1h")
    without_a_clock = a_look(as_of=None).job

    assert situate(subject, without_a_clock, a_past(subject, Phase.RUNNING, receipt), NOW).limit == limit


@pytest.mark.parametrize(("max_age", "reason"), [("1h", Reason.LIMIT_REACHED), ("3h", Reason.CANCELLED_ELSEWHERE)])
def test_a_job_whose_receipt_is_lost_is_told_as_cancelled_by_the_limit_that_it_ended_over(
    max_age: str, reason: Reason
) -> None:
    subject = a_subject("running", limits={"maxAge": max_age})
    look = a_look(Phase.CANCELLED, finished_at=NOW)

    assert decide(subject, look, None, NOW).status.ready.reason is reason


@pytest.mark.parametrize(("wanted", "phase", "verb"), [("paused", "running", "pause"), ("running", "paused", "resume")])
def test_what_a_provider_cannot_do_is_told_and_not_asked_for(wanted: str, phase: str, verb: str) -> None:
    decision = decide(a_subject(wanted, CANNOT_PAUSE), a_look(Phase(phase)), None, NOW)

    assert decision.action is None
    assert decision.status.is_stalled
    assert (decision.status.ready.reason, decision.status.ready.message) == (
        Reason.NOT_SUPPORTED,
        f"openai cannot {verb} a job",
    )


def test_what_others_have_undone_three_times_is_told() -> None:
    undone = [a_receipt(Verb.PAUSE, age=HOUR, outcome=Outcome.PAUSED, confirmed_at=NOW - HOUR)] * 3
    subject = a_subject("paused")
    decision = decide(subject, a_look(), a_past(subject, Phase.PAUSED, *undone), NOW)

    assert decision.action is None
    assert (decision.status.is_stalled, decision.status.ready.message) == (
        True,
        "the pause was undone three times within a day, but not by reconcile",
    )


@pytest.mark.parametrize(
    ("suspend", "message"),
    [
        ({}, "suspended"),
        ({"reason": "incident 7"}, "suspended: incident 7"),
        ({"until": render_instant(NOW + HOUR)}, f"suspended, until {render_instant(NOW + HOUR)}"),
    ],
)
def test_a_suspension_is_told_with_what_was_said_of_it(suspend: dict[str, str], message: str) -> None:
    assert decide(a_subject("cancelled", suspend=suspend or True), a_look(), None, NOW).status.ready.message == message


def test_a_decision_keeps_what_is_counted_and_told_of_the_job_so_far() -> None:
    spent = (RememberedAttempt(account=str(REF.account), requested_at=NOW - MINUTE, approved_by=None),)
    last = replace(a_past(WANTED), observed_generation=7, spent=spent)
    same, changed = (decide(subject, a_look(), last, NOW) for subject in (WANTED, a_subject("running")))

    assert (same.status.observed_generation, changed.status.observed_generation) == (7, 8)
    assert (same.status.spent, changed.status.spent) == (spent, spent)
    assert same.status.history[-1] == last.history[-1]
    assert (same.last, changed.last) == (last, last)


def test_a_job_is_looked_at_again_when_it_is_thought_to_finish() -> None:
    look = a_look(estimated_finish_at=NOW + 10 * SECOND)

    assert decide(a_subject("running"), look, None, NOW).requeue == 10 * SECOND


@pytest.mark.parametrize(("refused", "confirmed_at"), [({}, NOW), ({"is_refused": True}, None)])
def test_an_end_that_is_shown_is_ours_unless_it_came_with_the_refusal_of_our_first_request(
    refused: dict[str, bool], confirmed_at: datetime | None
) -> None:
    last, look = a_past(WANTED, Phase.RUNNING, a_receipt(age=MINUTE)), a_look(Phase.CANCELLED)

    assert decide(WANTED, look, last, NOW, **refused).status.receipts[0].confirmed_at == confirmed_at
    assert situate(WANTED, look.job, last, NOW, **refused).receipts[0].confirmed_at == confirmed_at
