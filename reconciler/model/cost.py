"""What a job has cost so far, and what it will still cost, from its meter and a price.

Rules: a cost is computed only from what the provider reports. What the provider does not report is unknown, never zero
and never guessed. Each amount states its basis. The hours since the start of a job are a lower bound, because the start
may have been observed late. If the job may have been paused meanwhile, the hours since its creation are an upper bound.
The number of tokens of a fine-tuning job is an upper bound until the job has succeeded, because some providers report
those of the whole job.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from reconciler.model.capabilities import Capabilities
from reconciler.model.job import TERMINAL, UNFINISHED, Phase
from reconciler.model.money import AMOUNT_MAX, Amount, Basis, Cost, Unpriced
from reconciler.model.price import Meter, Price
from reconciler.model.status import HISTORY_MAX, HistoryEntry, JobFacts, Receipt, Verb

_PAUSES = frozenset({Phase.PAUSING, Phase.PAUSED})
_SECOND = timedelta(seconds=1)


def may_have_paused(
    capabilities: Capabilities | None, phase: Phase, history: Collection[HistoryEntry], receipts: Collection[Receipt]
) -> bool:
    """Return whether a job may have been paused since its start, as far as its provider and its status show.

    A pause of a job whose provider can pause jobs may have gone unobserved. So may one that is older than the history.
    """
    return (
        capabilities is None
        or capabilities.can_pause
        or len(history) >= HISTORY_MAX
        or phase in _PAUSES
        or any(each.phase in _PAUSES for each in history)
        or any(each.verb is Verb.PAUSE for each in receipts)
    )


def cost_so_far(price: Price, phase: Phase, facts: JobFacts, at: datetime, *, is_pause_possible: bool) -> Cost:
    """Return what a job has cost so far.

    Args:
        price: the price of the job.
        phase: the observed phase.
        facts: what the provider reports about the job.
        at: the time of the observation.
        is_pause_possible: whether the job may have been paused since its start.
    """
    match price.meter:
        case Meter.HOUR:
            return _of_hours(price, phase, facts, at, is_pause_possible=is_pause_possible)
        case Meter.TOKENS if facts.trained_tokens is not None:
            is_final = phase is Phase.SUCCEEDED
            return _amount(price, facts.trained_tokens, Basis.METERED if is_final else Basis.AT_MOST)
        case Meter.TOKENS if facts.tokens is not None:
            return _amount(price, facts.tokens, Basis.METERED)
        case Meter.TOKENS:
            return Unpriced("the provider has not reported the tokens yet")
        case Meter.REQUESTS:
            done = facts.counts.done if facts.counts is not None else None
            unknown = Unpriced("the provider has not reported the requests yet")
            return unknown if done is None else _amount(price, done, Basis.METERED)


def cost_left(price: Price, phase: Phase, facts: JobFacts, end_at: datetime | None, at: datetime) -> Cost | None:
    """Return what an unfinished job will still cost if nothing stops it, or None if it has ended.

    `end_at` is the provider's estimate of its end, or None if there is none.
    """
    if phase in TERMINAL or phase is Phase.ABSENT:
        return None
    if price.meter is Meter.HOUR:
        if end_at is None or end_at <= at:
            return Unpriced("the provider does not say when it ends")
        return _amount(price, (end_at - at) // _SECOND, Basis.ESTIMATE)
    return _of_rest(price, facts) or Unpriced("the provider does not say how much is left")


def _of_rest(price: Price, facts: JobFacts) -> Cost | None:
    """Return the cost of the requests that are not done, or None if their number or their tokens are unknown."""
    total, done = (facts.counts.total, facts.counts.done) if facts.counts is not None else (None, None)
    if total is None or done is None or total < done:
        return None
    if price.meter is Meter.REQUESTS:
        return _amount(price, total - done, Basis.AT_MOST)
    if not done or facts.tokens is None:
        return None
    return _amount(price, Decimal(facts.tokens) * (total - done) / done, Basis.ESTIMATE)


def _of_hours(price: Price, phase: Phase, facts: JobFacts, at: datetime, *, is_pause_possible: bool) -> Cost:
    if facts.started_at is None and phase not in TERMINAL:
        return Unpriced("the job has not started")
    start = facts.created_at if is_pause_possible else _believable_start(facts)
    end = at if phase in UNFINISHED else facts.finished_at
    if start is None or end is None:
        return Unpriced("the time of its start is unknown" if start is None else "the time of its end is unknown")
    if start.timestamp() <= 0 or end < start:
        return Unpriced("the provider reports times that are not plausible")
    return _amount(price, (end - start) // _SECOND, Basis.AT_MOST if is_pause_possible else Basis.AT_LEAST)


def _believable_start(facts: JobFacts) -> datetime | None:
    """Return the start of a job, or its creation if that is later: an earlier start would make a lower bound too high.

    A start of zero is returned as it is, because the provider does not know the start.
    """
    start, created = facts.started_at, facts.created_at
    return start if start is None or created is None or start.timestamp() <= 0 else max(start, created)


def _amount(price: Price, quantity: Decimal | int, basis: Basis) -> Cost:
    value = Decimal(quantity) * price.value / price.meter.unit
    if not 0 <= value <= AMOUNT_MAX:
        return Unpriced("the provider reports a quantity that is not plausible")
    return Amount(value, price.currency, basis.combined(price.bound), price.document)
