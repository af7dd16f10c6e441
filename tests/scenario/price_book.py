"""The prices and the limits on costs in the operator's file of a run.

Rule: the oracles compute costs from this record and from the world, and share no rule with the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from reconciler.core.guard import ChangeLimits
from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.price import Meter, Price
from reconciler.model.sunk_cost import SunkCostLimit
from tests.scenario.batch_services import BATCHES, kind_of

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What an hour of a job costs, by provider type and kind. A job without an entry has no price."""

    hourly: Mapping[tuple[str, str], Decimal]
    most_an_hour: Decimal | None = None
    """The most that the jobs cancelled in an hour may have cost, or None without such a limit."""
    declared: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    """What an hour of a job costs as the first Provider documents state it, by the name of the document and the kind.
    """

    def prices(self) -> tuple[Price, ...]:
        """Return the prices as the operator's file states them."""
        return tuple(
            Price(type_, kind, "*", Meter.HOUR, value, CURRENCY) for (type_, kind), value in self.hourly.items()
        )

    def limits(self, others: ChangeLimits) -> ChangeLimits:
        """Return these limits on numbers with the limit on costs."""
        cost = None if self.most_an_hour is None else SunkCostLimit(self.most_an_hour, CURRENCY)
        return replace(others, sunk_cost=cost)

    def cost(self, type_: str, account: str, span: timedelta) -> Decimal | None:
        """Return what a job of an account costs in a span of time, or None if the operator states no price for it."""
        price = self.hourly.get((type_, kind_of(account)))
        return None if price is None else price * hours(span)


def hours(span: timedelta) -> Decimal:
    """Return the hours in a span of time, in whole seconds."""
    return Decimal(max(0, int(span.total_seconds()))) / 3600


def kinds_of(type_: str) -> Iterator[tuple[str, str]]:
    """Yield the key of each kind of job of a provider type."""
    yield type_, FINE_TUNING_JOB
    if type_ in BATCHES:
        yield type_, BATCH_JOB
