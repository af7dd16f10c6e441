"""Compute the status of a job after the outcome of a request, or after a request that was not sent.

Rules: a response alone does not close a receipt, because only an observation of the job shows the outcome. An attempt
that was certainly not delivered is removed from the receipt. An attempt with an unknown outcome counts as delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.backoff import ATTEMPTS_MAX
from reconciler.core.conditions import Readiness, Verdict, conclude, verdict_of
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
"""The outcomes in which the provider refused the attempt, so that it had no effect."""


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The outcome of one request, as far as the sender knows it."""

    progress: Progress
    message: str = ""
    """What happened, as text for a person. It is empty if `progress` says everything."""
    retry_after_s: float | None = None
    """The shortest delay before a retry, in seconds, or None if no delay is known."""
    job: ObservedJob | None = None
    """The job as the provider showed it after it refused a request without effect (`AlreadyOver`), or None."""


def settle(
    intent: JobStatus,
    decided: JobStatus,
    action: Action,
    outcome: RequestOutcome,
    last: JobStatus | None,
    now: datetime,
) -> JobStatus:
    """Return the status after a request.

    Args:
        intent: the status that was on disk when the request was sent.
        decided: the same status without the attempt. It is returned if the request was not sent or not delivered.
        action: the action that was requested.
        outcome: the outcome of the request.
        last: the last status that the decision was based on.
        now: the time of the outcome.
    """
    if outcome.progress in {Progress.NOT_DELIVERED, Progress.OVERTAKEN}:
        return decided
    status = replace(intent, receipts=tuple(_after_attempt(each, outcome, now) for each in intent.receipts))
    receipt = intent.open_receipt
    is_reminder = receipt is not None and receipt.attempts > ATTEMPTS_MAX
    if is_reminder and outcome.progress is not Progress.FORBIDDEN:
        return conclude(status, not_honoured(action.verb, status.phase), last, now)
    return conclude(status, _verdict(action.verb, outcome), last, now)


def unconfirmed(listed: JobStatus, unobserved: JobStatus, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job that a list showed, but that could not be retrieved before its change was requested.

    The row of the list is the newest observation, so the status reports what it showed. There are two exceptions. A row
    alone does not contradict a request that the provider accepted. A job that must be reported as unobserved, because
    no retrieve has shown it since its spec changed, stays so.

    Args:
        listed: the status that was decided from the row.
        unobserved: the status that was decided without an observation.
        last: the last status that the decisions were based on.
        now: the current time.
    """
    receipt = unobserved.open_receipt
    if receipt is not None and receipt.accepted_at is not None:
        return unobserved
    if unobserved.ready.reason is Reason.CANNOT_OBSERVE_PROVIDER:
        return conclude(listed, verdict_of(unobserved), last, now)
    return listed


def _after_attempt(receipt: Receipt, outcome: RequestOutcome, now: datetime) -> Receipt:
    if not receipt.is_open:
        return receipt
    if outcome.progress is Progress.ACCEPTED:
        return replace(receipt, accepted_at=now)
    return replace(receipt, refusals=receipt.refusals + 1) if outcome.progress in _REFUSED else receipt


def _verdict(verb: Verb, outcome: RequestOutcome) -> Verdict:
    if outcome.progress is Progress.FORBIDDEN:
        return Verdict(Readiness.STALLED, Reason.ACTION_FORBIDDEN, f"the {verb} is forbidden: {outcome.message}")
    if outcome.progress is Progress.ACCEPTED:
        message = f"the provider accepted the {verb}; no check has shown its effect yet"
    elif outcome.progress is Progress.REJECTED:
        message = f"the provider refused the {verb}: {outcome.message}"
    else:
        message = f"the {verb} got no clear response; the next check will show whether it arrived"
    return Verdict(Readiness.RECONCILING, _PENDING[verb], message)


def not_honoured(verb: Verb, phase: Phase) -> Verdict:
    """Return the verdict on a job whose regular attempts, and later repeats if any, had no effect."""
    message = f"{phase} at the provider after at least {ATTEMPTS_MAX} requests to {verb}"
    return Verdict(Readiness.STALLED, Reason.CANCEL_NOT_HONOURED, message)


def halted(decided: JobStatus, message: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change is due while all changes are halted, such as in an untrusted revision."""
    return conclude(decided, Verdict(Readiness.STALLED, Reason.REVISION_NOT_TRUSTED, message), last, now)


def refused(decided: JobStatus, message: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change the guard refused."""
    return conclude(decided, Verdict(Readiness.STALLED, Reason.REFUSED_BY_GUARD, message), last, now)
