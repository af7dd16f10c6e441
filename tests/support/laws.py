"""The laws of the decision, each a predicate over one case and what was decided.

Nothing here is imported from `core` but the functions under test: what is allowed, what is proof and what is over a
limit is told once more, in the design's words, so that a wrong cell in the table cannot vouch for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.decide import Decision, decide
from reconciler.core.receipts import intend
from reconciler.core.schedule import INTERVALS_MAX
from reconciler.core.settle import Answer, refused, settle
from reconciler.core.subject import Subject
from reconciler.model.job import UNSET, Look, ObservedJob, Phase, Seen, Unseen
from reconciler.model.plan import Action, Progress
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobStatus, Outcome, Verb
from tests.support.conditions_oracle import violations

STARTED = {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
STOPPABLE = STARTED | {Phase.PAUSING, Phase.PAUSED}
OVER = {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}
ASKED = (Progress.ACCEPTED, Progress.UNANSWERED, Progress.REJECTED, Progress.FORBIDDEN)
"""The answers that leave a trace: whatever is unclear counts as asked."""
NOT_ASKED = (Progress.NOT_DELIVERED, Progress.OVERTAKEN)
REMIND_WITHIN = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision is made of."""

    subject: Subject
    look: Look
    last: JobStatus | None
    now: datetime

    @property
    def job(self) -> ObservedJob | None:
        """The job that was seen."""
        return self.look.job if isinstance(self.look, Seen) else None

    @property
    def is_suspended(self) -> bool:
        """Whether the spec says to change nothing at this moment."""
        suspension = self.subject.suspension
        return suspension is not None and (suspension.until is None or self.now < suspension.until)

    @property
    def has_changed(self) -> bool:
        """Whether the status speaks of another spec."""
        return self.last is None or self.last.observed_spec != self.subject.digest

    @property
    def as_of(self) -> datetime | None:
        """The provider's clock, where it was told and agrees with ours."""
        as_of = self.job.as_of if self.job else None
        return as_of if as_of is not None and abs(self.now - as_of) <= timedelta(minutes=5) else None

    @property
    def is_over_limit(self) -> bool:
        """Whether the job, as seen, is older than its spec allows."""
        limits, as_of = self.subject.spec.limits, self.as_of
        if limits is None or limits.max_age is None or self.job is None or as_of is None:
            return False
        if self.job.phase not in STOPPABLE | {Phase.CANCELLING}:
            return False
        known = self.last.job.created_at if self.last and self.last.job else None
        created = known if self.job.created_at is UNSET else self.job.created_at
        return isinstance(created, datetime) and as_of - created > limits.max_age

    @property
    def is_cancel_wanted(self) -> bool:
        """Whether the job should be gone."""
        wanted = self.subject.spec.desired_state
        return wanted is DesiredState.CANCELLED or (wanted is not DesiredState.OBSERVED and self.is_over_limit)

    @property
    def is_limit_remembered(self) -> bool:
        """Whether a limit had been reached and this look cannot tell whether it still is."""
        receipt = self.last.open_receipt if self.last else None
        is_blind = self.job is None or self.job.phase is Phase.UNKNOWN or self.as_of is None
        is_for_limit = receipt is not None and receipt.because is Because.LIMIT_REACHED
        is_meant = self.subject.spec.desired_state is not DesiredState.OBSERVED and not self.has_changed
        return is_for_limit and is_meant and is_blind

    def again(self, status: JobStatus, later: timedelta = timedelta(0)) -> Decision:
        """Decide on a status of our own, the world being as it was."""
        look, now = self.look, self.now + later
        if isinstance(look, Seen) and look.job is not None and look.job.as_of is not None:
            look = Seen(replace(look.job, as_of=look.job.as_of + later))
        return decide(self.subject, look, status, now)


Law = Callable[[Case, Decision], bool]


def asked_by_the_design(case: Case) -> Verb | None:
    """Return what the design's table asks for in this case, whether or not it was asked for before."""
    if case.job is None or case.is_suspended:
        return None
    phase, wanted = case.job.phase, case.subject.spec.desired_state
    if case.is_cancel_wanted:
        return Verb.CANCEL if phase in STOPPABLE else None
    if not case.subject.capabilities.can_pause or case.is_limit_remembered:
        return None
    if wanted is DesiredState.PAUSED and phase in STARTED:
        return Verb.PAUSE
    return Verb.RESUME if wanted is DesiredState.RUNNING and phase is Phase.PAUSED else None


def it_asks_only_for_what_the_table_asks_for(case: Case, decision: Decision) -> bool:
    return decision.action is None or decision.action.verb is asked_by_the_design(case)


def it_asks_at_once_for_what_was_never_asked(case: Case, decision: Decision) -> bool:
    verb = asked_by_the_design(case)
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


def a_failed_look_changes_nothing_that_is_known(case: Case, decision: Decision) -> bool:
    if not isinstance(case.look, Unseen):
        return True
    before = _known(case.last) if case.last else (None, (), Phase.UNKNOWN, False)
    return decision.action is None and _known(decision.status) == before


def _known(status: JobStatus) -> tuple[object, ...]:
    return status.job, status.receipts, status.phase, status.final


def what_is_decided_stays_within_bounds_and_rules(_case: Case, decision: Decision) -> bool:
    return _is_well_formed(decision.status)


def what_is_answered_stays_within_bounds_and_rules(case: Case, decision: Decision) -> bool:
    return all(map(_is_well_formed, answers(case, decision, ASKED)))


def _is_well_formed(status: JobStatus) -> bool:
    """Five receipts, of which only the newest may be open; ten entries of history; conditions as Flux has them."""
    is_in_order = not any(each.is_open for each in status.receipts[1:])
    return is_in_order and len(status.receipts) <= 5 and len(status.history) <= 10 and violations(status) == []


def a_receipt_stays_open_as_long_as_the_spec_wants_it_and_nothing_ended(case: Case, decision: Decision) -> bool:
    before = case.last.open_receipt if case.last else None
    if before is None or not isinstance(case.look, Seen) or case.is_suspended:
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


def deciding_again_says_the_same_and_tokens_are_no_news(case: Case, decision: Decision) -> bool:
    if decision.status is case.last:
        return True
    look = Seen(replace(case.job, trained_tokens=4711)) if case.job else case.look
    return decide(case.subject, look, decision.status, case.now) == decision


def what_was_asked_is_not_asked_twice(case: Case, decision: Decision) -> bool:
    for status in answers(case, decision, ASKED):
        again = case.again(status)
        if again.action is not None or again.status != status:
            return False
    return True


def what_was_not_delivered_is_asked_again(case: Case, decision: Decision) -> bool:
    return all(case.again(status) == decision for status in answers(case, decision, NOT_ASKED))


def a_refused_change_is_refused_in_the_same_words(case: Case, decision: Decision) -> bool:
    if decision.action is None or not decision.action.is_first_attempt:
        return True
    status = refused(decision.status, "too many", case.last, case.now)
    again = case.again(status, timedelta(minutes=1))
    after = refused(again.status, "too many", status, case.now + timedelta(minutes=1))
    return _is_well_formed(status) and again.action == decision.action and after == status


def it_is_ready_only_with_proof(case: Case, decision: Decision) -> bool:
    """A wanted cancel: a terminal phase seen now, or before the job was forgotten; or accepted, and absent twice."""
    if not decision.status.is_ready or not isinstance(case.look, Seen) or not case.is_cancel_wanted:
        return True
    last = case.last
    if case.job is not None:
        is_hidden = case.job.phase is Phase.CANCELLED and not case.subject.capabilities.confirms
        return case.job.phase in OVER and (not is_hidden or _has_end(decision.status))
    if last is not None and last.phase in OVER:
        return True
    cancel = next((each for each in decision.status.receipts if each.verb is Verb.CANCEL), None)
    is_second_absence = last is not None and last.phase is Phase.ABSENT
    return is_second_absence and cancel is not None and cancel.accepted_at is not None


def what_is_final_stays_final(case: Case, decision: Decision) -> bool:
    if not decision.status.final or decision.status is case.last:
        return True
    is_gone = decision.status.phase is Phase.ABSENT and _has_outcome(decision.status, Outcome.GONE)
    jumps = (timedelta(0), timedelta(days=1), timedelta(days=-1))
    return (is_gone or decision.status.phase in OVER) and all(
        case.again(decision.status, jump).status.final for jump in jumps
    )


def a_generation_is_a_digest(case: Case, decision: Decision) -> bool:
    before = case.last.observed_generation if case.last else 0
    return decision.status.observed_generation == before + case.has_changed


def what_is_not_final_is_looked_at_again(case: Case, decision: Decision) -> bool:
    requeue = decision.requeue
    if requeue is None:
        return decision.status.final
    return timedelta(0) < requeue <= INTERVALS_MAX * case.subject.interval


def a_job_that_should_be_gone_is_asked_to_stop_within_six_hours(case: Case, decision: Decision) -> bool:
    is_due = case.is_cancel_wanted and asked_by_the_design(case) is Verb.CANCEL
    if not is_due:
        return True
    statuses = answers(case, decision, ASKED) if decision.action else [decision.status]
    return all(case.again(status, REMIND_WITHIN).action is not None for status in statuses)


def answers(case: Case, decision: Decision, progresses: tuple[Progress, ...]) -> list[JobStatus]:
    """Return what the status becomes with each of the answers; nothing where nothing was asked."""
    return [_answer(case, decision.status, decision.action, each) for each in progresses] if decision.action else []


def _answer(case: Case, decided: JobStatus, action: Action, progress: Progress) -> JobStatus:
    intent = intend(decided, action, None, None, case.now)
    return settle(intent, decided, action, Answer(progress, "so it was"), case.last, case.now)


def _has_outcome(status: JobStatus, outcome: Outcome) -> bool:
    return any(each.outcome is outcome for each in status.receipts)


def _has_end(status: JobStatus) -> bool:
    return status.job is not None and status.job.finished_at is not None


LAWS: tuple[Law, ...] = (
    it_asks_only_for_what_the_table_asks_for,
    it_asks_at_once_for_what_was_never_asked,
    a_failed_look_changes_nothing_that_is_known,
    a_receipt_stays_open_as_long_as_the_spec_wants_it_and_nothing_ended,
    what_is_decided_stays_within_bounds_and_rules,
    it_is_ready_only_with_proof,
    a_generation_is_a_digest,
    what_is_not_final_is_looked_at_again,
)
"""Checked in every case."""
LAWS_OF_WHAT_FOLLOWS: tuple[Law, ...] = (
    deciding_again_says_the_same_and_tokens_are_no_news,
    what_is_answered_stays_within_bounds_and_rules,
    what_was_asked_is_not_asked_twice,
    what_was_not_delivered_is_asked_again,
    a_refused_change_is_refused_in_the_same_words,
    a_job_that_should_be_gone_is_asked_to_stop_within_six_hours,
    what_is_final_stays_final,
)
"""Checked once for each spec, look and status that decisions tell apart: they look further ahead."""
