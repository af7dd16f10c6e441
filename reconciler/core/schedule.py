"""When a job is worth another look, by plan. What failed comes back by `backoff.failure_delay` instead."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core import backoff, limits
from reconciler.core.subject import Subject
from reconciler.model.job import Phase
from reconciler.model.status import JobStatus

_CANCELLING_FIRST = timedelta(seconds=5)


def next_look(subject: Subject, status: JobStatus, now: datetime) -> timedelta | None:
    """Return how long until the next look; None where only a change can make one worth while."""
    if status.final:
        return None
    moments = [limits.next_at(subject.spec.limits, status.job, status.phase)] if status.job else []
    if subject.suspension is not None:
        moments.append(subject.suspension.until)
    delay = min((moment - now for moment in moments if moment is not None and moment > now), default=subject.interval)
    delay = min(delay, subject.interval)
    receipt = status.open_receipt
    if receipt is None:
        return delay
    first = _CANCELLING_FIRST if status.phase is Phase.CANCELLING else backoff.CONFIRM_FIRST
    return min(delay, backoff.confirm_delay(receipt, now, first))
