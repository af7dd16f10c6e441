"""Compute the status after the answer to a request.

Rules: an answer never closes a receipt; only a later observation does. A request that was certainly not delivered is
removed from the receipt. An unclear answer counts as delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.backoff import ATTEMPTS_MAX
from reconciler.core.conditions import Stance, Verdict, conclude
from reconciler.model.action import Action, Progress
from reconciler.model.job import ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, Receipt, Verb

_PENDING = {
    Verb.CANCEL: Reason.CANCEL_PENDING,
    Verb.PAUSE: Reason.PAUSE_PENDING,
    Verb.RESUME: Reason.RESUME_PENDING,
}
_REFUSED = frozenset({Progress.REJECTED, Progress.FORBIDDEN})
"""The answers after which the attempt certainly had no effect."""


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The outcome of one request, as far as its sender knows it."""

    progress: Progress
    message: str = ""
    retry_after_s: float | None = None
    job: ObservedJob | None = None
    """The job as the provider returned it with a refusal because the job has ended."""


def settle(
    intent: JobStatus, decided: JobStatus, action: Action, answer: RequestOutcome, last: JobStatus | None, now: datetime
) -> JobStatus:
    """Return the status after the answer.

    Args:
        intent: the status that was on disk when the request was sent.
        decided: the same status without the attempt, for a request that was not delivered.
        action: the action.
        answer: the outcome of the request.
        last: the last status that the decision was relative to.
        now: when the answer came.
    """
    if answer.progress in {Progress.NOT_DELIVERED, Progress.OVERTAKEN}:
        return decided
    status = replace(intent, receipts=tuple(_answered(each, answer, now) for each in intent.receipts))
    receipt = intent.open_receipt
    is_reminder = receipt is not None and receipt.attempts > ATTEMPTS_MAX
    if is_reminder and answer.progress is not Progress.FORBIDDEN:
        return conclude(status, not_honoured(action.verb, status.phase), last, now)
    return conclude(status, _verdict(action.verb, answer), last, now)


def _answered(receipt: Receipt, answer: RequestOutcome, now: datetime) -> Receipt:
    if not receipt.is_open:
        return receipt
    if answer.progress is Progress.ACCEPTED:
        return replace(receipt, accepted_at=now)
    return replace(receipt, refusals=receipt.refusals + 1) if answer.progress in _REFUSED else receipt


def _verdict(verb: Verb, answer: RequestOutcome) -> Verdict:
    if answer.progress is Progress.FORBIDDEN:
        return Verdict(Stance.GIVE_UP, Reason.ACTION_FORBIDDEN, f"the {verb} is forbidden: {answer.message}")
    if answer.progress is Progress.ACCEPTED:
        message = f"the provider accepted the {verb}; a look will tell whether it took effect"
    elif answer.progress is Progress.REJECTED:
        message = f"the provider refused the {verb}: {answer.message}"
    else:
        message = f"the {verb} was sent and not answered; a look will tell whether it arrived"
    return Verdict(Stance.WAIT, _PENDING[verb], message)


def not_honoured(verb: Verb, phase: Phase) -> Verdict:
    """Return the verdict after all regular attempts, and each reminder since, had no effect."""
    message = f"{phase} at the provider, though it was asked {ATTEMPTS_MAX} times to {verb}"
    return Verdict(Stance.GIVE_UP, Reason.CANCEL_NOT_HONOURED, message)


def halted(decided: JobStatus, sentence: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change is due while no change may be requested at all."""
    return conclude(decided, Verdict(Stance.GIVE_UP, Reason.REVISION_NOT_TRUSTED, sentence), last, now)


def refused(decided: JobStatus, sentence: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change the guard refused."""
    return conclude(decided, Verdict(Stance.GIVE_UP, Reason.REFUSED_BY_GUARD, sentence), last, now)
