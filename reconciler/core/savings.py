"""Estimate the spending that a cancel prevents, when it is requested.

Rules: the estimate is what the job would still cost if nothing stopped it, at the price of that moment. It is recorded
in the receipt, because after the cancel no one can compute it. It counts only once the cancel is confirmed.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.core.schedule import estimated_finish
from reconciler.core.subject import Subject
from reconciler.model.cost import cost_left
from reconciler.model.job import Observed, ObservedJob
from reconciler.model.money import Amount, RecordedAmount
from reconciler.model.price import Price
from reconciler.model.status import JobStatus, Verb


def not_spent(
    subject: Subject, verb: Verb, status: JobStatus, seen: ObservedJob | None, now: datetime
) -> RecordedAmount | None:
    """Return the spending that a cancel of this job prevents, or None if that is unknown or it is no cancel."""
    price = subject.price(status.job)
    if verb is not Verb.CANCEL or status.job is None or not isinstance(price, Price):
        return None
    left = cost_left(price, status.phase, status.job, estimated_finish(Observed(seen)), now)
    return RecordedAmount.of(left) if isinstance(left, Amount) else None
