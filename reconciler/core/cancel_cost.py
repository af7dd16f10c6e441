"""Compute what a job has cost when its cancel is requested, and record it.

Rules: the upper bound is used, because the guard limits what may be lost. Therefore hours are counted from the creation
of the job, and until the later of the provider's clock and the local one. A job that has not started has cost nothing.
Without a price of the operator, the cost is unknown, even if the job has not started. The people whom the guard limits
can change the prices in Provider documents, so these do not count.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from reconciler.core.facts import is_waiting_to_start
from reconciler.core.subject import Subject
from reconciler.model.cost import cost_so_far
from reconciler.model.job import ObservedJob
from reconciler.model.money import NO_PRICE, Amount, Basis, Cost, RecordedAmount, Unpriced
from reconciler.model.status import JobStatus, Verb

_DIGITS = Decimal("0.000001")
"""The precision in which a status records an amount. A bound is rounded up to it, so that the record is a bound too."""


def sunk_cost(subject: Subject, verb: Verb, status: JobStatus, seen: ObservedJob | None, now: datetime) -> Cost | None:
    """Return what the job has cost at most, if a cancel is requested now, or None if the change is no cancel.

    `status` is the status that was decided, and `seen` the job as it was observed, or None.
    """
    if verb is not Verb.CANCEL:
        return None
    facts, price = status.job, subject.price(status.job)
    if facts is None or price is None:
        return Unpriced(NO_PRICE if price is None else "the job was never observed")
    if isinstance(price, Unpriced):
        return price
    if price.document is not None:
        return Unpriced(f"its price is in the Provider document {price.document}, not in the operator's file")
    if is_waiting_to_start(status.phase, facts):
        return Amount(Decimal(0), price.currency, Basis.METERED)
    at = max(now, seen.as_of) if seen is not None and seen.as_of is not None else now
    cost = cost_so_far(price, status.phase, facts, at, is_pause_possible=True)
    if isinstance(cost, Unpriced):
        return cost
    return replace(cost, value=cost.value.quantize(_DIGITS, ROUND_CEILING))


def recorded(cost: Cost | None) -> RecordedAmount | None:
    """Return the record of a sunk cost in a receipt, or None if it is unknown or the change is no cancel."""
    return RecordedAmount.of(cost) if isinstance(cost, Amount) else None
