"""Prices in the operator's file, and limits of the cost, as users run them on a simulated provider."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.money import Basis
from reconciler.model.reason import Reason
from tests.support.cli import Checkout

HEAD = "apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\nspec:\n  prices:\n    currency: USD\n    list:\n"
PRICE = '    - {provider: sandbox, kind: BatchJob, model: gpt-4o-mini*, perMillionTokens: "0.30"}\n'
SPECS = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: demo}
spec:
  type: sandbox
  options:
    batches:
    - {id: batch_labels, model: gpt-4o-mini, age: 90m, requests: 1000, tokens: 90000000}
    - {id: batch_other, model: gpt-5, age: 30m, requests: 1000, tokens: 90000000}
---
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {name: settings}
spec: {interval: 15s}
---
apiVersion: jobs.reconciler/v1
kind: BatchJob
metadata: {name: labels}
spec: {provider: demo, jobId: batch_labels, desiredState: STATE, limits: {maxCost: 5 USD}}
---
apiVersion: jobs.reconciler/v1
kind: BatchJob
metadata: {name: other}
spec: {provider: demo, jobId: batch_other, desiredState: running, limits: {maxCost: 5 USD}}
"""
UNJUDGED = "its limit maxCost cannot be judged: no price for sandbox/gpt-5"


def operator(root: Path, prices: str = PRICE) -> str:
    """Write an operator's file with these prices, and return its path."""
    file = root / "operator.yaml"
    file.write_text(HEAD + prices, encoding="utf-8")
    return str(file)


def test_plan_get_and_events_show_costs_and_an_unknown_cost_has_no_amount(checkout: Checkout) -> None:
    checkout.write("all.yaml", SPECS.replace("STATE", "cancelled"))
    config = operator(checkout.root)

    plan = checkout.run("plan", "--config", config)
    done = checkout.run("--once", "--wait", "--config", config)
    wide = checkout.run("get", "-o", "wide", "--config", config)
    other, labels = json.loads(checkout.run("get", "-o", "json", "--config", config).out)[::-1]
    events = checkout.run("events", "--config", config)

    assert (plan.code, done.code, wide.code, events.code) == (ExitCode.OK,) * 4
    assert " USD so far, at 0.30 USD per million tokens; about " in " ".join(plan.out.split())
    assert "Cost of the jobs to cancel: 20." in plan.out
    assert "COST LEFT" in wide.out
    assert labels["cost"]["spent"]["basis"] == "metered"
    assert labels["cost"]["spent"]["amount"].startswith("20.")
    assert other["cost"]["spent"] == {"unknown": "no price for sandbox/gpt-5"}
    assert "Not spent because of these cancels: about 6." in events.out
    assert "notSpent" in (checkout.status_dir / "labels.yaml").read_text(encoding="utf-8")


def test_a_mistake_in_a_price_is_reported_at_its_line_and_no_run_starts(checkout: Checkout) -> None:
    checkout.write("all.yaml", SPECS.replace("STATE", "cancelled"))
    config = operator(checkout.root, PRICE.replace("0.30", "0.0000003").replace("sandbox", "sandbx"))

    ran = checkout.run("--once", "--config", config)

    assert ran.code == ExitCode.CONFIGURATION
    assert "operator.yaml:7: spec.prices.list[0]: perMillionTokens: 0.0000003 is not plausible" in ran.err
    assert not checkout.status_dir.exists()


def test_max_cancels_cost_counts_earlier_runs_without_the_journal_and_an_approval_lifts_it(checkout: Checkout) -> None:
    """Each of two batches has cost about 20 USD, and 30 USD an hour may be thrown away."""
    specs = SPECS.replace("STATE", "cancelled").replace("model: gpt-5", "model: gpt-4o-mini, age: 90m")
    config = operator(checkout.root, PRICE + "  safety: {maxCancelsCost: 30 USD}\n")
    checkout.write("all.yaml", specs.replace(", age: 30m", ""))

    first = checkout.run("--once", "--wait", "--config", config)
    checkout.write("all.yaml", specs.replace(", age: 30m", "").replace("running", "cancelled"))
    plan = checkout.run("plan", "--config", config)
    refused = checkout.run("--once", "--config", config)
    lost = checkout.run("--once", "--config", config, "--state-dir", str(checkout.root / "another"))
    told = checkout.status("other")
    described = checkout.run("describe", "other", "--config", config)
    allowed = checkout.run("--once", "--wait", "--config", config, "--allow-cancel", "other")

    assert (first.code, refused.code, lost.code, allowed.code) == (ExitCode.OK, *[ExitCode.REFUSED] * 2, ExitCode.OK)
    assert plan.code == ExitCode.REFUSED
    for each in (plan.err, refused.err, lost.err, described.out):
        assert "1 cancel wanted at once, of a job that cost at most 20." in " ".join(each.split())
        assert "the limit is maxCancelsCost 30.00 USD per hour" in " ".join(each.split())
    assert "sunk cost of the hour's cancels: at most 20." in " ".join(plan.out.split())
    assert (told.ready.reason, told.receipts) == (Reason.REFUSED_BY_GUARD, ())
    assert checkout.status("other").receipts[0].approved_by == "--allow-cancel"
    sunk = checkout.status("labels").receipts[0].sunk_cost
    assert sunk is not None
    assert (sunk.amount[:3], sunk.currency, sunk.basis) == ("20.", "USD", Basis.METERED)


def test_a_cancel_with_an_unknown_cost_is_refused_unless_the_operator_ignores_unknown_costs(checkout: Checkout) -> None:
    checkout.write(
        "all.yaml", SPECS.replace("STATE", "running").replace("running, limits: {maxCost: 5 USD}", "cancelled")
    )
    closed = operator(checkout.root, PRICE + "  safety: {maxCancelsCost: 30 USD}\n")
    refused = checkout.run("--once", "--wait", "--config", closed)
    statuses = [checkout.status(name).ready.reason for name in ("labels", "other")]
    ignoring = operator(checkout.root, PRICE + "  safety: {maxCancelsCost: 30 USD, unknownCost: ignore}\n")
    allowed = checkout.run("--once", "--wait", "--config", ignoring)

    assert (refused.code, allowed.code) == (ExitCode.REFUSED, ExitCode.OK)
    assert "1 cancel wanted (sandbox " in refused.err
    assert "of a job whose cost is unknown (no price for sandbox/gpt-5)" in " ".join(refused.err.split())
    assert statuses == [Reason.CANCELLED, Reason.REFUSED_BY_GUARD]
    assert checkout.status("other").receipts[0].sunk_cost is None


@pytest.mark.long
def test_max_cost_warns_in_the_first_run_and_cancels_in_one_an_interval_later(checkout: Checkout) -> None:
    checkout.write("all.yaml", SPECS.replace("STATE", "running"))
    config = operator(checkout.root)

    first = checkout.run("--once", "--wait", "--config", config)
    warned = checkout.status("labels")
    time.sleep(15)
    second = checkout.run("--once", "--wait", "--config", config)
    status = checkout.status("labels")

    assert "will be cancelled because of maxCost 5.00 USD" in first.out
    assert (warned.ready.reason, warned.receipts) == (Reason.LIMIT_NEAR, ())
    assert UNJUDGED in second.out
    assert (status.ready.reason, status.receipts[0].reason) == (Reason.LIMIT_REACHED, "maxCost 5.00 USD")
    assert checkout.status("other").receipts == ()


def test_a_price_in_a_provider_document_shows_costs_and_acts_for_max_cost_but_not_for_the_guard(
    checkout: Checkout,
) -> None:
    """The operator limits the sunk cost of cancels, and states a price for another model only."""
    prices = 'prices: {currency: USD, list: [{kind: BatchJob, perMillionTokens: "0.30"}]}'
    checkout.write(
        "all.yaml", SPECS.replace("type: sandbox", f"type: sandbox\n  {prices}").replace("STATE", "cancelled")
    )
    config = operator(checkout.root, PRICE.replace("gpt-4o-mini*", "gpt-5") + "  safety: {maxCancelsCost: 30 USD}\n")

    plan = checkout.run("plan", "--config", config)
    refused = checkout.run("--once", "--config", config)
    free = checkout.run("--once", "--wait")
    events = checkout.run("events")

    assert (plan.code, refused.code, free.code) == (*[ExitCode.REFUSED] * 2, ExitCode.OK)
    why = "its price is in the Provider document demo, not in the operator's file"
    assert f"of a job whose cost is unknown ({why})" in " ".join(refused.err.split())
    assert "will be cancelled because of maxCost 5.00 USD" in free.out
    assert "at prices in Provider documents" in events.out
    saved = checkout.status("labels").receipts[0].not_spent
    assert saved is not None
    assert (saved.document, checkout.status("labels").receipts[0].sunk_cost) == ("demo", None)
