"""The number of some first attempts, and the sunk cost of those that are cancels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from reconciler.model.sunk_cost import SunkCost


@dataclass(frozen=True, slots=True)
class AttemptTotals:
    """How many first attempts there are, and what the jobs of the cancels among them have cost at most."""

    count: int = 0
    known: int = 0
    """How many of the attempts have a known sunk cost. That of a pause or a resume is zero."""
    cost: Decimal = Decimal(0)
    """The sum of the known sunk costs."""

    @classmethod
    def one(cls, cost: Decimal | None) -> AttemptTotals:
        """Return one attempt. Its sunk cost is None if it is unknown."""
        return cls(1) if cost is None else cls(1, 1, cost)

    def __add__(self, other: AttemptTotals) -> AttemptTotals:
        """Return the attempts of both."""
        return AttemptTotals(self.count + other.count, self.known + other.known, self.cost + other.cost)

    def __sub__(self, other: AttemptTotals) -> AttemptTotals:
        """Return the attempts without those of `other`."""
        return AttemptTotals(self.count - other.count, self.known - other.known, self.cost - other.cost)

    def __or__(self, other: AttemptTotals) -> AttemptTotals:
        """Return the larger of two records of the same attempts, and not fewer than none."""
        return AttemptTotals(
            max(self.count, other.count, 0), max(self.known, other.known, 0), max(self.cost, other.cost, Decimal(0))
        )

    @property
    def sunk_cost(self) -> SunkCost:
        """The sunk cost of the cancels."""
        return SunkCost(self.cost, max(self.count - self.known, 0))


def sum_of(totals: Iterable[AttemptTotals]) -> AttemptTotals:
    """Return the totals of all."""
    return sum(totals, AttemptTotals())
