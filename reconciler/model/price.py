"""What a provider charges for jobs, as the operator or a Provider document states it, and which price applies to a job.

Rules: a price of the operator applies before any price of a Provider document, however precisely that names the model.
Authors of specs can change a Provider document. Therefore its price applies only to jobs whose specs name the document,
and is not used for the guard's limit on costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from reconciler.model.money import Basis, Unpriced, place_of, render_exactly


class Meter(StrEnum):
    """What a price is multiplied with: the key of the price in a document, which names the unit."""

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
    document: str | None = None
    """The name of the Provider document that states the price, or None for the operator's file."""
    may_act: bool = True
    """Whether `maxCost` may act on the price. Not if its document has the name of a provider type.

    A spec may name a type without a document. Then an author of other specs could add a document with that name.
    """

    def __str__(self) -> str:
        """Return the price as text, such as `3.00 USD per million tokens`, with the document that states it."""
        return f"{render_exactly(self.value, self.currency)} {self.meter.words}{place_of(self.document)}"

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
    """Return the price in `prices` that applies to a model, or that there is none.

    Of the operator's prices, or else of those in a Provider document, it is the one that names the model most
    precisely.
    """
    ranked = [(rank, each) for each in prices if (rank := each.rank(model)) is not None]
    if not ranked:
        return Unpriced(f"no price for {provider}{f'/{model}' if model else ''}")
    return max(ranked, key=lambda found: (found[1].document is None, found[0]))[1]
