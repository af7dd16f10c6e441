"""The laws of a decision, each a predicate over one case and the decision.

From `core` and `formats`, only the tested functions, their types and `INTERVALS_MAX` are imported. This file and
`decision_case` define the allowed changes again, after the design, so that a wrong cell in the decision table is
detected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile

from reconciler.core.decide import Decision, decide, decide_in_full
from reconciler.core.receipts import intend
from reconciler.core.schedule import INTERVALS_MAX
from reconciler.core.settle import RequestOutcome, halted, refused, settle
from reconciler.core.shadow import withheld
from reconciler.core.unchanged import is_unchanged
from reconciler.formats.plain_status import pack_plain, render_plain
from reconciler.formats.status_rows import pack_status, unpack_status
from reconciler.formats.status_writer import render_status
from reconciler.model.action import Action, Progress
from reconciler.model.change_window import ChangeWindow, Period
from reconciler.model.job import Observed, ObservedJob, Phase, Unobserved
from reconciler.model.kind import BATCH
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobStatus, Outcome, Verb
from tests.support.conditions_oracle import violations
from tests.support.decision_case import OVER, STARTED, STOPPABLE, Case
from tests.support.subjects import MINUTE, a_batch_subject, a_subject

ASKED = (Progress.ACCEPTED, Progress.UNANSWERED, Progress.REJECTED, Progress.FORBIDDEN)
"""The results after which a request counts as sent."""
NOT_ASKED = (Progress.NOT_DELIVERED, Progress.OVERTAKEN)
REMIND_WITHIN = timedelta(hours=6)
MOOT = {
    Verb.CANCEL: (*sorted(OVER), Phase.CANCELLING),
    Verb.PAUSE: (*sorted(OVER), Phase.PAUSED),
    Verb.RESUME: (*sorted(OVER), Phase.RUNNING),
}
"""The phases in which a provider refuses a request because it would have no effect."""


Law = Callable[[Case, Decision], bool]


def change_in_the_design(case: Case) -> Verb | None:
    """Return the change that the design requires in this case, even if it was requested before, or None."""
    if case.job is None or case.is_suspended or case.is_end_believed:
        return None
    phase, wanted = case.job.phase, case.subject.spec.desired_state
    if case.is_cancel_wanted:
        return Verb.CANCEL if phase in STOPPABLE else None
    if not case.can_be_paused or case.is_limit_remembered:
        return None
    if wanted is DesiredState.PAUSED and phase in STARTED:
        return Verb.PAUSE
    is_resumable = phase is Phase.PAUSED and not case.is_paused_elsewhere
    return Verb.RESUME if wanted is DesiredState.RUNNING and is_resumable else None


def a_decision_requests_only_the_change_in_the_table(case: Case, decision: Decision) -> bool:
    return decision.action is None or decision.action.verb is change_in_the_design(case)


def a_change_that_was_never_requested_is_requested_at_once(case: Case, decision: Decision) -> bool:
    verb = change_in_the_design(case)
    newest = case.last.receipts[0] if case.last and case.last.receipts else None
    is_asked = newest is not None and newest.verb is verb and newest.outcome in {None, Outcome.GONE}
    if verb is None or is_asked or _is_contested(case, verb):
        return True
    return decision.action is not None and decision.action.is_first_attempt


def _is_contested(case: Case, verb: Verb) -> bool:
    undone = 0
    for receipt in case.last.receipts if case.last else ():
        if receipt.verb is not verb or receipt.confirmed_at is None:
            break
        undone += case.now - receipt.confirmed_at < timedelta(days=1)
    return verb is not Verb.CANCEL and undone >= 3


def a_failed_observation_keeps_every_fact_and_requests_no_change(case: Case, decision: Decision) -> bool:
    if not isinstance(case.look, Unobserved):
        return True
    before = _known(case.last) if case.last else (None, (), Phase.UNKNOWN, False, None, None)
    return decision.action is None and _known(decision.status) == before


def _known(status: JobStatus) -> tuple[object, ...]:
    return status.job, status.receipts, status.phase, status.final, status.doubted_at, status.paused_elsewhere


def a_decision_writes_a_well_formed_status(_case: Case, decision: Decision) -> bool:
    return _is_well_formed(decision.status)


def a_response_writes_a_well_formed_status(case: Case, decision: Decision) -> bool:
    return all(map(_is_well_formed, answers(case, decision, ASKED)))


def _is_well_formed(status: JobStatus) -> bool:
    """Return whether a status has valid conditions, few enough receipts and entries, and no open older receipt."""
    is_in_order = not any(each.is_open for each in status.receipts[1:])
    return is_in_order and len(status.receipts) <= 5 and len(status.history) <= 10 and violations(status) == []


def a_receipt_is_withdrawn_only_if_its_change_is_no_longer_wanted(case: Case, decision: Decision) -> bool:
    before = case.last.open_receipt if case.last else None
    if before is None or not isinstance(case.look, Observed) or case.is_suspended:
        return True
    after = decision.status.receipts[0]
    if case.is_cancel_wanted or case.is_limit_remembered:
        wanted: Verb | None = Verb.CANCEL
    else:
        wanted = {DesiredState.PAUSED: Verb.PAUSE, DesiredState.RUNNING: Verb.RESUME}.get(
            case.subject.spec.desired_state
        )
    if before.verb is wanted:
        return after.outcome is not Outcome.WITHDRAWN
    return not after.is_open


def a_repeated_decision_is_equal_even_if_counters_changed(case: Case, decision: Decision) -> bool:
    if decision.status is case.last:
        return True
    return case.with_other_counters().again(decision.status) == decision


def a_sent_request_is_not_repeated_at_once(case: Case, decision: Decision) -> bool:
    for status in answers(case, decision, ASKED):
        again = case.again(status)
        if again.action is not None or again.status != status:
            return False
    return True


def an_undelivered_request_is_sent_again(case: Case, decision: Decision) -> bool:
    return all(case.again(status) == decision for status in answers(case, decision, NOT_ASKED))


def a_repeated_refusal_writes_the_same_status(case: Case, decision: Decision) -> bool:
    """A refusal or a halt a minute later writes the same status, even if counters have changed."""
    if decision.action is None or not decision.action.is_first_attempt:
        return True
    for refuse in (refused, halted):
        status = refuse(decision.status, "too many", decision.last, case.now)
        again = case.with_other_counters().again(status, timedelta(minutes=1))
        after = refuse(again.status, "too many", status, case.now + timedelta(minutes=1))
        if not _is_well_formed(status) or again.action != decision.action or after != status:
            return False
    return True


def shadow_mode_decides_the_same_and_only_reports_it(case: Case, decision: Decision) -> bool:
    """The decision differs only in `is_first_attempt`. The report adds no receipt and settles nothing.

    Another pass in shadow mode writes the same status, even a minute later, and no longer counts the change as a first
    attempt. A pass without shadow mode requests the change at once.
    """
    action, shadowed = decision.action, replace(case, subject=replace(case.subject, is_shadow=True))
    if decide(shadowed.subject, case.look, case.last, case.now) != decision:
        return False
    if action is None:
        return True
    status = withheld(decision.status, action, decision.last, case.now)
    is_kept = replace(status, conditions=(), history=()) == replace(decision.status, conditions=(), history=())
    is_kept &= not status.is_ready and _is_well_formed(status)
    again = shadowed.with_other_counters().again(status, timedelta(minutes=1))
    if again.action is None:
        return False
    after = withheld(again.status, again.action, status, case.now + timedelta(minutes=1))
    is_reported = status.is_stalled or not again.action.is_first_attempt
    return is_kept and after == status and is_reported and case.again(status).action == action


def a_closed_change_window_delays_a_request_and_nothing_else(case: Case, decision: Decision) -> bool:
    """While it is closed, no request is sent, the job is polled when it opens, and another decision changes nothing.

    Once it is open, the same change is requested. A receipt that is already open keeps its status.
    """
    closed = ChangeWindow("freeze", is_deny=True, when=Period(case.now - MINUTE, case.now + MINUTE))
    delayed = replace(case, subject=replace(case.subject, windows=(closed,)))
    waiting = decide(delayed.subject, case.look, case.last, case.now)
    if decision.action is None:
        return waiting.status == decision.status and waiting.action is None
    status = waiting.status
    is_kept = replace(status, conditions=(), history=()) == replace(decision.status, conditions=(), history=())
    if decision.status.open_receipt is not None:
        is_kept &= status == decision.status
    else:
        is_kept &= (status.ready.reason, status.is_ready) == (Reason.OUTSIDE_WINDOW, False) and _is_well_formed(status)
    half = delayed.with_other_counters().again(status, MINUTE / 2)
    is_still = (half.status, half.action) == (status, None)
    is_polled = waiting.requeue is not None and waiting.requeue <= MINUTE
    return (
        waiting.action is None
        and is_kept
        and is_still
        and is_polled
        and delayed.again(status, MINUTE).action == (case.again(decision.status, MINUTE).action)
    )


def a_cancel_is_ready_only_with_proof(case: Case, decision: Decision) -> bool:
    """Proofs: a terminal phase, observed now or before the job vanished; or an accepted cancel and two absences."""
    if not decision.status.is_ready or not isinstance(case.look, Observed) or not case.is_cancel_wanted:
        return True
    last = case.last
    if case.is_end_believed:
        return last is not None and last.phase in OVER
    if case.job is not None:
        is_hidden = case.job.phase is Phase.CANCELLED and not case.subject.capabilities.confirms
        return case.job.phase in OVER and (not is_hidden or _has_end(decision.status))
    if last is not None and last.phase in OVER:
        return True
    cancel = next((each for each in decision.status.receipts if each.verb is Verb.CANCEL), None)
    is_second_absence = last is not None and last.phase is Phase.ABSENT
    return is_second_absence and cancel is not None and cancel.accepted_at is not None


def a_limit_that_cannot_be_judged_is_reported(case: Case, decision: Decision) -> bool:
    """The message of `AsDesired` reports a limit exactly if it cannot be judged. Other reasons are not checked."""
    ready = decision.status.ready
    is_as_desired = ready.reason in {Reason.AS_DESIRED, Reason.LIMIT_NEAR}
    if not is_as_desired or not isinstance(case.look, Observed) or case.is_end_believed:
        return True
    is_moot = case.subject.spec.desired_state is DesiredState.CANCELLED
    return ("cannot be judged" in ready.message) == (case.is_limit_unjudged and not is_moot)


def a_limit_acts_only_after_its_warning(case: Case, decision: Decision) -> bool:
    """With `warnBefore`, a cancel for a limit is first requested that long after its warning was written."""
    limits, action, last = case.subject.spec.limits, decision.action, case.last
    if limits is None or limits.warn_before is None or action is None or action.because is not Because.LIMIT_REACHED:
        return True
    if last is not None and last.open_receipt is not None and last.open_receipt.because is Because.LIMIT_REACHED:
        return True
    warning = last.warning if last is not None else None
    is_same = warning is not None and warning.limit == action.reason
    return is_same and warning is not None and case.now - warning.since >= limits.warn_before


def a_cost_limit_acts_only_on_a_certain_cost_that_two_observations_show(case: Case, decision: Decision) -> bool:
    """It never acts without a price, on an upper bound, or on a cost in another currency."""
    action = decision.action
    is_for_cost = action is not None and (action.reason or "").startswith("maxCost")
    return not is_for_cost or case.is_over_cost


def a_near_limit_is_reported_and_its_warning_keeps_its_time(case: Case, decision: Decision) -> bool:
    """A ready job with a warning is `LimitNear`, no other job is, and a later decision keeps the warning."""
    status = decision.status
    is_near, warning = status.ready.reason is Reason.LIMIT_NEAR, status.warning
    if is_near and (warning is None or not status.is_ready):
        return False
    if warning is None or not isinstance(case.look, Observed):
        return True
    is_kept = case.again(status, MINUTE).status.warning in {warning, None}
    is_told = is_near or status.ready.reason is not Reason.AS_DESIRED or case.as_of is None
    return is_kept and is_told and not case.is_suspended


def a_job_paused_elsewhere_is_resumed_by_a_retry_or_a_changed_spec_alone(case: Case, decision: Decision) -> bool:
    """Time alone causes no resume. A resume that others undid three times stays contested."""
    status = decision.status
    if isinstance(case.look, Unobserved):
        return True
    if status.ready.reason is not Reason.PAUSED_ELSEWHERE:
        return case.is_suspended or case.is_end_believed or not _is_wanted_pause_of_others(case)
    later = [case.again(status, span).action for span in (MINUTE, timedelta(days=2))]
    is_kept = decision.action is None and all(each is None or each.verb is Verb.CANCEL for each in later)
    causes = ({"is_retry": True}, {"digest": "sha256:edited"})
    resumed = [replace(case, subject=replace(case.subject, **cause)).again(status) for cause in causes]
    words = {each.status.ready.reason for each in resumed}
    is_requested = status.phase is Phase.PAUSING or all(each.action is not None for each in resumed)
    return is_kept and (words == {Reason.CONTESTED} or (words == {Reason.RESUME_PENDING} and is_requested))


def _is_wanted_pause_of_others(case: Case) -> bool:
    is_running_wanted = case.subject.spec.desired_state is DesiredState.RUNNING
    return is_running_wanted and case.is_paused_elsewhere and not case.is_cancel_wanted and not case.is_limit_remembered


def a_final_status_stays_final(case: Case, decision: Decision) -> bool:
    """Only an ended job is final. It stays final if the observation is repeated now, a day later or a day earlier."""
    status = decision.status
    if not status.final or status is case.last or status.doubted_at is not None:
        return True
    jumps = (timedelta(0), timedelta(days=1), timedelta(days=-1))
    return status.phase in OVER and all(case.again(status, jump).status.final for jump in jumps)


def a_final_status_has_an_end_time_or_two_equal_observations(case: Case, decision: Decision) -> bool:
    """A cancelled job may also be final because a cancel was accepted.

    A fine-tuning job that succeeded without a model name is not final for an hour. A batch has no promised result.
    """
    status, last, job = decision.status, case.last, case.job
    if not status.final or job is None or case.is_end_believed or status.job is None:
        return True
    cancels = [each for each in status.receipts if each.verb is Verb.CANCEL]
    ended_at = status.job.finished_at
    has_end = ended_at is not None and ended_at <= case.now + timedelta(minutes=5)
    is_ours = job.phase is Phase.CANCELLED and any(each.accepted_at is not None for each in cancels)
    told = [each.at for each in takewhile(lambda each: each.phase is status.phase, last.history if last else ())]
    lasted = case.now - told[-1] if told else timedelta(0)
    is_promised = job.phase is Phase.SUCCEEDED and case.subject.kind is not BATCH
    is_nameless = is_promised and status.job.fine_tuned_model is None
    if is_nameless and max(lasted, case.now - ended_at if ended_at else timedelta(0)) < timedelta(hours=1):
        return False
    return has_end or is_ours or lasted >= timedelta(minutes=1)


def a_final_job_is_reopened_only_by_two_observations_a_minute_apart(case: Case, decision: Decision) -> bool:
    """The first observation only records a doubt. An observation that agrees with the end removes the doubt."""
    last, status = case.last, decision.status
    if last is None or not last.final or not isinstance(case.look, Observed):
        return True
    if not case.is_end_believed:
        told = [status, *answers(case, decision, ASKED)]
        is_marked = all(each.history[1].reason is Reason.PHASE_WENT_BACK for each in told)
        return status.phase is not last.phase and is_marked
    is_as_it_was = (status.final, status.phase, status.receipts) == (True, last.phase, last.receipts)
    return is_as_it_was and decision.action is None and (status.doubted_at is not None) == case.is_denied


def a_doubted_job_is_reopened_by_a_second_observation(case: Case, decision: Decision) -> bool:
    """Whatever the spec desires, the job is polled within a minute, and an equal observation then reopens it."""
    if decision.status.doubted_at is None or not isinstance(case.look, Observed):
        return True
    second = case.again(decision.status, timedelta(minutes=1))
    is_found = second.status.phase is not decision.status.phase
    return is_found and decision.requeue is not None and decision.requeue <= timedelta(minutes=1)


def a_generation_increases_only_with_a_new_digest(case: Case, decision: Decision) -> bool:
    before = case.last.observed_generation if case.last else 0
    return decision.status.observed_generation == before + case.has_changed


def a_job_that_is_not_final_is_polled_again(case: Case, decision: Decision) -> bool:
    requeue = decision.requeue
    if requeue is None:
        return decision.status.final and decision.status.doubted_at is None
    return timedelta(0) < requeue <= INTERVALS_MAX * case.subject.interval


def a_due_cancel_is_requested_again_within_six_hours(case: Case, decision: Decision) -> bool:
    is_due = case.is_cancel_wanted and change_in_the_design(case) is Verb.CANCEL
    if not is_due:
        return True
    statuses = answers(case, decision, ASKED) if decision.action else [decision.status]
    return all(case.again(status, REMIND_WITHIN).action is not None for status in statuses)


def answers(case: Case, decision: Decision, progresses: tuple[Progress, ...]) -> list[JobStatus]:
    """Return the status after each of these responses, or an empty list if no change was requested."""
    return [_answer(case, decision, decision.action, each) for each in progresses] if decision.action else []


def _answer(case: Case, decision: Decision, action: Action, progress: Progress) -> JobStatus:
    intent = intend(decision.status, action, None, None, case.now)
    return settle(intent, decision.status, action, RequestOutcome(progress, "so it was"), decision.last, case.now)


def refusals(case: Case, decision: Decision) -> list[tuple[ObservedJob, JobStatus]]:
    """Return each observation that a refusal of the request may show, with the status after it."""
    if decision.action is None or case.job is None:
        return []
    intent = intend(decision.status, decision.action, None, None, case.now)
    shown = [
        replace(case.job, phase=phase, provider_status=str(phase), finished_at=end)
        for phase in MOOT[decision.action.verb]
        for end in ((case.now, None) if phase in OVER else (None,))
    ]
    return [(job, decide(case.subject, Observed(job), intent, case.now, is_refused=True).status) for job in shown]


def a_refused_request_records_no_acceptance(case: Case, decision: Decision) -> bool:
    """An acceptance of an earlier attempt stays in the receipt."""
    before = decision.status.open_receipt
    told = before.accepted_at if before else None
    return all(status.receipts[0].accepted_at == told for _, status in refusals(case, decision))


def a_refusal_that_shows_an_end_settles_the_job_at_once(case: Case, decision: Decision) -> bool:
    """A later observation of the same job changes nothing."""
    for job, status in refusals(case, decision):
        is_over = job.phase in OVER and not _is_hidden(case, job)
        if is_over and (status.receipts[0].is_open or status.phase is not job.phase):
            return False
        if decide(case.subject, Observed(job), status, case.now).status != status or not _is_well_formed(status):
            return False
    return True


def an_end_before_the_first_request_is_not_attributed_to_reconcile(case: Case, decision: Decision) -> bool:
    """The spec desires `running` afterwards, because only then could the status attribute the end to reconcile."""
    if decision.action is None or not decision.action.is_first_attempt or decision.action.verb is not Verb.CANCEL:
        return True
    if any(each.verb is Verb.CANCEL for each in decision.status.receipts):
        return True
    keeps = (a_batch_subject if case.subject.kind is BATCH else a_subject)("running", case.subject.capabilities)
    return all(
        decide(keeps, Observed(job), status, case.now).status.ready.reason is not Reason.CANCELLED_BY_US
        for job, status in refusals(case, decision)
        if job.phase in OVER and not _is_hidden(case, job)
    )


def _is_hidden(case: Case, job: ObservedJob) -> bool:
    return job.phase is Phase.CANCELLED and job.finished_at is None and not case.subject.capabilities.confirms


def _has_end(status: JobStatus) -> bool:
    return status.job is not None and status.job.finished_at is not None


def an_unchanged_job_gets_the_same_decision_as_in_full(case: Case, decision: Decision) -> bool:
    if not is_unchanged(case.subject, case.job, case.last):
        return True
    whole = decide_in_full(case.subject, case.look, case.last, case.now)
    return whole == decision and whole.status is whole.last is case.last and whole.action is None


def is_rendered_alike(status: JobStatus) -> bool:
    """Return whether `plain_status` agrees with the general functions, or leaves the status to them."""
    text = render_plain(status)
    if text is None or status.job is None:
        return text is None
    row = pack_plain(status, status.job)
    return (text, row) == (render_status(status), pack_status(status)) and unpack_status(row) == status


def a_plain_status_is_rendered_like_any_other(_case: Case, decision: Decision) -> bool:
    return is_rendered_alike(decision.status)


LAWS: tuple[Law, ...] = (
    a_decision_requests_only_the_change_in_the_table,
    a_change_that_was_never_requested_is_requested_at_once,
    a_failed_observation_keeps_every_fact_and_requests_no_change,
    a_receipt_is_withdrawn_only_if_its_change_is_no_longer_wanted,
    a_decision_writes_a_well_formed_status,
    a_cancel_is_ready_only_with_proof,
    a_generation_increases_only_with_a_new_digest,
    a_job_that_is_not_final_is_polled_again,
    a_final_status_has_an_end_time_or_two_equal_observations,
    a_final_job_is_reopened_only_by_two_observations_a_minute_apart,
    a_limit_that_cannot_be_judged_is_reported,
    a_limit_acts_only_after_its_warning,
    a_near_limit_is_reported_and_its_warning_keeps_its_time,
    a_cost_limit_acts_only_on_a_certain_cost_that_two_observations_show,
    an_unchanged_job_gets_the_same_decision_as_in_full,
)
"""The laws that are checked in every case."""
LAWS_OF_LATER_DECISIONS: tuple[Law, ...] = (
    a_repeated_decision_is_equal_even_if_counters_changed,
    a_response_writes_a_well_formed_status,
    a_refused_request_records_no_acceptance,
    a_refusal_that_shows_an_end_settles_the_job_at_once,
    an_end_before_the_first_request_is_not_attributed_to_reconcile,
    a_sent_request_is_not_repeated_at_once,
    an_undelivered_request_is_sent_again,
    a_repeated_refusal_writes_the_same_status,
    shadow_mode_decides_the_same_and_only_reports_it,
    a_closed_change_window_delays_a_request_and_nothing_else,
    a_due_cancel_is_requested_again_within_six_hours,
    a_job_paused_elsewhere_is_resumed_by_a_retry_or_a_changed_spec_alone,
    a_final_status_stays_final,
    a_doubted_job_is_reopened_by_a_second_observation,
    a_plain_status_is_rendered_like_any_other,
)
"""The laws about later decisions, checked once for each combination that decisions distinguish (see `walk`)."""
