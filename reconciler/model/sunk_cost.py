"""The sunk cost of cancels: what their jobs have cost when they are cancelled, and the operator's limit on it.

Rules: the guard uses the upper bound of a cost. A cost without an upper bound is unknown, and never zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from reconciler.model.job_limits import CostLimit
from reconciler.model.money import Amount, Basis, Cost, render_exactly

_AMOUNT = re.compile(r"[0-9]{1,13}\.[0-9]{2,6} [A-Z]{3}")
_BOUNDED = frozenset({Basis.METERED, Basis.AT_MOST})


@dataclass(frozen=True, slots=True)
class SunkCostLimit:
    """The limit `maxCancelsCost` of one scope, per hour."""

    value: Decimal
    currency: str
    ignores_unknown: bool = False
    """Whether cancels with an unknown cost are allowed, so that the limit is only on the known costs."""

    @classmethod
    def of(cls, limit: CostLimit, *, ignores_unknown: bool) -> SunkCostLimit:
        """Return the limit that an operator's file states."""
        return cls(limit.value, limit.currency, ignores_unknown)

    def __str__(self) -> str:
        """Return the limit with its value, such as `maxCancelsCost 500.00 USD`."""
        return f"maxCancelsCost {render_exactly(self.value, self.currency)}"

    def stricter(self, other: SunkCostLimit | None) -> SunkCostLimit:
        """Return the stricter of two limits in one currency."""
        if other is None:
            return self
        return SunkCostLimit(
            min(self.value, other.value), self.currency, self.ignores_unknown and other.ignores_unknown
        )

    def refuses(self, cost: Cost) -> bool:
        """Return whether this limit refuses a cancel because its cost is unknown."""
        return not self.ignores_unknown and self.bound(cost) is None

    def bound(self, cost: Cost) -> Decimal | None:
        """Return the upper bound of a cost in the currency of this limit, or None if it is unknown."""
        return upper_bound(cost, self.currency)


def upper_bound(cost: Cost, currency: str | None) -> Decimal | None:
    """Return the upper bound of a cost, or None if it is unknown or in another currency."""
    if not isinstance(cost, Amount) or cost.currency != currency or cost.basis not in _BOUNDED:
        return None
    return cost.value


@dataclass(frozen=True, slots=True)
class SunkCost:
    """The sunk cost of some cancels."""

    known: Decimal = Decimal(0)
    """The sum of the upper bounds that are known."""
    unknown: int = 0
    """How many cancels have an unknown cost, which is not part of the sum."""

    def text(self, currency: str) -> str:
        """Return the sum as text, such as `at most 41.20 USD, and 2 unknown`."""
        amount = (
            str(Amount(self.known, currency, Basis.AT_MOST)) if self.known else render_exactly(self.known, currency)
        )
        return f"{amount}, and {self.unknown:,} unknown" if self.unknown else amount


NO_COST = SunkCost()


@dataclass(frozen=True, slots=True)
class RefusedCost:
    """Why the guard refused cancels because of their sunk cost.

    The amounts grow while the jobs run, so they are left out of comparisons: it remains the same refusal.
    """

    limit: SunkCostLimit
    wanted: SunkCost = field(compare=False)
    """The sunk cost of the refused cancels."""
    earlier: SunkCost = field(default=NO_COST, compare=False)
    """The sunk cost of the cancels of the last hour, and of those that this pass has already allowed."""
    is_each_too_much: bool = False
    """Whether each of the cancels exceeds the limit by itself."""
    unknown: str | None = None
    """Why the cost of a wanted cancel is unknown, or None if the costs of all of them are known."""

    def differs_only_in_amounts(self, one: str, other: str) -> bool:
        """Return whether two messages differ at most in what jobs have cost, and both state this limit."""
        is_of_limit = str(self.limit) in one and str(self.limit) in other
        return is_of_limit and _AMOUNT.sub("", one) == _AMOUNT.sub("", other)

    def text(self, number: int, scope: str) -> str:
        """Return the message of the refusal of a number of cancels in a scope."""
        is_one = number == 1
        cancels = "1 cancel wanted" if is_one else f"{number:,} cancels wanted"
        jobs = "of a job" if is_one else "of jobs"
        wanted, earlier = (each.text(self.limit.currency) for each in (self.wanted, self.earlier))
        unchecked = f"{self.limit} per hour cannot be checked"
        if self.unknown is not None:
            return f"{cancels} ({scope}), {jobs} whose cost is unknown ({self.unknown}): {unchecked}"
        if self.is_each_too_much:
            cost = f"that {'has' if is_one else 'have each'} cost more than the limit"
            return f"{cancels} ({scope}), {jobs} {cost}: {wanted}; the limit is {self.limit} per hour"
        if self.earlier.unknown and not self.limit.ignores_unknown:
            why = f"what was cancelled within the last hour had an unknown cost ({earlier})"
            return f"{cancels} ({scope}), {jobs} that cost {wanted}, but {why}: {unchecked}"
        besides = f", besides {earlier} of those cancelled within the last hour" if self.earlier.known else ""
        return f"{cancels} at once, {jobs} that cost {wanted}{besides} ({scope}); the limit is {self.limit} per hour"
