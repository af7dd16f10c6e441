"""Change windows in the operator's file, as its users run them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

HEAD = "apiVersion: jobs.reconciler/v1\nkind: OperatorConfig\nspec:\n  changeWindows:\n"


def operator(root: Path, windows: str) -> str:
    """Write an operator's file with these change windows, and return its path."""
    file = root / "operator.yaml"
    file.write_text(HEAD + windows, encoding="utf-8")
    return str(file)


def frozen(until: datetime) -> str:
    until_text = render_instant(until)
    return (
        f"  - {{name: year-end, freeze: {{from: 2026-01-01T00:00:00Z, until: {until_text}}}, reason: the accounts}}\n"
    )


def test_a_change_outside_a_window_waits_and_the_plan_and_the_result_say_until_when(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    config = operator(checkout.root, frozen(until))

    plan = checkout.run("plan", "--config", config)
    once = checkout.run("--once", "--wait", "--config", config)
    traces = checkout.traces()
    again = checkout.run("--once", "--wait", "--config", config)
    status = checkout.status("runaway")

    assert (plan.code, once.code, again.code) == (ExitCode.OK, ExitCode.OK, ExitCode.OK)
    for said in (plan.out, once.out, status.ready.message):
        assert f"the next one opens at {render_instant(until)}; year-end: the accounts" in said
    assert "Requested: nothing. Now: 1 withheld." in once.out
    assert (status.ready.reason, status.receipts) == (Reason.OUTSIDE_WINDOW, ())
    assert checkout.traces() == traces
    assert sandbox.cancels(job_id) == []


@pytest.mark.long
def test_a_watch_requests_the_change_once_the_window_opens(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    with watching(checkout, "--config", operator(checkout.root, frozen(opens_at))):
        wait_for((checkout.status_dir / "runaway.yaml").exists, "the status is written")
        before = checkout.status("runaway")
        wait_for(lambda: sandbox.cancels(job_id), "the cancel is requested", 30.0)
        wait_for(lambda: checkout.status("runaway").is_ready, "the cancel is proven")
    (receipt,) = checkout.status("runaway").receipts

    assert before.ready.reason is Reason.OUTSIDE_WINDOW
    assert receipt.requested_at >= opens_at
    assert sandbox.cancels(job_id) == [job_id]


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (
            "  - {name: a, allow: Mon-Fri 08:00-18:00, timeZone: Europe/Amsterdm}\n",
            "operator.yaml:5: spec.changeWindows[0].timeZone: 'Europe/Amsterdm' is not a time zone",
        ),
        ("  - {name: a, allow: Mon-Fri}\n", "spec.changeWindows[0].allow: 'Mon-Fri' is not days and hours"),
        ("  - {name: a}\n", "spec.changeWindows[0]: must have exactly one of allow, deny and freeze"),
        (
            "  - {name: a, deny: Sun 00:00-24:00, allow: Mon 00:00-24:00}\n",
            "spec.changeWindows[0]: must have exactly one of allow, deny and freeze",
        ),
        (
            "  - {name: a, freeze: {from: 2026-02-01T00:00:00Z, until: 2026-01-01T00:00:00Z}}\n",
            "spec.changeWindows[0].freeze: until must be later than from",
        ),
        (
            "  - {name: a, deny: Sun 00:00-24:00}\n  - {name: a, deny: Sat 00:00-24:00}\n",
            "spec.changeWindows[1].name: 'a' is also the name of another change window: rename one of them",
        ),
        ("  - {name: a, deny: Sun 00:00-24:00, selector: team}\n", "spec.changeWindows[0].selector: 'team' is not"),
    ],
)
def test_a_mistake_in_a_window_prevents_every_pass_and_is_reported_at_its_place(
    checkout: Checkout, sandbox: Sandbox, windows: str, said: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    config = operator(checkout.root, windows)

    once = checkout.run("--once", "--config", config)
    validated = checkout.run("validate", "--config", config)

    assert once.code == ExitCode.CONFIGURATION
    assert validated.code == ExitCode.INVALID_DOCUMENT
    assert said in once.err
    assert said in validated.out
    assert sandbox.cancels(job_id) == []
