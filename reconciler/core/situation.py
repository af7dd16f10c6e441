"""Compute the situation of a job, which selects the row of the table, from an observation and the last status.

Rules: an observation closes an open receipt if it shows the receipt's outcome. A limit is checked only if the job is
unfinished and the provider's clock is plausible. If a provider reports `cancelling` as `cancelled`, the job is
cancelled only once it has an end time. Time and receipts are evaluated here, so that the table does not depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.core import limits
from reconciler.core.cost_limit import JudgedCost, cost_state, is_cost_cancel, judged_cost
from reconciler.core.facts import confirmed_phase, may_have_started, merge
from reconciler.core.finality import assess
from reconciler.core.limit_warning import LimitState, UnfinishedJob, kept_warning, last_warning, limit_state
from reconciler.core.paused_elsewhere import paused_elsewhere
from reconciler.core.receipts import confirm, has_accepted_cancel, limit_of_cancel, may_vanish, newest_cancel, open_for
from reconciler.core.subject import Subject
from reconciler.core.table import Situation
from reconciler.model.job import UNFINISHED, ObservedJob, Phase
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobFacts, JobStatus, LimitWarning, Outcome, Receipt, Verb

_STOPPED_BY_LIMITS = frozenset({DesiredState.RUNNING, DesiredState.PAUSED})


@dataclass(frozen=True, slots=True)
class Situated:
    """The result of comparing an observation with the last status.

    `last` is that status. It differs from the status on disk if the observation reopened a final job (`core.finality`).
    """

    last: JobStatus | None
    phase: Phase
    facts: JobFacts
    receipts: tuple[Receipt, ...]
    limit: str | None
    """The limit that the job exceeds, or None. It selects the column `cancelled`, except for an observed job."""
    is_limit_remembered: bool
    """Whether the limit comes only from a receipt, because this observation cannot check it."""
    doubted_at: datetime | None
    """When an observation first contradicted the final phase; None if there is no doubt or the job was reopened."""
    unjudged: str | None = None
    """Which limits cannot be judged and why, or None. Always None if the desired state is cancelled."""
    warning: LimitWarning | None = None
    """The warning of a limit that is near, or None."""
    acts_at: datetime | None = None
    """When the limit of the warning acts at the earliest, or None if this is unknown or it was already acted on."""
    paused_elsewhere: str | None = None
    """The value for `JobStatus.paused_elsewhere`."""


def situate(
    subject: Subject, job: ObservedJob | None, last: JobStatus | None, now: datetime, *, is_refused: bool = False
) -> Situated:
    """Compare a successful observation with the last status, and return the result.

    `job` is None if the job is absent, and `last` is None if there is no status. `is_refused` has the same meaning as
    in `decide`.
    """
    assessment = assess(job, last, now)
    job, last = assessment.job, assessment.last
    as_of = job.as_of if job else None
    facts = merge(subject.ref, job, last, now)
    phase = confirmed_phase(job.phase if job else Phase.ABSENT, facts.finished_at, subject.capabilities)
    receipts = confirm(last, phase, now, subject.interval, is_refused=is_refused)
    started = may_have_started(last)
    is_checked = phase in UNFINISHED and limits.is_believable(as_of, now)
    job_now = None
    if is_checked and as_of is not None:
        job_now = UnfinishedJob(facts, phase, as_of, now, started)
    cost = judged_cost(subject, job_now, last) if job_now is not None else None
    unjudged = None
    if phase in UNFINISHED and subject.spec.desired_state is not DesiredState.CANCELLED:
        unjudged = limits.unjudged(
            subject.spec.limits,
            facts,
            phase,
            as_of,
            now,
            may_have_started=started,
            why_not_cost=cost.unjudged if cost is not None else None,
        )
    if job_now is not None:
        state = _limits(subject, job_now, last, receipts, cost)
    else:
        state = _remembered(subject, phase, last, receipts, now)
    is_remembered = state.reached is not None and not is_checked
    return Situated(
        last,
        phase,
        facts,
        receipts,
        state.reached,
        is_remembered,
        assessment.doubted_at,
        unjudged,
        state.warning,
        state.acts_at,
        paused_elsewhere(subject, phase, last, now),
    )


def _limits(
    subject: Subject,
    job: UnfinishedJob,
    last: JobStatus | None,
    receipts: tuple[Receipt, ...],
    cost: JudgedCost | None,
) -> LimitState:
    """Return the limit that acts now, and the warning of one that is near.

    A limit of time comes before the cost, unless the job is over its cost and that limit acts later.
    """
    receipt = open_for(receipts, Verb.CANCEL)
    if cost is not None and is_cost_cancel(receipt, cost.limit) and subject.spec.desired_state in _STOPPED_BY_LIMITS:
        return LimitState(str(cost.limit), last_warning(last))
    is_requested = receipt is not None and receipt.because is Because.LIMIT_REACHED
    state = limit_state(subject, job, last, is_cancel_requested=is_requested)
    if state.reached is not None or cost is None:
        return state
    of_cost = cost_state(subject, cost, job.now, last)
    return of_cost if state.acts_at is None or (cost.is_over and of_cost.acts_before(state.acts_at)) else state


def _remembered(
    subject: Subject, phase: Phase, last: JobStatus | None, receipts: tuple[Receipt, ...], now: datetime
) -> LimitState:
    """Return what is known of limits if this observation cannot check them.

    A cancel that was requested for a limit stays wanted until the spec changes.
    """
    is_same_spec = last is not None and last.observed_spec == subject.digest
    is_observed = subject.spec.desired_state is DesiredState.OBSERVED
    limit = limit_of_cancel(receipts, is_still_wanted=is_same_spec and not is_observed)
    return LimitState(limit, kept_warning(subject, phase, last, now))


def situation(subject: Subject, seen: Situated, wanted: DesiredState) -> Situation:
    """Return the situation of a job. `wanted` is its desired state, or `cancelled` if a limit is in force."""
    cancel = newest_cancel(seen.receipts)
    match seen.phase:
        case Phase.ABSENT:
            return _absence(seen, cancel)
        case Phase.PAUSING | Phase.PAUSED:
            return _pause(seen)
        case Phase.UNKNOWN:
            return Situation.UNKNOWN
        case Phase.CANCELLING:
            return Situation.CANCELLING_BY_US if cancel else Situation.CANCELLING
        case Phase.SUCCEEDED:
            was_accepted = has_accepted_cancel(seen.receipts)
            return Situation.SUCCEEDED_DESPITE_CANCEL if was_accepted else Situation.SUCCEEDED
        case Phase.FAILED:
            was_accepted = has_accepted_cancel(seen.receipts)
            return Situation.FAILED_DESPITE_CANCEL if was_accepted else Situation.FAILED
        case Phase.CANCELLED:
            return _cancelled(subject, seen, wanted, cancel)
        case _:
            return Situation.PROGRESSING


def _pause(seen: Situated) -> Situation:
    if seen.paused_elsewhere is None:
        return Situation(seen.phase.value)
    return Situation.PAUSING_ELSEWHERE if seen.phase is Phase.PAUSING else Situation.PAUSED_ELSEWHERE


def _cancelled(subject: Subject, seen: Situated, wanted: DesiredState, cancel: Receipt | None) -> Situation:
    is_for_limit = cancel and cancel.because is Because.LIMIT_REACHED and cancel.outcome is Outcome.CANCELLED
    if is_for_limit or (wanted is not DesiredState.CANCELLED and _ended_over_limit(subject, seen, cancel)):
        return Situation.CANCELLED_BY_LIMIT
    return Situation.CANCELLED_BY_US if cancel else Situation.CANCELLED


def _ended_over_limit(subject: Subject, seen: Situated, cancel: Receipt | None) -> bool:
    """Return whether the times of a cancelled job show that it exceeded a limit, if no receipt of a cancel exists.

    The cause is then recognised even if the receipt was lost.
    """
    return cancel is None and limits.was_over_at_end(subject.spec.limits, seen.facts)


def _absence(seen: Situated, cancel: Receipt | None) -> Situation:
    if not seen.facts.was_seen:
        return Situation.NEVER_SEEN
    if cancel is not None and cancel.outcome is Outcome.GONE:
        return Situation.GONE_AFTER_CANCEL
    return Situation.VANISHED_AFTER_CANCEL if may_vanish(seen.receipts) else Situation.VANISHED
