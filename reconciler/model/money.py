"""Amounts of money, each with its basis.

Rules: amounts are exact decimals. They are rounded only when they are shown, and a sum is rounded once. An unknown
amount is an `Unpriced` with the reason, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from reconciler.model.scalar import is_name

CENT = Decimal("0.01")
_DIGITS = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?")
CURRENCY = re.compile(r"[A-Z]{3}")
"""The form of the code of a currency (ISO 4217)."""
NO_PRICE = "no price is stated"
"""Why a cost is unknown if neither the operator nor a Provider document states prices."""
AMOUNT_MAX = Decimal(10**12)
"""The largest amount. A larger one is not plausible, so it is unknown."""


class Basis(StrEnum):
    """What an amount is based on."""

    METERED = "metered"
    """The quantity that the provider reports, times a price."""
    AT_LEAST = "atLeast"
    """A lower bound."""
    AT_MOST = "atMost"
    """An upper bound."""
    ESTIMATE = "estimate"
    """Neither bound is known."""

    @property
    def is_certain(self) -> bool:
        """Whether at least the amount has been spent."""
        return self in {Basis.METERED, Basis.AT_LEAST}

    def combined(self, other: Basis) -> Basis:
        """Return the basis of a sum or a product of values with these two bases."""
        if Basis.METERED in {self, other}:
            return other if self is Basis.METERED else self
        return self if self is other else Basis.ESTIMATE


_PREFIXES = {Basis.METERED: "", Basis.AT_LEAST: "at least ", Basis.AT_MOST: "at most ", Basis.ESTIMATE: "about "}


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount in one currency, and its basis."""

    value: Decimal
    currency: str
    basis: Basis
    document: str | None = None
    """The name of the Provider document that states the price, or None for the operator's file and for a sum."""

    def __str__(self) -> str:
        """Return the amount as text, such as `at least 41.20 USD`."""
        return f"{_PREFIXES[self.basis]}{render_money(self.value, self.currency)}"

    @property
    def with_document(self) -> str:
        """The amount as text, with the Provider document that states its price."""
        return f"{self}{place_of(self.document)}"

    def plus(self, other: Amount) -> Amount:
        """Return the sum of two amounts in the same currency."""
        return Amount(self.value + other.value, self.currency, self.basis.combined(other.basis))


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why an amount is unknown, as text."""

    why: str

    def __str__(self) -> str:
        """Return the reason."""
        return self.why


Cost = Amount | Unpriced


@dataclass(frozen=True, slots=True)
class RecordedAmount:
    """An amount as a status records it. Its digits are text, because a status may have been edited."""

    amount: str
    currency: str
    basis: Basis
    document: str | None = None
    """The name of the Provider document that states the price, or None for the operator's file."""

    @classmethod
    def of(cls, amount: Amount) -> RecordedAmount:
        """Return the record of an amount, with six decimals."""
        return cls(f"{amount.value:.6f}", amount.currency, amount.basis, amount.document)

    @property
    def cost(self) -> Cost:
        """The amount, or that it is unknown because its digits, its currency or its document cannot be right."""
        is_amount = _DIGITS.fullmatch(self.amount) is not None and CURRENCY.fullmatch(self.currency) is not None
        if not is_amount or (self.document is not None and not is_name(self.document)):
            return Unpriced("the recorded amount cannot be read")
        return Amount(Decimal(self.amount), self.currency, self.basis, self.document)


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of the known costs among some costs, and the number of the unknown ones."""

    amounts: tuple[Amount, ...] = ()
    """The sum of the known amounts in each currency, sorted by currency. Amounts in two currencies are never added."""
    unknown: int = 0
    """How many amounts are unknown and not part of a sum."""
    declared: int = 0
    """How many of the known amounts are at prices of Provider documents."""


def total_of(costs: Iterable[Cost | None]) -> Total:
    """Return the sums of costs. A cost of None is left out, and not counted as unknown."""
    sums: dict[str, Amount] = {}
    unknown = declared = 0
    for cost in costs:
        if isinstance(cost, Amount):
            sums[cost.currency] = cost.plus(sums[cost.currency]) if cost.currency in sums else cost
            declared += cost.document is not None
        elif cost is not None:
            unknown += 1
    return Total(tuple(sums[currency] for currency in sorted(sums)), unknown, declared)


def place_of(document: str | None) -> str:
    """Return the end of the text of a price or an amount, which names the Provider document, if any."""
    return "" if document is None else f" (Provider {document})"


def render_money(value: Decimal, currency: str) -> str:
    """Return a value in a currency, with two decimals, or with four if it is smaller than a cent."""
    digits = CENT if value == 0 or abs(value) >= CENT else CENT * CENT
    return f"{value.quantize(digits, ROUND_HALF_EVEN):f} {currency}"


def render_exactly(value: Decimal, currency: str) -> str:
    """Return a value in a currency with all its decimals, at least two. Different values have different texts."""
    whole, _, decimals = f"{value.normalize():f}".partition(".")
    return f"{whole}.{decimals:0<2} {currency}"
