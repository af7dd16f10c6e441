"""What an answer to a request makes of the status that was written before it was sent.

Rules: an answer never closes a receipt, only a later look does; a request that surely did not arrive leaves no trace;
whatever is unclear counts as asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.backoff import ATTEMPTS_MAX
from reconciler.core.conditions import Stance, Verdict, conclude
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Action, Progress
from reconciler.model.status import JobStatus, Verb

_PENDING = {
    Verb.CANCEL: Reason.CANCEL_PENDING,
    Verb.PAUSE: Reason.PAUSE_PENDING,
    Verb.RESUME: Reason.RESUME_PENDING,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended, as far as its sender can tell."""

    progress: Progress
    message: str = ""
    retry_after_s: float | None = None


def settle(
    intent: JobStatus, decided: JobStatus, action: Action, answer: Answer, last: JobStatus | None, now: datetime
) -> JobStatus:
    """Return the status after the answer.

    Args:
        intent: what was on disk when the request was sent.
        decided: the same without the attempt, to go back to.
        action: what was asked for.
        answer: how it ended.
        last: what was decided relative to.
        now: when the answer came.
    """
    if answer.progress in {Progress.NOT_DELIVERED, Progress.OVERTAKEN}:
        return decided
    status = intent
    if answer.progress is Progress.ACCEPTED:
        taken = tuple(replace(each, accepted_at=now) if each.is_open else each for each in intent.receipts)
        status = replace(intent, receipts=taken)
    receipt = intent.open_receipt
    is_reminder = receipt is not None and receipt.attempts > ATTEMPTS_MAX
    if is_reminder and answer.progress is not Progress.FORBIDDEN:
        return conclude(status, not_honoured(action.verb, status.phase), last, now)
    return conclude(status, _verdict(action.verb, answer), last, now)


def _verdict(verb: Verb, answer: Answer) -> Verdict:
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
    """Return what is said of a request that all regular attempts did not bring about, and of each reminder since."""
    message = f"{phase} at the provider, though it was asked {ATTEMPTS_MAX} times to {verb}"
    return Verdict(Stance.GIVE_UP, Reason.CANCEL_NOT_HONOURED, message)


def halted(decided: JobStatus, sentence: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change is due, while nothing may be asked for any."""
    return conclude(decided, Verdict(Stance.GIVE_UP, Reason.REVISION_NOT_TRUSTED, sentence), last, now)


def refused(decided: JobStatus, sentence: str, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change the guard stopped."""
    return conclude(decided, Verdict(Stance.GIVE_UP, Reason.REFUSED_BY_GUARD, sentence), last, now)
