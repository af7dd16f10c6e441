"""Prices in Provider documents: which jobs they apply to, what they may cause, and where they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from html import unescape
from itertools import product
from typing import Any

import pytest

from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.spec_resolver import resolve
from reconciler.core.cancel_cost import sunk_cost
from reconciler.core.cost_limit import judged_cost
from reconciler.core.limit_warning import UnfinishedJob
from reconciler.core.subject import Subject
from reconciler.formats.spec_parser import read_documents
from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.job import Phase
from reconciler.model.money import Amount, Basis, RecordedAmount, Unpriced
from reconciler.model.price import Meter, Price, price_for
from reconciler.model.report import Report
from reconciler.model.status import Outcome, Verb
from reconciler.ports import Snapshot
from reconciler.telemetry.metrics import Metrics
from reconciler.views.cost_text import cost_json, cost_text, saved_text
from reconciler.views.layout import Canvas
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import plan_text
from reconciler.views.render_context import RenderContext
from reconciler.views.status_table import get_wide
from reconciler.views.watch_view import watch_view
from tests.support.build import NOW as THEN
from tests.support.build import a_spec, a_status
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.page_scene import EAST, MONOTONIC, a_watch
from tests.support.reports import NOW, a_row, with_cancel
from tests.support.subjects import CANNOT_PAUSE, HOUR, a_past, a_receipt, a_subject

HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("3.00"), "USD")
DECLARED = replace(HOURLY, value=Decimal("5.00"), document="gpu")
LISTED: dict[str, Any] = {"currency": "USD", "list": [{"kind": "FineTuningJob", "perHour": "5"}]}


def prices(operator: Sequence[Price] | None, *names: str, prices_of: Sequence[str] = ("gpu",)) -> dict[str, Any]:
    """Return the prices of specs that name these providers; the documents in `prices_of` state `LISTED`."""
    documents = tuple(
        located(
            a_provider(name, options={"project": name}, prices=LISTED if name in prices_of else None), f"{name}.yaml"
        )
        for name in ("gpu", "other")
    )
    jobs = tuple(
        located(a_spec(f"job-{number}", provider=name, jobId=f"ftjob-{number}")) for number, name in enumerate(names)
    )
    listed = None if operator is None else tuple(operator)
    found = resolve(Snapshot(jobs=jobs, providers=documents), Operator(listed=listed), is_suspended=False)
    return {
        each.document.document.spec.provider: each.subject.prices
        for each in found.candidates
        if each.document and each.subject
    }


# Which price applies


def test_a_price_in_a_document_applies_only_to_jobs_whose_specs_name_the_document() -> None:
    assert prices(None, "gpu", "other", "openai") == {"gpu": (DECLARED,), "other": (), "openai": ()}
    assert prices(None, "gpu", "other", prices_of=()) == {"gpu": None, "other": None}


def test_a_price_of_the_operator_applies_first_even_if_it_names_the_model_less_precisely() -> None:
    found = prices([HOURLY], "gpu", "other")
    exact = replace(DECLARED, model="gpt-5")

    assert found == {"gpu": (HOURLY, DECLARED), "other": (HOURLY,)}
    assert price_for((exact, HOURLY), "openai", "gpt-5") == HOURLY
    assert price_for((exact, replace(HOURLY, model="o4*")), "openai", "gpt-5") == exact


def test_a_change_of_the_prices_in_a_document_reaches_the_unchanged_specs_of_the_next_pass() -> None:
    known, job = ResolutionCache(), located(a_spec(provider="gpu"))
    dearer: dict[str, Any] = {**LISTED, "list": [{"kind": "FineTuningJob", "perHour": "7"}]}
    found = []
    for listed in (LISTED, dearer, None):
        snapshot = Snapshot(jobs=(job,), providers=(located(a_provider("gpu", prices=listed)),))
        (one,) = resolve(snapshot, Operator(), is_suspended=False, known=known).candidates
        assert one.subject is not None
        found.append(one.subject.prices)

    assert found == [(DECLARED,), (replace(DECLARED, value=Decimal(7)),), None]


def test_the_price_of_a_document_with_the_name_of_a_type_may_not_act() -> None:
    document = located(a_provider("openai", prices=LISTED))
    snapshot = Snapshot(jobs=(located(a_spec(provider="openai")),), providers=(document,))
    (found,) = resolve(snapshot, Operator(), is_suspended=False).candidates

    assert found.subject is not None
    assert found.subject.prices == (replace(DECLARED, document="openai", may_act=False),)


MISTAKES = [
    (
        "{currency: usd, list: []}",
        7,
        "prices.currency: 'usd' is not the code of a currency, such as USD: did you mean USD?",
    ),
    ("{list: []}", 7, "prices.currency: this field is required"),
    ("{currency: USD}", 7, "prices.list: this field is required"),
    (
        "\n    currency: USD\n    list:\n    - {kind: Batch, perHour: 3}",
        10,
        "prices.list[0].kind: 'Batch' is not one of",
    ),
    ("{currency: USD, list: [{kind: FineTuningJob, perHour: -3}]}", 7, "prices.list[0].perHour: '-3' is not an amount"),
    ("{currency: USD, list: [{kind: FineTuningJob, perHour: 0}]}", 7, "prices.list[0]: perHour: 0 is not plausible"),
    ("{currency: USD, list: [{kind: FineTuningJob}]}", 7, "prices.list[0]: must have exactly one of perHour"),
    (
        "{currency: USD, list: [{provider: openai, kind: FineTuningJob, perHour: 3}]}",
        7,
        "prices.list[0].provider: unknown key; valid here: kind, model, perHour",
    ),
    (
        (
            "\n    currency: USD\n    list:\n    - {kind: FineTuningJob, perHour: 3}\n"
            "    - {kind: BatchJob, perHour: 3}\n    - {kind: FineTuningJob, perMillionTokens: 3}"
        ),
        12,
        "prices.list[2]: this price is for the same jobs as spec.prices.list[0]: remove one of the two",
    ),
]


@pytest.mark.parametrize(("text", "line", "said"), MISTAKES)
def test_a_mistake_in_a_price_is_reported_at_its_line_and_the_document_is_not_used(
    text: str, line: int, said: str
) -> None:
    document = (
        "\napiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {name: gpu}\nspec:\n  type: openai\n"
        f"  prices: {text}\n"
    )
    found = read_documents(document.encode(), file="gpu.yaml", shown="specs/gpu.yaml")

    assert found.broken_providers == {"gpu"}
    (diagnostic,) = found.diagnostics
    assert str(diagnostic).startswith(f"specs/gpu.yaml:{line}: spec.{said}")


# What it may cause


def priced(*listed: Price) -> Subject:
    return replace(a_subject("running", CANNOT_PAUSE, limits={"maxCost": "20 USD"}), prices=listed)


def judged(subject: Subject) -> str | None:
    """Return why the limit of a job that has run for five hours cannot be judged, or its cost."""
    past = a_past(subject).job
    assert past is not None
    facts = replace(past, created_at=THEN - 5 * HOUR, started_at=THEN - 5 * HOUR)
    found = judged_cost(subject, UnfinishedJob(facts, Phase.RUNNING, THEN, THEN, may_have_started=True), None)
    assert found is not None
    return found.unjudged or f"{found.amount} at {found.price}"


def test_max_cost_acts_on_the_price_of_the_named_document_unless_the_name_is_that_of_a_type() -> None:
    assert judged(priced(DECLARED)) == "at least 25.00 USD at 5.00 USD per hour (Provider gpu)"
    assert judged(priced(HOURLY, DECLARED)) == "at least 15.00 USD at 3.00 USD per hour"
    assert judged(priced(replace(DECLARED, document="openai", may_act=False))) == (
        "openai is also the name of a provider type, so its price only shows costs: rename the Provider document"
    )


STATED = (HOURLY, replace(HOURLY, model="gpt-4*"), replace(HOURLY, model="another"), replace(HOURLY, currency="EUR"))
OF_DOCUMENTS = [
    replace(DECLARED, value=value, bound=bound, currency=currency, may_act=may_act, meter=meter, model=model)
    for value, bound, currency, may_act, meter, model in product(
        (Decimal("0.001"), Decimal(1_000_000)),
        (Basis.METERED, Basis.AT_LEAST, Basis.AT_MOST),
        ("USD", "EUR"),
        (True, False),
        Meter,
        ("*", "gpt-4o-mini-2024-07-18"),
    )
]


@pytest.mark.parametrize("stated", [(), *((each,) for each in STATED)])
@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_no_price_in_a_document_changes_what_the_guard_counts(stated: tuple[Price, ...], phase: Phase) -> None:
    """A committer can neither lower nor raise the sunk cost of a cancel, nor make an unknown one known."""
    subject = priced()
    past = a_past(subject)
    assert past.job is not None
    facts = replace(past.job, created_at=THEN - HOUR, started_at=None if phase is Phase.QUEUED else THEN - HOUR)
    status = replace(past, phase=phase, job=facts)

    def counted(*listed: Price) -> Amount | str:
        cost = sunk_cost(replace(subject, prices=listed), Verb.CANCEL, status, None, THEN)
        return cost if isinstance(cost, Amount) else "unknown"

    alone = counted(*stated)
    assert all(counted(*stated, each) == counted(each, *stated) == alone for each in OF_DOCUMENTS)


def test_the_guard_says_that_a_price_is_only_in_a_document() -> None:
    subject = priced(DECLARED)

    assert sunk_cost(subject, Verb.CANCEL, a_past(subject), None, THEN) == Unpriced(
        "its price is in the Provider document gpu, not in the operator's file"
    )


# Where it is shown


def test_a_receipt_records_the_document_with_what_was_not_spent_and_a_total_counts_it() -> None:
    of_document = RecordedAmount("9.000000", "USD", Basis.ESTIMATE, "gpu")
    receipts = [
        replace(a_receipt(confirmed_at=THEN), outcome=Outcome.CANCELLED, not_spent=each)
        for each in (of_document, replace(of_document, document=None))
    ]
    text = render_status(replace(a_status(), receipts=tuple(receipts)))

    assert text.count("      document: gpu\n") == 1
    assert parse_status(text).receipts == tuple(receipts)
    assert saved_text(receipts) == (
        "about 18.00 USD (1 at prices in Provider documents), as estimated when the cancels were requested"
    )
    assert isinstance(replace(of_document, document="<b>").cost, Unpriced)


def test_plan_page_table_json_and_metrics_name_the_document() -> None:
    row = replace(with_cancel(a_row("job", account=EAST)), price=DECLARED, capabilities=CANNOT_PAUSE)
    other = replace(with_cancel(a_row("other", account=EAST)), price=HOURLY, capabilities=CANNOT_PAUSE)
    rows = (row, other)
    watch = a_watch([*rows])
    at = watch.finished_at or NOW

    plan = " ".join(plan_text(Report(rows=rows), RenderContext(Canvas(200), at)).split())
    comment = plan_markdown(Report(rows=rows), RenderContext(Canvas(), at))
    wide = get_wide(Report(rows=rows), RenderContext(Canvas(400), at))
    page = unescape(overview_page(watch_view(watch), [], Frame(NOW, MONOTONIC, "1", "/page.css", "/page.js")))
    scraped, _ = Metrics(lambda: watch, lambda: NOW).text()

    assert "at 5.00 USD per hour (Provider gpu)" in plan
    for each in (plan, comment, page):
        assert "USD (1 at prices in Provider documents)" in each
    for text in (comment, wide, page):
        assert " USD (Provider gpu)" in text
    assert cost_json(row, at)["cost"]["spent"]["document"] == "gpu"
    assert "document" not in cost_json(other, at)["cost"]["spent"]
    assert "(Provider gpu)" in str(cost_text(row, at))
    assert 'document="gpu",name="job"' in scraped.decode()
    assert 'document="",name="other"' in scraped.decode()
