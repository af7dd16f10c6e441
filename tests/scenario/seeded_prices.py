"""The prices of a run from a seed, and its limits of costs. Each has a random source of its own.

Therefore a run without prices is the same as if no run had prices.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from tests.contract.dialects.services import Service
from tests.scenario import injections
from tests.scenario.price_book import PriceBook, kinds_of
from tests.scenario.repository import JobSpec
from tests.scenario.simulation import TimedInjection

HOURLY = (25, 60)
"""The prices of the operator and of Provider documents for an hour."""


def drawn_prices(run: str, services: Mapping[str, Service], *, is_tight: bool = False) -> PriceBook | None:
    """Return the prices of the operator and of Provider documents, in some runs. Some jobs have no price.

    A run with strict limits on numbers also limits the costs of cancels. By the end of a run, each job that has started
    has cost more than every limit, so that the verdicts no longer change.
    """
    rng = random.Random(f"{run} prices")  # noqa: S311  repeatable, not secret
    if rng.random() > (0.7 if is_tight else 0.3):
        return None
    keys = sorted({key for service in services.values() for key in kinds_of(service.type)})
    hourly = {key: Decimal(rng.choice(HOURLY)) for key in keys if rng.random() < 0.8}
    most_an_hour = Decimal(rng.choice([15, 40, 90])) if is_tight else None
    return PriceBook(hourly, most_an_hour, _declared(run, services))


def _declared(run: str, services: Mapping[str, Service]) -> dict[tuple[str, str], Decimal]:
    """Return the prices in Provider documents. Where the operator has a price, they must have no effect."""
    rng = random.Random(f"{run} declared prices")  # noqa: S311  repeatable, not secret
    keys = [(name, kind) for name, service in services.items() for _, kind in kinds_of(service.type)]
    return {key: Decimal(rng.choice([*HOURLY, 900_000])) for key in keys if rng.random() < 0.5}


def with_cost_limits(run: str, job_specs: Iterable[JobSpec], prices: PriceBook | None) -> Iterator[JobSpec]:
    """Yield the specs of a run. With prices, some get a limit of the cost."""
    rng = random.Random(f"{run} first cost limits")  # noqa: S311  repeatable, not secret
    for each in job_specs:
        is_limited = prices is not None and rng.random() < 0.5
        yield replace(each, max_cost=Decimal(rng.choice([2, 30, 90_000]))) if is_limited else each


def cost_limits(run: str, within_s: float, prices: PriceBook | None) -> Iterator[TimedInjection]:
    """Yield the limits of costs and the prices of documents that people write in a run with prices."""
    rng = random.Random(f"{run} cost limits")  # noqa: S311  repeatable, not secret
    for _ in range(rng.randrange(2, 6) if prices is not None else 0):
        yield TimedInjection(rng.choice([0.0, rng.uniform(0, within_s)]), injections.limit_cost)
    for _ in range(rng.randrange(3) if prices is not None else 0):
        yield TimedInjection(rng.uniform(0, within_s), injections.change_declared_price)
