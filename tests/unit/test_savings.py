"""The spending that cancels prevented: recorded with the request, and counted once the cancel is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest

from reconciler.core.receipts import intend
from reconciler.core.savings import not_spent
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.job import JobCounts, Phase
from reconciler.model.money import Amount, Basis, RecordedAmount, Unpriced
from reconciler.model.price import Meter, Price
from reconciler.model.report import Report
from reconciler.model.status import Outcome, Receipt, Verb
from reconciler.telemetry.metrics import Metrics
from reconciler.views.cost_text import saved_text
from reconciler.views.events_text import EventList, events_of, events_text, saved_since
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.watch_view import watch_view
from tests.support.build import NOW, a_status
from tests.support.page_scene import MONOTONIC, a_cancelled_job, a_watch
from tests.support.reports import CONTEXT
from tests.support.reports import NOW as PAGE_NOW
from tests.support.subjects import HOUR, a_batch_look, a_past, a_receipt, a_subject
from tests.unit.test_receipts import an_action

HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("8.24"), "USD")
SAVED = RecordedAmount("32.960000", "USD", Basis.ESTIMATE)


def cancelled(receipt: Receipt, saved: RecordedAmount | None, outcome: Outcome = Outcome.CANCELLED) -> Receipt:
    return replace(receipt, outcome=outcome, not_spent=saved)


def test_a_cancel_saves_the_hours_until_the_expected_end_at_their_price() -> None:
    subject = replace(a_subject(), prices=(HOURLY,))
    status = a_past(subject)
    seen = a_batch_look().job
    assert seen is not None
    ends = replace(seen, estimated_finish_at=NOW + 4 * HOUR)

    assert not_spent(subject, Verb.CANCEL, status, ends, NOW) == SAVED
    assert not_spent(subject, Verb.PAUSE, status, ends, NOW) is None
    assert not_spent(subject, Verb.CANCEL, status, seen, NOW) is None
    assert not_spent(subject, Verb.CANCEL, status, None, NOW) is None
    assert not_spent(replace(subject, prices=()), Verb.CANCEL, status, ends, NOW) is None
    assert not_spent(replace(subject, prices=None), Verb.CANCEL, status, ends, NOW) is None
    assert not_spent(subject, Verb.CANCEL, replace(status, phase=Phase.SUCCEEDED), ends, NOW) is None


def test_only_the_first_attempt_records_what_is_not_spent_and_a_status_keeps_it() -> None:
    first = intend(a_past(a_subject()), an_action(), None, None, NOW, SAVED)
    again = intend(
        first, an_action(is_first_attempt=False), None, None, NOW + HOUR, RecordedAmount("1", "USD", Basis.ESTIMATE)
    )
    text = render_status(replace(a_status(), receipts=again.receipts))

    assert [each.not_spent for each in again.receipts] == [SAVED]
    assert "    notSpent:\n      amount: '32.960000'\n      currency: USD\n      basis: estimate\n" in text
    assert parse_status(text).receipts == again.receipts


@pytest.mark.parametrize("digits", ["", "x", "NaN", "-1", "1e9", "1" * 14, "1.0000001", "\u0661"])
def test_an_edited_amount_that_is_not_one_is_unknown(digits: str) -> None:
    assert isinstance(RecordedAmount(digits, "USD", Basis.ESTIMATE).cost, Unpriced)


@pytest.mark.parametrize("currency", ["", "usd", "US", "USD ", "\u202eDSU", "USD" * 1000])
def test_an_edited_amount_in_what_is_no_currency_is_unknown(currency: str) -> None:
    assert isinstance(RecordedAmount("1", currency, Basis.ESTIMATE).cost, Unpriced)


def test_what_was_not_spent_in_two_currencies_is_not_added() -> None:
    """The operator has changed the currency of the prices."""
    euros = RecordedAmount("5.00", "EUR", Basis.ESTIMATE)
    receipts = [cancelled(a_receipt(confirmed_at=NOW), each) for each in (SAVED, euros, SAVED)]

    assert saved_text(receipts) == "about 5.00 EUR, about 65.92 USD, as estimated when the cancels were requested"


def test_a_recorded_amount_is_the_amount_with_six_decimals() -> None:
    amount = Amount(Decimal("1.23456789"), "USD", Basis.AT_MOST)

    assert RecordedAmount.of(amount).cost == Amount(Decimal("1.234568"), "USD", Basis.AT_MOST)


@pytest.mark.parametrize(
    ("outcome", "verb", "is_counted"),
    [
        (Outcome.CANCELLED, Verb.CANCEL, True),
        (Outcome.GONE, Verb.CANCEL, True),
        (Outcome.SUCCEEDED, Verb.CANCEL, False),
        (Outcome.FAILED, Verb.CANCEL, False),
        (Outcome.WITHDRAWN, Verb.CANCEL, False),
        (None, Verb.CANCEL, False),
        (Outcome.PAUSED, Verb.PAUSE, False),
    ],
)
def test_only_a_confirmed_cancel_that_took_effect_counts(outcome: Outcome | None, verb: Verb, is_counted: bool) -> None:  # noqa: FBT001  a column of the table
    receipt = a_receipt(verb, outcome=outcome, confirmed_at=NOW)

    assert receipt.has_cancelled == is_counted
    assert not replace(receipt, confirmed_at=None).has_cancelled


def test_page_events_and_metrics_show_the_same_sum_and_how_many_are_unknown() -> None:
    rows = []
    for number, saved in enumerate([SAVED, RecordedAmount("0.044", "USD", Basis.ESTIMATE), None]):
        row = a_cancelled_job(f"job-{number}")
        receipts = tuple(cancelled(each, saved) for each in row.status.receipts)
        status = replace(row.status, receipts=receipts)
        rows.append(replace(row, status=status, before=replace(status, receipts=())))
    watch = a_watch(rows)
    recorded = [replace(row, before=row.status) for row in rows]
    metrics = Metrics(lambda: watch, lambda: NOW)
    metrics.count_pass(Report(rows=tuple(rows)), 0.1, [])
    labels = {"currency": "USD", "basis": "estimate", "priced_by": "operator"}

    page = unescape(overview_page(watch_view(watch), [], Frame(PAGE_NOW, MONOTONIC, "1", "/page.css", "/page.js")))
    text = events_text(EventList(events_of(recorded), saved=saved_since(recorded)), CONTEXT)

    sentence = "about 33.00 USD, and 1 unknown, as estimated when the cancels were requested."
    assert f"Not spent: {sentence}" in page
    assert f"Not spent because of these cancels: {sentence}" in text
    assert "the job was observed cancelled; about 32.96 USD not spent" in text
    assert metrics.registry.get_sample_value("reconcile_saved_cost_total", labels) == pytest.approx(33.004)
    assert saved_since(recorded, PAGE_NOW + timedelta(days=1)) is None


def test_without_a_known_amount_nothing_is_said() -> None:
    row = a_cancelled_job("one")
    recorded = replace(row, before=row.status)

    assert saved_since([recorded]) is None
    assert "Not spent" not in overview_page(
        watch_view(a_watch([row])), [], Frame(PAGE_NOW, MONOTONIC, "1", "/page.css", "/page.js")
    )


def test_a_limit_of_the_requests_of_a_batch_saves_at_most_the_rest() -> None:
    price = Price("openai", "FineTuningJob", "*", Meter.REQUESTS, Decimal("2.00"), "USD")
    subject = replace(a_subject(), prices=(price,))
    status = a_past(subject, counts=JobCounts(1000, 250, 0))

    assert not_spent(subject, Verb.CANCEL, status, None, NOW) == RecordedAmount("1.500000", "USD", Basis.AT_MOST)
