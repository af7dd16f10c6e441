"""What a job has cost, by its meter and price, and that plan, page, metrics and JSON have the same sums."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from html import unescape
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.model.capabilities import Capabilities
from reconciler.model.cost import cost_left, cost_so_far, may_have_paused
from reconciler.model.job import JobCounts, Phase
from reconciler.model.kind import BATCH
from reconciler.model.money import Amount, Basis, Cost, Total, Unpriced, render_money, total_of
from reconciler.model.price import Meter, Price, price_for
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.status import ConditionType, HistoryEntry, JobFacts, Verb
from reconciler.telemetry.metrics import Metrics
from reconciler.views.cost_text import total_text
from reconciler.views.job_query import DEFAULT, select
from reconciler.views.json_lines import report_lines
from reconciler.views.layout import Canvas
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import plan_text
from reconciler.views.render_context import RenderContext
from reconciler.views.watch_view import watch_view
from tests.support.page_scene import EAST, MONOTONIC, a_watch
from tests.support.reports import NOW, a_row, with_cancel
from tests.support.subjects import HOUR, a_receipt

FACTS = JobFacts(account="a", id="ftjob-1", created_at=NOW - 3 * HOUR, started_at=NOW - 2 * HOUR)
TERA = 10**18 - 1
PRICES = {meter: Price("openai", "FineTuningJob", "*", meter, Decimal("3.00"), "USD") for meter in Meter}


def so_far(meter: Meter, phase: Phase = Phase.RUNNING, *, can_pause: bool = False, **facts: object) -> Cost:
    job = replace(FACTS, **facts)  # type: ignore[arg-type]  # the facts of a job
    return cost_so_far(PRICES[meter], phase, job, NOW, is_pause_possible=can_pause)


def usd(text: str, basis: Basis) -> Amount:
    return Amount(Decimal(text), "USD", basis)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (so_far(Meter.HOUR), usd("6", Basis.AT_LEAST)),
        (so_far(Meter.HOUR, started_at=NOW - 900 * HOUR), usd("9", Basis.AT_LEAST)),
        (so_far(Meter.HOUR, created_at=None), usd("6", Basis.AT_LEAST)),
        (so_far(Meter.HOUR, can_pause=True), usd("9", Basis.AT_MOST)),
        (so_far(Meter.HOUR, Phase.PAUSED, can_pause=True), usd("9", Basis.AT_MOST)),
        (so_far(Meter.HOUR, Phase.CANCELLED, finished_at=NOW - HOUR), usd("3", Basis.AT_LEAST)),
        (so_far(Meter.TOKENS, trained_tokens=2_000_000), usd("6", Basis.AT_MOST)),
        (so_far(Meter.TOKENS, Phase.CANCELLED, trained_tokens=2_000_000), usd("6", Basis.AT_MOST)),
        (so_far(Meter.TOKENS, Phase.SUCCEEDED, trained_tokens=2_000_000), usd("6", Basis.METERED)),
        (so_far(Meter.TOKENS, tokens=500_000), usd("1.5", Basis.METERED)),
        (so_far(Meter.TOKENS, tokens=0), usd("0", Basis.METERED)),
        (so_far(Meter.REQUESTS, counts=JobCounts(1000, 500, 0)), usd("1.5", Basis.METERED)),
    ],
)
def test_a_cost_is_the_quantity_times_the_price_with_its_basis(found: Cost, expected: Amount) -> None:
    assert found == expected


@pytest.mark.parametrize(
    "found",
    [
        so_far(Meter.HOUR, Phase.QUEUED, started_at=None),
        so_far(Meter.HOUR, Phase.SUCCEEDED),
        so_far(Meter.HOUR, Phase.UNKNOWN),
        so_far(Meter.HOUR, started_at=NOW + HOUR),
        so_far(Meter.HOUR, created_at=NOW + HOUR),
        so_far(Meter.HOUR, started_at=datetime.fromtimestamp(0, NOW.tzinfo)),
        so_far(Meter.HOUR, can_pause=True, created_at=None),
        so_far(Meter.HOUR, can_pause=True, created_at=NOW + HOUR),
        so_far(Meter.TOKENS),
        so_far(Meter.TOKENS, tokens=-1),
        so_far(Meter.TOKENS, tokens=TERA),
        so_far(Meter.REQUESTS),
        so_far(Meter.REQUESTS, counts=JobCounts(1000, None, 0)),
    ],
)
def test_a_cost_that_the_provider_does_not_show_is_unknown_and_never_zero(found: Cost) -> None:
    assert isinstance(found, Unpriced)


@pytest.mark.parametrize(
    ("bound", "basis"),
    [(Basis.METERED, Basis.AT_LEAST), (Basis.AT_LEAST, Basis.AT_LEAST), (Basis.AT_MOST, Basis.ESTIMATE)],
)
def test_a_price_that_is_a_bound_makes_the_amount_one(bound: Basis, basis: Basis) -> None:
    price = replace(PRICES[Meter.HOUR], bound=bound)

    assert cost_so_far(price, Phase.RUNNING, FACTS, NOW, is_pause_possible=False) == usd("6", basis)


@pytest.mark.parametrize(
    ("meter", "facts", "end_at", "expected"),
    [
        (Meter.HOUR, {}, NOW + 4 * HOUR, usd("12", Basis.ESTIMATE)),
        (Meter.REQUESTS, {"counts": JobCounts(1000, 400, 0)}, None, usd("1.8", Basis.AT_MOST)),
        (Meter.TOKENS, {"counts": JobCounts(1000, 250, 0), "tokens": 500_000}, None, usd("4.5", Basis.ESTIMATE)),
    ],
)
def test_what_is_left_is_estimated_from_the_end_or_from_the_part_that_is_done(
    meter: Meter, facts: dict[str, object], end_at: datetime | None, expected: Amount
) -> None:
    job = replace(FACTS, **facts)  # type: ignore[arg-type]  # the facts of a job

    assert cost_left(PRICES[meter], Phase.RUNNING, job, end_at, NOW) == expected
    assert cost_left(PRICES[meter], Phase.CANCELLED, job, end_at, NOW) is None


@pytest.mark.parametrize(
    ("meter", "facts"),
    [
        (Meter.HOUR, {}),
        (Meter.REQUESTS, {"counts": JobCounts(10, 11, 0)}),
        (Meter.TOKENS, {"counts": JobCounts(10, 0, 0), "tokens": 5}),
        (Meter.TOKENS, {"counts": JobCounts(10, 5, 0)}),
        (Meter.TOKENS, {"tokens": 5}),
    ],
)
def test_what_is_left_is_unknown_if_the_provider_does_not_show_it(meter: Meter, facts: dict[str, object]) -> None:
    job = replace(FACTS, **facts)  # type: ignore[arg-type]  # the facts of a job

    assert isinstance(cost_left(PRICES[meter], Phase.RUNNING, job, None, NOW), Unpriced)


def test_a_pause_is_possible_if_the_provider_the_phase_the_history_or_a_receipt_allows_it() -> None:
    cannot, paused = Capabilities(), HistoryEntry(NOW, Phase.PAUSED, Reason.AS_DESIRED)
    ran = HistoryEntry(NOW, Phase.RUNNING, Reason.AS_DESIRED)

    assert not may_have_paused(cannot, Phase.RUNNING, [ran] * 9, [a_receipt(Verb.CANCEL)])
    assert may_have_paused(Capabilities(can_pause=True), Phase.RUNNING, [], [])
    assert may_have_paused(None, Phase.RUNNING, [], [])
    assert may_have_paused(cannot, Phase.PAUSED, [], [])
    assert may_have_paused(cannot, Phase.RUNNING, [ran, paused], [])
    assert may_have_paused(cannot, Phase.RUNNING, [ran] * 10, [])
    assert may_have_paused(cannot, Phase.RUNNING, [], [a_receipt(Verb.PAUSE)])


@pytest.mark.parametrize(
    ("model", "expected"), [("o4-mini-2025", "o4-mini*"), ("o4-mini", "o4-mini"), ("o3", "*"), (None, "*")]
)
def test_the_price_that_names_a_model_most_precisely_applies(model: str | None, expected: str) -> None:
    prices = [replace(PRICES[Meter.HOUR], model=each) for each in ("o4*", "o4-mini*", "*", "o4-mini", "o4-mini-2")]

    found = price_for(prices, "openai", model)

    assert isinstance(found, Price)
    assert found.model == expected


def test_a_model_without_a_price_has_no_price() -> None:
    prices = [replace(PRICES[Meter.HOUR], model="o4-mini*")]

    assert price_for(prices, "openai", "gpt-5") == Unpriced("no price for openai/gpt-5")
    assert price_for(prices, "openai", None) == Unpriced("no price for openai")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "0.00"), ("0.005", "0.0050"), ("0.00005", "0.0000"), ("0.015", "0.02"), ("0.025", "0.02"), ("12", "12.00")],
)
def test_money_has_two_decimals_or_four_below_a_cent_and_is_rounded_half_even(value: str, shown: str) -> None:
    assert render_money(Decimal(value), "USD") == f"{shown} USD"


def test_a_sum_is_exact_and_says_what_is_unknown_and_the_weakest_basis() -> None:
    third = [usd("0.004", Basis.METERED)] * 5

    assert list(map(str, total_of([*third, None]).amounts)) == ["0.02 USD"]
    assert total_of([usd("1", Basis.METERED), usd("1", Basis.AT_MOST), Unpriced("x")]) == Total(
        (usd("2", Basis.AT_MOST),), 1
    )
    assert total_of([usd("1", Basis.AT_LEAST), usd("1", Basis.AT_MOST)]).amounts == (usd("2", Basis.ESTIMATE),)
    assert total_of([Unpriced("x"), Unpriced("y"), None]) == Total((), 2)


def test_amounts_in_two_currencies_are_never_added() -> None:
    euros = Amount(Decimal(5), "EUR", Basis.METERED)
    total = total_of([usd("1", Basis.AT_MOST), euros, usd("2", Basis.AT_MOST), Unpriced("x")])

    assert total_text(total) == "5.00 EUR, at most 3.00 USD, and 1 unknown"


def test_the_page_sorts_costs_within_each_currency() -> None:
    pairs = ((9, "EUR"), (1, "USD"), (2, "EUR"))
    amounts = [Amount(Decimal(value), currency, Basis.METERED) for value, currency in pairs]
    rows = [a_row(f"job-{number}") for number in range(3)]
    lines = [replace(each, cost=cost) for each, cost in zip(watch_view(a_watch(rows)).lines, amounts, strict=True)]

    ordered = select(lines, replace(DEFAULT, sort="cost")).lines

    assert [line.cost for line in ordered] == [amounts[2], amounts[0], amounts[1]]


def many_rows(random: Random) -> tuple[list[Row], Fraction, int]:
    """Return the rows of jobs that are due to be cancelled, what they have cost, and how many costs are unknown."""
    rows, cost, unknown, at = [], Fraction(0), 0, NOW - timedelta(seconds=12)
    for number in range(300):
        cents = random.randint(1, 99_999)
        row = with_cancel(a_row(f"job-{number}", account=EAST, also=ConditionType.RECONCILING))
        assert row.status.job is not None
        meter = random.choice(list(Meter))
        price: Price | Unpriced = Price("openai", "FineTuningJob", "*", meter, Decimal(cents) / 100, "USD")
        counts = JobCounts(10_000, random.randint(0, 10_000), 0)
        job = replace(row.status.job, tokens=random.randint(0, 10**9), counts=counts)
        quantity = {
            Meter.HOUR: Fraction(int((at - (job.created_at or NOW)).total_seconds()), 3600),
            Meter.TOKENS: Fraction(job.tokens or 0, 10**6),
            Meter.REQUESTS: Fraction(counts.done or 0, 1000),
        }
        if random.random() < 0.1:
            price, unknown = Unpriced("no price"), unknown + 1
        else:
            cost += quantity[meter] * Fraction(cents, 100)
        rows.append(replace(row, price=price, status=replace(row.status, job=job, kind=BATCH)))
    return rows, cost, unknown


@pytest.mark.parametrize("seed", range(5))
def test_the_sums_of_plan_page_metrics_and_json_agree_to_the_cent_with_the_sum_of_the_test(seed: int) -> None:
    rows, cost, unknown = many_rows(Random(seed))  # noqa: S311  a repeatable choice of examples
    watch = a_watch(rows)
    at = watch.finished_at or NOW
    cents = f"{round(cost * 100) // 100}.{round(cost * 100) % 100:02}"

    plan = plan_text(Report(rows=tuple(rows)), RenderContext(Canvas(200), at))
    comment = plan_markdown(Report(rows=tuple(rows)), RenderContext(Canvas(), at))
    page = unescape(overview_page(watch_view(watch), [], Frame(NOW, MONOTONIC, "1", "/page.css", "/page.js")))
    text, _ = Metrics(lambda: watch, lambda: NOW).text()
    samples = [s for f in text_string_to_metric_families(text.decode()) for s in f.samples]
    lines = map(json.loads, report_lines(Report(rows=tuple(rows)), RenderContext(Canvas(), at)).splitlines())
    spent = [line["change"]["resource"]["cost"]["spent"] for line in lines if line["type"] == "planned_change"]

    assert f"Cost of the jobs to cancel: at most {cents} USD, and {unknown} unknown so far;" in " ".join(plan.split())
    assert f"Cost of the jobs to cancel: at most {cents} USD, and {unknown} unknown so far;" in comment
    (on_page,) = re.findall(r"Cost so far: at most ([0-9.]+) USD, and ([0-9]+) unknown", page)
    assert on_page == (cents, str(unknown))
    assert f"{sum(s.value for s in samples if s.name == 'reconcile_job_cost'):.2f}" == cents
    assert sum(s.name == "reconcile_job_cost_unknown" for s in samples) == unknown
    assert f"{sum(Decimal(each['amount']) for each in spent if 'amount' in each):.2f}" == cents
    assert sum("unknown" in each for each in spent) == unknown
