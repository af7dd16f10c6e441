"""The limits in a spec, as they are written there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from reconciler.model.document import Document
from reconciler.model.money import render_exactly
from reconciler.model.scalar import Duration, Instant, quoted

_COST = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,4})?) ([A-Z]{3})")


@dataclass(frozen=True, slots=True)
class CostLimit:
    """The most that a job may cost, in one currency."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        """Return the limit with its value, such as `maxCost 60.00 USD`."""
        return f"maxCost {render_exactly(self.value, self.currency)}"


def parse_cost_limit(text: str) -> CostLimit:
    """Return the limit of a text such as `60 USD`. Raises `ValueError` if it is not an amount with a currency."""
    match = _COST.fullmatch(text)
    if match is None:
        msg = f"{quoted(text)} is not an amount with its currency: write it as 60 USD or 0.50 USD"
        raise ValueError(msg)
    value = Decimal(match[1])
    if value == 0:
        msg = "must be more than 0"
        raise ValueError(msg)
    return CostLimit(value, match[2])


def _cost(value: object) -> object:
    return parse_cost_limit(value) if isinstance(value, str) else value


def _render(limit: CostLimit) -> str:
    return f"{limit.value.normalize():f} {limit.currency}"


CostLimitText = Annotated[
    CostLimit,
    BeforeValidator(_cost),
    PlainSerializer(_render, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_COST.pattern}$", "examples": ["60 USD"]}),
]


class Limits(Document):
    """Limits of an unfinished job. A job that exceeds a limit is cancelled, unless its desired state is `observed`."""

    max_age: Duration | None = Field(None, description="The maximum time since the provider created the job.")
    max_queued: Duration | None = Field(
        None, description="The maximum time since the provider created the job, if it has never started."
    )
    not_after: Instant | None = Field(None, description="The time by which the job must have ended.")
    max_cost: CostLimitText | None = Field(
        None,
        description="The maximum cost of the job, at the stated prices. It acts only on a certain cost that two "
        "observations show. The job can exceed it by what it costs until its cancel takes effect.",
    )
    warn_before: Duration | None = Field(
        None,
        description="The minimum time between the warning of a limit (LimitNear) and the cancel. If the warning comes "
        "late, the job is cancelled later. Default: the value in Settings, or else no warning.",
    )
