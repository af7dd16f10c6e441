"""The jobs to poll again after a pass, each with the time and the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from reconciler.controller.account_outcome import AccountOutcome, applied_by_name
from reconciler.controller.applied import Applied
from reconciler.model.action import Progress
from reconciler.model.job import JobRef

_RETRIED = frozenset({Progress.NOT_DELIVERED, Progress.UNANSWERED})


class RequeueReason(Enum):
    """Why a job is polled again."""

    AGAIN = "again"
    """A conflict: the spec or the statuses changed during the pass, so the job is decided again at once."""
    RETRY = "retry"
    """A transient failure. The job is polled again after a backoff."""
    UNDER_WAY = "under way"
    """A change is in progress."""
    RESTING = "resting"
    """No change is expected, or a person must act. The job is polled after the planned delay."""


@dataclass(frozen=True, slots=True)
class Requeue:
    """One job to poll again, and the planned delay."""

    ref: JobRef
    after: timedelta
    pace: RequeueReason
    retry_after_s: float | None = None
    """The shortest delay that the provider allows, in seconds, or None if it sets no delay."""


def requeues(outcomes: Iterable[AccountOutcome]) -> tuple[Requeue, ...]:
    """Return every job to poll again."""
    outcomes = list(outcomes)
    applied = applied_by_name(outcomes)
    decided = {each.case.subject.ref for each in applied.values()}
    planned = (entry for each in applied.values() if (entry := requeue_of(each)) is not None)
    return (*planned, *_discarded_observations(outcomes, decided))


def _discarded_observations(outcomes: Iterable[AccountOutcome], decided: Collection[JobRef]) -> Iterator[Requeue]:
    """Yield a requeue for each job whose observation was discarded, unless another worker decided about the job."""
    for each in outcomes:
        for ref in each.plan.overtaken if each.plan else ():
            if ref not in decided:
                yield Requeue(ref, timedelta(0), RequeueReason.AGAIN)


def requeue_of(one: Applied) -> Requeue | None:
    """Return when and why to poll a job again; None if only a change of the spec can make a poll useful."""
    if one.look_after is None:
        return None
    ref, unobserved, answer = one.case.subject.ref, one.case.unobserved, one.answer
    if unobserved is not None:
        reason = RequeueReason.RETRY if unobserved.is_transient else RequeueReason.RESTING
        return Requeue(ref, one.look_after, reason, unobserved.retry_after_s)
    if answer is not None and answer.progress is Progress.OVERTAKEN:
        return Requeue(ref, one.look_after, RequeueReason.AGAIN)
    # The request may not have reached the provider, so it is retried like a failed observation.
    if answer is not None and answer.progress in _RETRIED:
        return Requeue(ref, one.look_after, RequeueReason.RETRY, answer.retry_after_s)
    return Requeue(ref, one.look_after, RequeueReason.UNDER_WAY if _is_under_way(one) else RequeueReason.RESTING)


def _is_under_way(one: Applied) -> bool:
    """Return whether a change is in progress that can finish without action by a person.

    If the pinned plan lacks the change or the intent could not be recorded, a person must act.
    """
    is_for_a_person = one.case.is_unplanned or (one.answer and one.answer.progress is Progress.NOT_RECORDED)
    is_moving = one.status.open_receipt is not None or one.status.is_reconciling
    return is_moving and not one.status.is_stalled and not is_for_a_person
