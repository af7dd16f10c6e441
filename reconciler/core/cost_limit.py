"""Decide whether a job has cost more than `maxCost`.

Rules: the limit acts on a cost that is certain: metered, or a lower bound. It never acts without a price, on a price
that the author of the spec may not have chosen (`Price.may_act`), on an upper bound or an estimate, on a cost in
another currency, or on a quantity that is not plausible; then it cannot be judged.
It acts only if two observations at least one interval apart, at the same price, agree that the job is over it, and if
the cost has neither fallen nor grown more than tenfold between them. So neither one wrong response nor a new price
cancels a job at once. A warning that was written while the job was only near the limit is no such observation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation

from reconciler.core.facts import is_waiting_to_start
from reconciler.core.limit_warning import LimitState, UnfinishedJob, held_for, last_warning
from reconciler.core.subject import Subject
from reconciler.model.cost import cost_so_far, may_have_paused
from reconciler.model.job_limits import CostLimit
from reconciler.model.money import NO_PRICE, Amount, Unpriced
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobStatus, LimitWarning, Receipt

GROWTH_MAX = 10
"""The largest growth of a cost between two observations that is believed."""
_RENAME = "so its price only shows costs: rename the Provider document"
WARNED_AT = Decimal("0.8")
"""The share of `maxCost` from which a warning is written, if the limits of the job have warnings."""


@dataclass(frozen=True, slots=True)
class JudgedCost:
    """The cost of a job, as far as `maxCost` may act on it."""

    limit: CostLimit
    amount: Amount | None = None
    """A cost that is certain, or None."""
    price: str = ""
    unjudged: str | None = None
    """Why the limit cannot be judged, or None. Both are None for a job that has not started."""

    @property
    def is_over(self) -> bool:
        """Whether the job has certainly cost more than the limit, as this observation shows it."""
        return self.amount is not None and self.amount.value > self.limit.value


def judged_cost(subject: Subject, job: UnfinishedJob, last: JobStatus | None) -> JudgedCost | None:
    """Return the cost of an unfinished job, or None if it has no `maxCost`."""
    facts, phase = job.facts, job.phase
    limit = subject.spec.limits.max_cost if subject.spec.limits is not None else None
    if limit is None:
        return None
    price = subject.price(facts)
    if price is None or isinstance(price, Unpriced):
        return JudgedCost(limit, unjudged=NO_PRICE if price is None else price.why)
    if not price.may_act:
        return JudgedCost(limit, unjudged=f"{price.document} is also the name of a provider type, {_RENAME}")
    history, receipts = (last.history, last.receipts) if last is not None else ((), ())
    is_pause_possible = may_have_paused(subject.capabilities, phase, history, receipts)
    cost = cost_so_far(price, phase, facts, job.as_of, is_pause_possible=is_pause_possible)
    if isinstance(cost, Unpriced):
        return JudgedCost(limit, unjudged=None if is_waiting_to_start(phase, facts) else cost.why)
    if cost.currency != limit.currency:
        return JudgedCost(limit, unjudged=f"its price is in {cost.currency}")
    if not cost.basis.is_certain:
        return JudgedCost(limit, unjudged="no lower bound of its cost is known")
    return JudgedCost(limit, cost, str(price))


def is_cost_cancel(receipt: Receipt | None, limit: CostLimit) -> bool:
    """Return whether an open receipt is that of a cancel that was requested because of this limit."""
    return receipt is not None and (receipt.because, receipt.reason) == (Because.LIMIT_REACHED, str(limit))


def cost_state(subject: Subject, cost: JudgedCost, now: datetime, last: JobStatus | None) -> LimitState:
    """Return whether `maxCost` acts now, and the warning before it does."""
    wanted, amount, limit = subject.spec.desired_state, cost.amount, cost.limit.value
    if amount is None or subject.is_suspended(now) or wanted is DesiredState.CANCELLED:
        return LimitState()
    if wanted is DesiredState.OBSERVED:
        return LimitState(str(cost.limit) if cost.is_over else None)
    if amount.value <= (limit if subject.warn_before is None else limit * WARNED_AT):
        return LimitState()
    new = LimitWarning(str(cost.limit), now, f"{amount.value:.6f}", cost.price)
    warning = _warning(subject, cost, new, _earlier(last, new, amount.value))
    acts_at = warning.since + held_for(subject, warning)
    return LimitState(str(cost.limit) if cost.is_over and now >= acts_at else None, warning, acts_at)


def _warning(subject: Subject, cost: JudgedCost, new: LimitWarning, earlier: LimitWarning | None) -> LimitWarning:
    """Return the warning to write: the earlier one, if it still holds.

    If the job was only near the limit, this is the first observation that shows it over, and another one must agree.
    """
    if earlier is None or not cost.is_over or Decimal(earlier.cost or 0) > cost.limit.value:
        return earlier or new
    return replace(new, since=max(earlier.since, new.since + subject.interval - held_for(subject, new)))


def _earlier(last: JobStatus | None, new: LimitWarning, value: Decimal) -> LimitWarning | None:
    """Return the warning of the last status if it is of the same limit and of a cost that can lead to this one."""
    known = last_warning(last)
    return known if known is not None and _agrees(known, new, value) else None


def _agrees(known: LimitWarning, new: LimitWarning, value: Decimal) -> bool:
    """Return whether an earlier warning is of the same limit and price, and of a cost that can lead to this one."""
    if (known.limit, known.price) != (new.limit, new.price) or known.since > new.since:
        return False
    try:
        before = Decimal(known.cost or "")
    except InvalidOperation:  # a person may have edited the status
        return False
    return before.is_finite() and 0 < before <= round(value, 6) <= before * GROWTH_MAX
