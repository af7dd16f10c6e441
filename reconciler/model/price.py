"""What a provider charges for jobs, as the operator states it, and which price applies to a job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from reconciler.model.money import Basis, Unpriced, render_exactly


class Meter(StrEnum):
    """What a price is multiplied with: the key of the price in the operator's file, which names the unit."""

    HOUR = "perHour"
    TOKENS = "perMillionTokens"
    REQUESTS = "perThousandRequests"

    @property
    def unit(self) -> int:
        """The number of seconds, tokens or requests that a price is for."""
        return {Meter.HOUR: 3600, Meter.TOKENS: 1_000_000, Meter.REQUESTS: 1000}[self]

    @property
    def words(self) -> str:
        """The unit as text after a price."""
        return {
            Meter.HOUR: "per hour",
            Meter.TOKENS: "per million tokens",
            Meter.REQUESTS: "per thousand requests",
        }[self]


@dataclass(frozen=True, slots=True)
class Price:
    """The price of the jobs of one kind at one provider type, for some models."""

    provider: str
    """The provider type."""
    kind: str
    model: str
    """The name of the model, or the beginning of its name and `*`. `*` stands for every model."""
    meter: Meter
    value: Decimal
    currency: str
    bound: Basis = Basis.METERED
    """Whether the price itself is exact or a bound."""

    def __str__(self) -> str:
        """Return the price as text, such as `3.00 USD per million tokens`."""
        return f"{render_exactly(self.value, self.currency)} {self.meter.words}"

    def rank(self, model: str | None) -> int | None:
        """Return how precisely this price names a model, or None if it is for other models. A higher rank wins."""
        if not self.model.endswith("*"):
            return len(self.model) + 1 if self.model == model else None
        beginning = self.model[:-1]
        return len(beginning) if (model or "").startswith(beginning) else None


def prices_of(prices: Iterable[Price], provider: str, kind: str) -> tuple[Price, ...]:
    """Return the prices of a provider type for jobs of one kind."""
    return tuple(each for each in prices if (each.provider, each.kind) == (provider, kind))


def price_for(prices: Iterable[Price], provider: str, model: str | None) -> Price | Unpriced:
    """Return the price in `prices` that names a model most precisely, or that there is none."""
    ranked = [(rank, each) for each in prices if (rank := each.rank(model)) is not None]
    if not ranked:
        return Unpriced(f"no price for {provider}{f'/{model}' if model else ''}")
    return max(ranked, key=lambda found: found[0])[1]
