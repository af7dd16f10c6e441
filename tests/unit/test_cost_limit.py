"""`maxCost`: it acts on a certain cost that two observations show, and in no other case."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from reconciler.core.decide import decide
from reconciler.core.subject import Subject
from reconciler.model.job import UNSET, JobCounts, Phase
from reconciler.model.job_limits import CostLimit, parse_cost_limit
from reconciler.model.money import Basis
from reconciler.model.price import Meter, Price
from reconciler.model.reason import Reason
from reconciler.model.status import Because, LimitWarning, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    CAN_PAUSE,
    CANNOT_PAUSE,
    DAY,
    EDGES,
    HOUR,
    MINUTE,
    SECOND,
    a_batch_look,
    a_batch_subject,
    a_look,
    a_subject,
    carried_out,
)

PRICE = Price("openai", "BatchJob", "*", Meter.TOKENS, Decimal("1000.00"), "USD")
HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("10.00"), "USD")


def limited(max_cost: str = "20 USD", wanted: str = "running", price: Price | None = PRICE, **limits: str) -> Subject:
    """Return a batch with a limit of its cost. A thousand tokens cost one USD."""
    subject = a_batch_subject(wanted, CANNOT_PAUSE, limits={"maxCost": max_cost, **limits})
    return replace(subject, prices=None if price is None else (price,))


def test_a_batch_over_its_cost_is_warned_of_first_and_cancelled_by_a_second_observation() -> None:
    subject = limited()
    first = decide(subject, a_batch_look(), None, NOW)
    second = decide(subject, a_batch_look(at=NOW + MINUTE), first.status, NOW + MINUTE)

    assert (first.action, first.status.ready.reason, first.requeue) == (None, Reason.LIMIT_NEAR, MINUTE)
    assert first.status.warning == LimitWarning("maxCost 20.00 USD", NOW, "23.000000", "1000.00 USD per million tokens")
    assert second.action is not None
    assert (second.action.verb, second.action.because, second.action.reason) == (
        Verb.CANCEL,
        Because.LIMIT_REACHED,
        "maxCost 20.00 USD",
    )


@pytest.mark.parametrize(("edge", "where"), EDGES)
def test_the_second_observation_counts_from_one_interval_on(edge: timedelta, where: str) -> None:
    subject, now = limited(), NOW + MINUTE + edge
    first = decide(subject, a_batch_look(), None, NOW).status

    assert (decide(subject, a_batch_look(at=now), first, now).action is None) == (where == "just before")


@pytest.mark.parametrize(("tokens", "is_over"), [(19_999, False), (20_000, False), (20_001, True)])
def test_the_limit_acts_above_its_value(tokens: int, is_over: bool) -> None:  # noqa: FBT001  a column of the table
    assert (decide(limited(), a_batch_look(tokens=tokens), None, NOW).status.warning is not None) == is_over


def test_with_warn_before_a_job_is_warned_from_four_fifths_on_and_that_long_before_its_cancel() -> None:
    subject = limited(warnBefore="2h")
    early = decide(subject, a_batch_look(tokens=16_000), None, NOW)
    warned = decide(subject, a_batch_look(tokens=16_001), None, NOW).status
    later, late = NOW + 2 * HOUR - SECOND, NOW + 2 * HOUR

    assert early.status.warning is None
    assert warned.warning is not None
    assert decide(subject, a_batch_look(at=later, tokens=21_000), warned, later).action is None
    assert decide(subject, a_batch_look(at=late, tokens=20_000), warned, late).action is None
    over = decide(subject, a_batch_look(at=later, tokens=21_000), warned, later).status
    agreed = later + MINUTE
    assert decide(subject, a_batch_look(at=agreed, tokens=21_000), over, agreed).action is not None


def test_a_warning_of_a_job_near_its_cost_does_not_count_as_an_observation_over_it() -> None:
    subject = limited(warnBefore="2h")
    warned = decide(subject, a_batch_look(tokens=16_001), None, NOW).status
    wrong, right = NOW + 3 * HOUR, NOW + 3 * HOUR + MINUTE
    over = decide(subject, a_batch_look(at=wrong, tokens=160_000), warned, wrong)
    early = decide(subject, a_batch_look(at=right - SECOND, tokens=160_000), over.status, right - SECOND)

    assert (over.action, over.status.ready.reason, over.requeue) == (None, Reason.LIMIT_NEAR, MINUTE)
    assert early.action is None
    assert decide(subject, a_batch_look(at=right, tokens=16_002), over.status, right).action is None
    assert decide(subject, a_batch_look(at=right, tokens=160_000), over.status, right).action is not None


def first_cancel(subject: Subject, since: timedelta, tokens: int) -> tuple[timedelta, str | None]:
    """Return when a job that is observed every hour is cancelled, counted from its creation, and because of what."""
    age, status = since, None
    while age < 40 * DAY:
        look = a_batch_look(at=NOW + age, created_at=NOW, tokens=tokens)
        decision = decide(subject, look, status, NOW + age)
        if decision.action is not None:
            return age, decision.action.reason
        age, status = age + HOUR, decision.status
    return age, None


@pytest.mark.parametrize(
    ("since", "tokens", "age", "reason"),
    [
        (26 * HOUR, 21_000, 29 * HOUR, "maxCost 20.00 USD"),
        (28 * HOUR, 21_000, 31 * HOUR, "maxAge 30h"),
        (26 * HOUR, 19_000, 31 * HOUR, "maxAge 30h"),
    ],
)
def test_of_a_cost_and_an_age_the_limit_that_acts_earlier_is_warned_of_and_acts(
    since: timedelta, tokens: int, age: timedelta, reason: str
) -> None:
    assert first_cancel(limited(maxAge="30h", warnBefore="3h"), since, tokens) == (age, reason)


def test_hours_since_the_start_act_only_if_no_pause_is_possible() -> None:
    later = NOW + MINUTE
    for can, is_acting in ((CANNOT_PAUSE, True), (CAN_PAUSE, False)):
        subject = replace(a_subject("running", can, limits={"maxCost": "15 USD"}), prices=(HOURLY,))
        first = decide(subject, a_look(started_at=NOW - 2 * HOUR), None, NOW).status
        second = decide(subject, a_look(at=later, started_at=NOW - 2 * HOUR), first, later)

        assert (second.action is not None) == is_acting
        assert ("maxCost cannot be judged: no lower bound of its cost is known" in first.ready.message) != is_acting


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (limited(price=None), "no price is stated"),
        (replace(limited(), prices=()), "no price for openai"),
        (limited("20 EUR"), "its price is in USD"),
        (limited(price=replace(PRICE, bound=Basis.AT_MOST)), "no lower bound of its cost is known"),
    ],
)
def test_a_cost_limit_that_cannot_be_judged_cancels_nothing_and_is_reported(subject: Subject, why: str) -> None:
    decision = decide(subject, a_batch_look(tokens=10**9), None, NOW)

    assert decision.action is None
    assert decision.status.ready.message == f"running at the provider; its limit maxCost cannot be judged: {why}"
    assert decision.status.has_unjudged_limit


def test_a_job_that_has_not_started_has_no_cost_to_judge() -> None:
    subject = replace(a_subject("running", CANNOT_PAUSE, limits={"maxCost": "15 USD"}), prices=(HOURLY,))

    assert decide(subject, a_look(Phase.QUEUED), None, NOW).status.ready.message == "queued at the provider"


def test_an_observed_job_over_its_cost_is_only_reported() -> None:
    decision = decide(limited(wanted="observed"), a_batch_look(), None, NOW)

    assert (decision.action, decision.status.warning) == (None, None)
    assert decision.status.ready.message == (
        "running at the provider; over maxCost 20.00 USD, which is only reported for an observed job"
    )


def test_a_cancel_for_the_cost_stays_wanted_if_the_price_is_removed_afterwards() -> None:
    first = decide(limited(), a_batch_look(), None, NOW).status
    asked = carried_out(limited(), a_batch_look(at=NOW + MINUTE), first, NOW + MINUTE)
    later = NOW + 2 * MINUTE
    status = decide(limited(price=None), a_batch_look(at=later), asked, later).status
    raised = decide(limited("90 USD"), a_batch_look(at=later), asked, later).status

    assert asked.open_receipt is not None
    assert status.open_receipt == asked.open_receipt
    assert raised.open_receipt is None


def test_a_job_with_a_cost_limit_is_polled_in_every_interval() -> None:
    first = decide(limited("99 USD"), a_batch_look(), None, NOW).status
    later = NOW + DAY

    assert decide(limited("99 USD"), a_batch_look(at=later), first, later).requeue == MINUTE


ABSURD_TOKENS: tuple[Any, ...] = (None, UNSET, -1, 0, 10**18, 10**30, 23_000, 2_300_000, float("nan"), "23000", True)
PRICES: tuple[tuple[Price, ...] | None, ...] = (
    None,
    (),
    (PRICE,),
    (replace(PRICE, currency="EUR"),),
    (replace(PRICE, bound=Basis.AT_MOST),),
    (replace(PRICE, bound=Basis.AT_LEAST),),
    (replace(PRICE, value=Decimal("2000.00")),),
    (replace(PRICE, meter=Meter.HOUR),),
    (replace(PRICE, meter=Meter.REQUESTS),),
    (replace(PRICE, model="another"),),
    (replace(PRICE, document="gpu"),),
    (replace(PRICE, document="openai", may_act=False),),
)
AGES = (timedelta(0), 59 * SECOND, MINUTE, HOUR, -HOUR)
COSTS = (
    None,
    "",
    "NaN",
    "Infinity",
    "-23",
    "0",
    "2.3",
    "2.299999",
    "22.9",
    "23.000000",
    "23.000001",
    "24",
    "x",
    "2300",
)
WORDS = (
    "1000.00 USD per million tokens",
    "2000.00 USD per million tokens",
    "1000.00 USD per million tokens (Provider gpu)",
    None,
)


def may_act(prices: tuple[Price, ...] | None, tokens: Any, warning: LimitWarning | None) -> bool:
    """Return whether the limit of 20 USD may act now, by the rules and in this test's own arithmetic."""
    if not prices or type(tokens) is not int or not 0 <= tokens < 10**18 or warning is None:
        return False
    (price,) = prices
    if (
        price.currency != "USD"
        or price.bound is Basis.AT_MOST
        or price.meter is not Meter.TOKENS
        or price.model != "*"
        or not price.may_act
    ):
        return False
    cost = Fraction(tokens) * Fraction(price.value) / 10**6
    try:
        before = Fraction(warning.cost or "no number")
    except ValueError:
        return False
    is_same = (warning.limit, warning.price) == ("maxCost 20.00 USD", str(price))
    is_plausible = 0 < before <= cost <= 10 * before and cost <= 10**12
    return cost > 20 and is_same and is_plausible and before > 20 and NOW - warning.since >= MINUTE


EVERY = 13
"""An ordinary run makes every such case, and each case in which the limit acts. No list of values has this factor."""


def test_a_cost_limit_acts_in_no_case_of_a_missing_or_absurd_price_quantity_or_earlier_cost(
    pytestconfig: pytest.Config,
) -> None:
    every = 1 if pytestconfig.getoption("--long") else EVERY
    subject, acted, cases = limited(), 0, 0
    warnings = [None] + [
        LimitWarning(limit, NOW - age, cost, price)
        for limit, age, cost, price in product(("maxCost 20.00 USD", "maxCost 2.00 USD"), AGES, COSTS, WORDS)
    ]
    base = decide(subject, a_batch_look(tokens=1), None, NOW - HOUR).status
    for at, (prices, tokens, warning) in enumerate(product(PRICES, ABSURD_TOKENS, warnings)):
        is_acting = may_act(prices, tokens, warning)
        if at % every and not is_acting:
            continue
        look = a_batch_look(tokens=tokens, counts=JobCounts(100, 23, 0))
        # The tokens that the last status knows are kept if the new ones are missing or cannot be read.
        known = replace(base, warning=warning, job=replace(base.job, tokens=None))  # type: ignore[type-var]
        decision = decide(replace(subject, prices=prices), look, known, NOW)
        cases += 1
        acted += decision.action is not None
        assert (decision.action is not None) == is_acting, (prices, tokens, warning)

    assert (acted, cases > 40_000 // every) == (28, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("60", "'60' is not an amount with its currency: write it as 60 USD or 0.50 USD"),
        ("60 usd", "is not an amount with its currency"),
        ("-60 USD", "is not an amount with its currency"),
        ("NaN USD", "is not an amount with its currency"),
        ("1e9 USD", "is not an amount with its currency"),
        ("$60", "is not an amount with its currency"),
        ("0 USD", "must be more than 0"),
    ],
)
def test_a_limit_without_a_plain_amount_and_a_currency_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("$", r"\$")):
        parse_cost_limit(text)


def test_a_cost_is_judged_anew_after_a_change_of_a_price_by_less_than_a_cent() -> None:
    prices = [replace(PRICE, value=Decimal(text)) for text in ("999.0150", "999.0249")]
    first = decide(limited(price=prices[0]), a_batch_look(), None, NOW).status
    later = NOW + MINUTE

    assert decide(limited(price=prices[0]), a_batch_look(at=later), first, later).action is not None
    assert decide(limited(price=prices[1]), a_batch_look(at=later), first, later).action is None
    assert [str(each) for each in prices] == ["999.015 USD per million tokens", "999.0249 USD per million tokens"]
    assert str(parse_cost_limit("0.015 USD")) == "maxCost 0.015 USD"


def test_a_cost_limit_has_one_spelling_in_the_digest_of_its_spec() -> None:
    assert parse_cost_limit("60 USD") == CostLimit(Decimal(60), "USD")
    assert {limited(text).digest for text in ("60 USD", "60.0 USD", "60.00 USD")} == {limited("60 USD").digest}
