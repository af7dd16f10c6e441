"""The prices in the operator's file and in Provider documents, as they are written there.

Rules: the key of a price names its unit, and each unit has a plausible range. A price that is written for another unit
is then an error instead of a cost that is a million times too high or too low.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from reconciler.model.account_line import BATCH_JOB, KindName
from reconciler.model.document import Document, PlacedError
from reconciler.model.money import CURRENCY, Basis
from reconciler.model.price import Meter, Price
from reconciler.model.scalar import Text, Word, quoted

PRICES_MAX = 1000
"""The maximum number of prices in one document. Each is compared with every job of its provider."""
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
PRICE_MAX = Decimal(1_000_000)
_LEAST = {Meter.HOUR: Decimal("0.001"), Meter.TOKENS: Decimal("0.001"), Meter.REQUESTS: Decimal("0.0001")}
_SMALLER_UNITS = {Meter.HOUR: "second", Meter.TOKENS: "token", Meter.REQUESTS: "request"}


def parse_decimal(text: str) -> Decimal:
    """Return the exact value of a text such as `3.00`. Raises `ValueError` if it is not a plain decimal number."""
    if _DECIMAL.fullmatch(text) is None:
        msg = f"{quoted(text)} is not an amount: write digits, and a dot before decimals, such as 3.00"
        raise ValueError(msg)
    return Decimal(text)


def parse_currency(text: str) -> str:
    """Return the code of a currency. Raises `ValueError` if the text is not three capital letters."""
    if CURRENCY.fullmatch(text) is None:
        hint = f": did you mean {text.upper()}?" if CURRENCY.fullmatch(text.upper()) else ""
        msg = f"{quoted(text)} is not the code of a currency, such as USD{hint}"
        raise ValueError(msg)
    return text


def _decimal(value: object) -> object:
    return parse_decimal(value) if isinstance(value, str) else value


Money = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "examples": ["3.00"]}]}),
]
Currency = Annotated[
    Word, AfterValidator(parse_currency), WithJsonSchema({"type": "string", "pattern": f"^{CURRENCY.pattern}$"})
]


def _model(text: str) -> str:
    if "*" in text[:-1]:
        msg = f"{quoted(text)} is not the name of a model: * is only allowed at its end"
        raise ValueError(msg)
    return text


class PriceRule(Document):
    """The price of the jobs of one kind: exactly one of the keys that begin with `per`."""

    kind: KindName = Field(description="The kind of the jobs.")
    model: Annotated[Word, AfterValidator(_model)] = Field(
        "*",
        description="The model of the jobs, as the provider reports it, or the beginning of its name followed by *. "
        "The price that names a model most precisely applies. Default: every model.",
    )
    per_hour: Money | None = Field(
        None,
        description="The price of each hour from the start of a job to its end. The hours before its start are free.",
    )
    per_million_tokens: Money | None = Field(
        None, description="The price of a million tokens that are trained, or that a batch uses."
    )
    per_thousand_requests: Money | None = Field(
        None, description="For BatchJob: the price of a thousand completed requests."
    )
    bound: Literal["atLeast", "atMost"] | None = Field(
        None, description="Whether the provider charges at least or at most this price. Default: exactly this price."
    )
    source: Text | None = Field(None, description="Where the price was read, and when.")

    @model_validator(mode="after")
    def _has_one_plausible_price(self) -> Self:
        found = self._found()
        if len(found) != 1:
            msg = f"must have exactly one of {', '.join(list(Meter)[:-1])} and {Meter.REQUESTS}"
            raise ValueError(msg)
        ((meter, value),) = found.items()
        if meter is Meter.REQUESTS and self.kind != BATCH_JOB:
            msg = f"{meter} applies only to {BATCH_JOB}: use another key"
            raise ValueError(msg)
        _check_range(meter, value)
        return self

    def _found(self) -> dict[Meter, Decimal]:
        values = zip(Meter, (self.per_hour, self.per_million_tokens, self.per_thousand_requests), strict=True)
        return {meter: value for meter, value in values if value is not None}

    def price(self, provider: str, currency: str) -> Price:
        """Return the price at a provider type in a currency, as the operator's file states it."""
        ((meter, value),) = self._found().items()
        bound = Basis(self.bound) if self.bound else Basis.METERED
        return Price(provider, self.kind, self.model, meter, value, currency, bound)

    @property
    def jobs(self) -> tuple[str, ...]:
        """What the price is for. Two prices in one list are never for the same."""
        return self.kind, self.model


class _AtProvider(Document):
    """The provider type of a price. It is a class of its own so that it is the first field of `OperatorPriceRule`."""

    provider: Word = Field(description="The provider type, such as openai.")


class OperatorPriceRule(PriceRule, _AtProvider):
    """The price of the jobs of one kind at one provider type: exactly one of the keys that begin with `per`."""

    @property
    def jobs(self) -> tuple[str, ...]:
        """What the price is for. Two prices in one list are never for the same."""
        return self.provider, *super().jobs


def _check_range(meter: Meter, value: Decimal) -> None:
    """Raise `ValueError` if a price is implausible for its unit."""
    least = _LEAST[meter]
    if value < least:
        other, unit = value * meter.unit, _SMALLER_UNITS[meter]
        hint = f" If {value:f} is the price of one {unit}, write {other.normalize():f}." if other >= least else ""
        msg = f"{meter}: {value:f} is not plausible, because it is less than {least}.{hint} Leave out unknown prices."
        raise ValueError(msg)
    if value > PRICE_MAX:
        msg = f"{meter}: {value:f} is not plausible, because it is more than {PRICE_MAX}: check its unit"
        raise ValueError(msg)


class PriceList(Document):
    """What an account charges, in one currency. Nothing is converted, and a missing price is never guessed."""

    currency: Currency = Field(description="The currency of all prices, as its ISO 4217 code, such as USD.")
    list: Annotated[tuple[PriceRule, ...], Field(max_length=PRICES_MAX)] = Field(description="The prices.")

    @model_validator(mode="after")
    def _has_one_price_for_each_job(self) -> Self:
        first: dict[tuple[str, ...], int] = {}
        for index, rule in enumerate(self.list):
            earlier = first.setdefault(rule.jobs, index)
            if earlier != index:
                msg = f"this price is for the same jobs as spec.prices.list[{earlier}]: remove one of the two"
                raise PlacedError(msg, ("list", index))
        return self


class OperatorPriceList(PriceList):
    """What providers charge, in one currency. Nothing is converted, and a missing price is never guessed."""

    list: Annotated[tuple[OperatorPriceRule, ...], Field(max_length=PRICES_MAX)] = Field(description="The prices.")
