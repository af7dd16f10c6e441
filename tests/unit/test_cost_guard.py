"""The guard's limit on the sunk cost of cancels: which cancels it refuses, and what it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.cancel_cost import recorded, sunk_cost
from reconciler.core.change_budget import ChangeBudget, Judged
from reconciler.core.guard import Approvals, ChangeLimits
from reconciler.core.past_attempts import PastAttempts, PlannedChange
from reconciler.core.scope import AccountMap, ScopedLimits
from reconciler.model.job import Account, CredentialScope, JobRef, Phase
from reconciler.model.journal import Requested
from reconciler.model.money import Amount, Basis, Cost, RecordedAmount, Unpriced
from reconciler.model.price import Meter, Price
from reconciler.model.report import Report
from reconciler.model.status import JobFacts, JobStatus, Outcome, RememberedAttempt, Verb
from reconciler.model.sunk_cost import SunkCostLimit
from reconciler.telemetry.metrics import Metrics
from reconciler.views.accounts_page import accounts_page
from reconciler.views.layout import Canvas
from reconciler.views.page_layout import Frame
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import plan_text
from reconciler.views.refusals_markdown import refusal_lines
from reconciler.views.render_context import RenderContext
from reconciler.views.watch_view import watch_view
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.page_scene import MONOTONIC, a_watch
from tests.support.reports import NOW as PAGE_NOW
from tests.support.reports import a_row, with_cancel
from tests.support.subjects import DAY, HOUR, MINUTE, a_past, a_receipt, a_subject

MANY = ChangeLimits(1000, 100, 1000)
NO_PRICE = Unpriced("no price for openai/gpt-5")
OTHER = Account("openai", "https://api.openai.com/v1", (("project", "p0"),))
KEY = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")
ACCOUNT_MAP = AccountMap({str(ACCOUNT): KEY, str(OTHER): KEY})


def usd(value: object, basis: Basis = Basis.AT_MOST) -> Amount:
    return Amount(Decimal(str(value)), "USD", basis)


def limited(value: object, *, ignores_unknown: bool = False) -> ScopedLimits:
    limit = SunkCostLimit(Decimal(str(value)), "USD", ignores_unknown)
    return ScopedLimits(replace(MANY, sunk_cost=limit))


def cancel(name: str, cost: Cost | None, account: Account = ACCOUNT, **rest: Any) -> PlannedChange:
    usual = {"verb": Verb.CANCEL, "is_first": True, "is_unfinished": True, "sunk_cost": cost}
    return PlannedChange(name, JobRef(account, f"ftjob-{name}"), **{**usual, **rest})


def cancels(costs: Iterable[Cost], account: Account = ACCOUNT) -> list[PlannedChange]:
    return [cancel(f"job-{number}", cost, account) for number, cost in enumerate(costs)]


def budget(limit: object = 500, **rest: Any) -> ChangeBudget:
    ignores = bool(rest.pop("ignores_unknown", False))
    past = replace(rest.pop("past", PastAttempts()), currency="USD")
    return ChangeBudget(limited(limit, ignores_unknown=ignores), past=past, account_map=ACCOUNT_MAP, **rest)


def judged(changes: Iterable[PlannedChange], given_budget: ChangeBudget | None = None) -> Judged:
    return (given_budget or budget()).judge(str(ACCOUNT), list(changes), NOW)


def asked(name: str, cost: Cost | None, age: timedelta = MINUTE, **rest: Any) -> Requested:
    """Return a journal entry of a cancel."""
    usual = {"name": name, "account": str(ACCOUNT), "job_id": f"ftjob-{name}", "verb": Verb.CANCEL}
    at = NOW - age
    return Requested(**{**usual, "at": at, "receipt_at": at, "sunk_cost": recorded(cost), **rest})


def told(name: str, cost: Cost | None, age: timedelta = MINUTE, **rest: Any) -> JobStatus:
    """Return a status with the receipt of a completed cancel."""
    facts = JobFacts(account=str(ACCOUNT), id=f"ftjob-{name}", provider_status="cancelled")
    receipt = a_receipt(age=age, outcome=Outcome.CANCELLED, sunk_cost=recorded(cost), **rest)
    return replace(a_status(name), job=facts, receipts=(receipt,))


# What is refused.


@pytest.mark.parametrize(("costs", "is_refused"), [((250, 250), False), ((250, "250.000001"), True), ((500,), False)])
def test_a_batch_may_use_up_the_limit_and_not_more(costs: tuple[object, ...], *, is_refused: bool) -> None:
    verdict = judged(cancels(map(usd, costs)))

    assert bool(verdict.refused) == is_refused
    assert len(verdict.refused) in {0, len(costs)}


def test_the_message_of_a_refused_batch_states_the_amounts_and_the_limit() -> None:
    one = budget(past=PastAttempts(journal=(asked("past", usd("120.5")),)))

    (refusal,) = judged(cancels([usd(300), usd("99.999")]), one).refusals

    assert str(refusal) == (
        "2 cancels wanted at once, of jobs that cost at most 400.00 USD, besides at most 120.50 USD of those "
        f"cancelled within the last hour ({ACCOUNT}); the limit is maxCancelsCost 500.00 USD per hour"
    )


def test_a_cancel_with_an_unknown_cost_is_refused_alone() -> None:
    verdict = judged([cancel("known", usd(10)), cancel("unknown", NO_PRICE)])

    assert verdict.refused == {"unknown"}
    assert str(verdict.refusals[0]) == (
        f"1 cancel wanted ({ACCOUNT}), of a job whose cost is unknown (no price for openai/gpt-5): "
        "maxCancelsCost 500.00 USD per hour cannot be checked"
    )


@pytest.mark.parametrize(
    ("cost", "why"),
    [
        (usd(1, Basis.AT_LEAST), "no upper bound is known"),
        (usd(1, Basis.ESTIMATE), "no upper bound is known"),
        (replace(usd(1), currency="EUR"), "the price is in EUR"),
    ],
)
def test_a_cost_without_an_upper_bound_in_the_currency_of_the_limit_is_unknown(cost: Cost, why: str) -> None:
    (refusal,) = judged([cancel("x", cost)]).refusals

    assert f"whose cost is unknown ({why}): " in str(refusal)


def test_a_cancel_that_alone_exceeds_the_limit_does_not_hold_up_the_others() -> None:
    verdict = judged([cancel("large", usd("500.01")), cancel("small", usd(499))])

    assert verdict.refused == {"large"}
    assert str(verdict.refusals[0]) == (
        f"1 cancel wanted ({ACCOUNT}), of a job that has cost more than the limit: at most 500.01 USD; "
        "the limit is maxCancelsCost 500.00 USD per hour"
    )


def test_changes_that_lose_no_money_are_never_refused_because_of_costs() -> None:
    others = [
        cancel("queued", usd(0, Basis.METERED)),
        cancel("pause", None, verb=Verb.PAUSE),
        cancel("resume", None, verb=Verb.RESUME),
    ]
    past = PastAttempts(journal=(asked("past", None),))

    assert judged([*others, *cancels([usd(300), usd(300)])]).refused == {"job-0", "job-1"}
    assert judged([*others, *cancels([usd(1)])], budget(past=past)).refused == {"job-0"}


def test_the_number_of_changes_is_limited_as_well() -> None:
    limits = ScopedLimits(ChangeLimits(1, 0, 1, SunkCostLimit(Decimal(500), "USD")))
    verdict = judged(cancels([usd(1), usd(1)]), ChangeBudget(limits, account_map=ACCOUNT_MAP))

    assert verdict.refused == {"job-0", "job-1"}
    assert [each.cost for each in verdict.refusals] == [None]


def test_unknown_costs_are_not_limited_if_the_operator_ignores_them() -> None:
    past = PastAttempts(journal=(asked("past", None), asked("known", usd(300))))
    changes = [cancel("unknown", NO_PRICE), *cancels([usd(100), usd(100)])]
    lax = budget(past=past, ignores_unknown=True)

    assert judged(changes, lax).refused == set()
    assert judged([cancel("one-more", usd(1))], lax).refused == {"one-more"}


def test_an_approval_allows_every_cost_and_is_not_counted() -> None:
    one = budget(approvals=Approvals(names=frozenset({"large", "unknown"})))
    verdict = judged([cancel("large", usd(10_000)), cancel("unknown", NO_PRICE), cancel("small", usd(500))], one)

    assert verdict.refused == set()
    assert judged([cancel("next", usd("0.01"))], one).refused == {"next"}


def test_a_refused_batch_does_not_pass_in_parts() -> None:
    one = budget()
    judged(cancels([usd(300), usd(300)]), one)
    pending = replace(cancel("job-1", None), verb=None, is_unfinished=None)
    verdict = judged([cancel("job-0", usd(300)), pending], one)

    assert verdict.refused == {"job-0"}
    assert verdict.refusals[0].names == ("job-0", "job-1")


def test_the_limit_of_a_credential_counts_all_of_its_accounts() -> None:
    strict = replace(MANY, sunk_cost=SunkCostLimit(Decimal(100), "USD"))
    one = ChangeBudget(ScopedLimits(MANY, credentials={"OPENAI_API_KEY": strict}), account_map=ACCOUNT_MAP)

    assert one.judge(str(OTHER), [cancel("a", usd(60), OTHER)], NOW).refused == set()
    assert one.judge(str(ACCOUNT), [cancel("b", usd(60))], NOW).refused == {"b"}


def test_a_provisional_verdict_refuses_everything_and_records_nothing() -> None:
    one = budget()
    verdict = one.judge(str(ACCOUNT), [cancel("unknown", NO_PRICE), cancel("known", usd(1))], NOW, is_provisional=True)

    assert verdict.refused == {"unknown", "known"}
    assert not one.standing
    assert not one.uses(NOW)[str(ACCOUNT)].sunk_cost.known


# What is counted.


@pytest.mark.parametrize("where", ["journal", "status", "both", "a dropped receipt", "an older version"])
def test_the_cost_of_an_earlier_cancel_is_counted_once_wherever_it_is_recorded(where: str) -> None:
    remembered = RememberedAttempt(str(ACCOUNT), NOW - MINUTE, sunk_cost=recorded(usd(450)))
    past = {
        "journal": PastAttempts(journal=(asked("past", usd(450)),)),
        "status": PastAttempts((told("past", usd(450)),)),
        "both": PastAttempts((told("past", usd(450)),), (asked("past", usd(450)),)),
        "a dropped receipt": PastAttempts((replace(told("past", None), receipts=(), spent=(remembered,)),)),
        "an older version": PastAttempts((), (), (told("past", usd(450)),)),
    }[where]

    assert judged(cancels([usd(50)]), budget(past=past)).refused == set()
    assert judged(cancels([usd("50.01")]), budget(past=past)).refused == {"job-0"}


@pytest.mark.parametrize("cost", [usd(1), usd(450, Basis.AT_LEAST), None], ids=["lower", "uncertain", "removed"])
def test_a_cost_that_was_edited_in_a_status_does_not_count_if_the_journal_has_it(cost: Cost | None) -> None:
    past = PastAttempts((told("past", cost),), (asked("past", usd(450)),))

    assert judged(cancels([usd(50)]), budget(past=past)).refused == set()
    assert judged(cancels([usd(51)]), budget(past=past)).refused == {"job-0"}


def test_after_an_upgrade_no_cost_is_allowed_until_the_unknown_ones_are_an_hour_old() -> None:
    recent, old = (PastAttempts((told("past", None, age=age),)) for age in (59 * MINUTE, 60 * MINUTE))
    (refusal,) = judged(cancels([usd(1)]), budget(past=recent)).refusals

    assert "what was cancelled within the last hour had an unknown cost (0.00 USD, and 1 unknown)" in str(refusal)
    assert judged(cancels([usd(1)]), budget(past=old)).refused == set()


def test_pauses_and_resumes_of_the_last_hour_have_no_sunk_cost() -> None:
    dropped = RememberedAttempt(str(ACCOUNT), NOW - MINUTE, verb=Verb.RESUME)
    past = PastAttempts((replace(told("x", None, verb=Verb.PAUSE), spent=(dropped,)),))

    assert judged(cancels([usd(500)]), budget(past=past)).refused == set()


def test_a_forged_approval_of_an_open_receipt_does_not_reduce_what_others_have_cost() -> None:
    forged = a_receipt(age=MINUTE, sunk_cost=recorded(usd(400)), approved_by="--allow-cancel")
    change = cancel("forged", usd(50), receipts=(forged,), is_first=False)
    past = PastAttempts((told("past", usd(480)),))
    verdict = judged([change], budget(past=past))

    assert forged.requested_at == past.statuses[0].receipts[0].requested_at
    assert verdict.refused == {"forged"}


# A sequence of passes, against a model.

AMOUNTS = st.decimals("0", "60", places=2)
CHANGES = st.one_of(AMOUNTS.map(usd), st.just(NO_PRICE), AMOUNTS.map(lambda value: usd(value, Basis.AT_LEAST)))
PASSES = st.lists(st.tuples(st.sampled_from([1, 20, 61]), st.lists(CHANGES, max_size=5)), max_size=6)


@given(passes=PASSES, keeps=st.sampled_from(["journal", "statuses", "both"]), backwards=st.booleans())
def test_the_cancels_of_an_hour_never_cost_more_than_the_limit(
    passes: list[tuple[int, list[Cost]]], keeps: str, *, backwards: bool
) -> None:
    """Each pass is a new process with the journal, the statuses, or both. A change is wanted until it is allowed."""
    now, done, waiting = NOW, list[tuple[datetime, str, Cost]](), dict[str, Cost]()
    for number, (minutes, costs) in enumerate(passes):
        now += minutes * MINUTE
        waiting |= {f"job-{number}-{index}": cost for index, cost in enumerate(costs)}
        past = PastAttempts(
            tuple(told(name, cost, NOW - at) for at, name, cost in done if keeps != "journal"),
            tuple(asked(name, cost, NOW - at) for at, name, cost in done if keeps != "statuses"),
        )
        batch = [cancel(name, cost) for name, cost in waiting.items()]
        verdict = budget(100, past=past).judge(str(ACCOUNT), batch[::-1] if backwards else batch, now)

        spent = sum(_known(cost) for at, _, cost in done if now - at < HOUR)
        bounded = {name: _known(cost) for name, cost in waiting.items() if _is_bounded(cost)}
        fitting = {name: value for name, value in bounded.items() if value <= 100}
        is_over = spent + sum(fitting.values()) > 100
        free = {name for name, value in bounded.items() if not value}
        assert set(waiting) - verdict.refused == (free if is_over else set(fitting))
        done += [(now, name, waiting.pop(name)) for name in sorted(set(waiting) - verdict.refused)]
        assert sum(_known(cost) for at, _, cost in done if now - at < HOUR) <= 100


def _is_bounded(cost: Cost) -> bool:
    return isinstance(cost, Amount) and cost.basis is not Basis.AT_LEAST


def _known(cost: Cost) -> Decimal:
    return cost.value if isinstance(cost, Amount) and _is_bounded(cost) else Decimal(0)


# What a cancel throws away.

HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("3.60"), "USD")


def cost_of(price: Price | None, status_phase: Phase = Phase.RUNNING, **facts: Any) -> Cost | None:
    subject = replace(a_subject(), prices=None if price is None else (price,))
    past = a_past(subject)
    assert past.job is not None
    status = replace(past, phase=status_phase, job=replace(past.job, **facts))
    return sunk_cost(subject, Verb.CANCEL, status, None, NOW)


def test_hours_count_from_the_creation_of_the_job() -> None:
    started: dict[str, Any] = {"created_at": NOW - 4 * HOUR, "started_at": NOW - HOUR}

    assert cost_of(HOURLY, **started) == usd("14.4")
    assert cost_of(replace(HOURLY, value=Decimal("0.01")), created_at=NOW - MINUTE, started_at=NOW) == usd("0.000167")


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.VALIDATING_FILES])
def test_a_job_that_has_not_started_has_cost_nothing(phase: Phase) -> None:
    waiting: dict[str, Any] = {"created_at": NOW - DAY, "started_at": None}

    assert cost_of(HOURLY, phase, **waiting) == usd(0, Basis.METERED)
    assert isinstance(cost_of(replace(HOURLY, model="gpt-5"), phase, **waiting), Unpriced)


@pytest.mark.parametrize(
    ("price", "facts"),
    [
        (None, {}),
        (replace(HOURLY, model="another"), {}),
        (HOURLY, {"created_at": None}),
        (HOURLY, {"created_at": NOW + DAY}),
        (HOURLY, {"created_at": datetime.fromtimestamp(0, NOW.tzinfo)}),
        (replace(HOURLY, meter=Meter.TOKENS), {"trained_tokens": None}),
        (replace(HOURLY, meter=Meter.TOKENS), {"trained_tokens": 10**18}),
    ],
    ids=["no prices", "no price", "no time", "the future", "time zero", "no tokens", "too many tokens"],
)
def test_without_a_price_or_with_an_implausible_quantity_the_cost_is_unknown(
    price: Price | None, facts: dict[str, Any]
) -> None:
    assert isinstance(cost_of(price, **{"started_at": NOW - HOUR, "created_at": NOW - HOUR} | facts), Unpriced)


def test_a_price_that_is_a_lower_bound_gives_no_upper_bound() -> None:
    cost = cost_of(replace(HOURLY, bound=Basis.AT_LEAST), created_at=NOW - HOUR, started_at=NOW - HOUR)

    assert isinstance(cost, Amount)
    assert SunkCostLimit(Decimal(500), "USD").bound(cost) is None
    assert recorded(cost) == RecordedAmount("3.600000", "USD", Basis.ESTIMATE)


# The text of a status.


def test_a_status_keeps_its_message_while_only_the_amounts_of_a_refusal_grow() -> None:
    first, later, other = (
        judged(cancels(map(usd, costs))).refusals[0] for costs in ((300, 300), (301, 302), (300, 300, 1))
    )
    lower = judged(cancels([usd(300), usd(300)]), budget(400)).refusals[0]
    message = first.message_after(None)

    assert message == first.message_after("at most 1.00 USD") == str(first)
    assert later.message_after(message) == message
    assert first == replace(later, names=first.names)
    assert other.message_after(message) == str(other)
    assert lower.message_after(message) == str(lower)


def test_the_limit_of_a_renamed_credential_is_the_stricter_one() -> None:
    loose, strict = SunkCostLimit(Decimal(500), "USD"), SunkCostLimit(Decimal(100), "USD", ignores_unknown=True)
    limits = [replace(MANY, sunk_cost=each) for each in (loose, strict, None)]
    both = ScopedLimits(MANY, credentials=dict(zip("ABC", limits, strict=True))).renamed({"B": "A", "C": "A"})

    assert both.credentials == {"A": replace(MANY, sunk_cost=SunkCostLimit(Decimal(100), "USD"))}
    assert (both.currency, ScopedLimits().currency) == ("USD", None)


# What is shown.


@pytest.mark.parametrize("seed", range(5))
def test_plan_page_and_metrics_show_the_guards_sum_to_the_cent(seed: int) -> None:
    random = Random(seed)  # noqa: S311  a repeatable choice of examples
    cents = [random.randint(0, 99_999) for _ in range(200)]
    past = [asked(f"past-{number}", usd(Decimal(each) / 100)) for number, each in enumerate(cents[:100])]
    one = budget(10**9, past=PastAttempts(journal=(*past, asked("unknown", None, age=2 * HOUR))))
    judged(cancels(usd(Decimal(each) / 100) for each in cents[100:]), one)
    uses = one.uses(NOW)
    total = f"{sum(cents) // 100}.{sum(cents) % 100:02}"
    row = with_cancel(a_row("job"))

    plan = plan_text(Report(rows=(row,), guard=uses), RenderContext(Canvas(1000), NOW))
    comment = plan_markdown(Report(rows=(row,), guard=uses), RenderContext(Canvas(), NOW))
    watch = replace(a_watch([row]), guard=uses)
    page = unescape(accounts_page(watch_view(watch), Frame(PAGE_NOW, MONOTONIC, "1", "/page.css", "/page.js")))
    metrics = Metrics(lambda: watch, lambda: NOW).registry
    labels = {"provider": str(ACCOUNT), "currency": "USD"}

    assert (
        f"sunk cost of the hour's cancels: at most {total} USD here, at most {total} USD in all; maxCancelsCost" in plan
    )
    assert f"at most {total} USD here" in comment
    assert f"at most {total} USD here" in page
    assert f"{metrics.get_sample_value('reconcile_guard_cancels_cost', labels):.2f}" == total
    assert f"{metrics.get_sample_value('reconcile_guard_cancels_cost_overall', {'currency': 'USD'}):.2f}" == total
    assert metrics.get_sample_value("reconcile_guard_max_cancels_cost", labels) == 10**9


def test_the_page_states_no_sum_of_all_accounts_for_an_embedded_sandbox_whose_cancels_do_not_count_there() -> None:
    """An account with fewer cancels than all accounts together still has the sum, also of unknown costs alone."""
    sandbox = Account("sandbox", "sandbox://demo")
    past = PastAttempts(
        journal=(asked("one", None), asked("two", usd(7)), asked("three", usd(40), account=str(sandbox))),
        currency="USD",
    )
    account_map = AccountMap({**ACCOUNT_MAP.protections, str(sandbox): CredentialScope(str(sandbox), "sandbox")})
    uses = ChangeBudget(limited(500), past=past, account_map=account_map).uses(NOW)
    rows = [a_row("job", account=ACCOUNT), a_row("other", account=OTHER), a_row("simulated", account=sandbox)]
    watch = replace(a_watch(rows), guard=uses)

    page = unescape(accounts_page(watch_view(watch), Frame(PAGE_NOW, MONOTONIC, "1", "/page.css", "/page.js")))
    metrics = Metrics(lambda: watch, lambda: NOW).registry

    assert "2 here, 2 in all<" in page
    assert "at most 7.00 USD, and 1 unknown here, at most 7.00 USD, and 1 unknown in all; maxCancelsCost" in page
    assert "0 here, 2 in all<" in page
    assert ">1 here<" in page
    assert "at most 40.00 USD here; maxCancelsCost" in page
    assert metrics.get_sample_value("reconcile_guard_changes_overall") == 2
    assert metrics.get_sample_value("reconcile_guard_cancels_cost_overall", {"currency": "USD"}) == 7


def test_the_table_of_refusals_in_a_comment_states_the_amounts() -> None:
    past = PastAttempts(journal=(asked("past", usd("120.5")),))
    refusals = judged([cancel("unknown", NO_PRICE), *cancels([usd(300), usd(100)])], budget(past=past)).refusals

    text = "\n".join(refusal_lines(refusals))

    assert "| 1 cancel of jobs that have cost 0.00 USD, and 1 unknown: no price for openai/gpt-5 | 0.00 USD |" in text
    assert "| 2 cancels of jobs that have cost at most 400.00 USD | at most 120.50 USD | - |" in text
    assert "maxCancelsCost 500.00 USD | job-0, job-1 |" in text
    assert "reconcile --once --allow-cancels 3" in text
