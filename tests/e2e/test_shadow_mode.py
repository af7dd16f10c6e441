"""Shadow mode, as its users run it: nothing is requested, and every output says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason
from tests.e2e.test_page import a_watch, ask
from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox, wait_for

OPERATOR = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec: {shadow: true}
"""


@pytest.fixture
def operator(tmp_path: Path) -> str:
    """Return the path of an operator's file that switches shadow mode on."""
    file = tmp_path / "operator.yaml"
    file.write_text(OPERATOR, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("how", ["flag", "variable", "file"])
def test_a_run_in_shadow_mode_requests_nothing_and_the_run_after_it_requests_each_change_once(
    checkout: Checkout, sandbox: Sandbox, operator: str, how: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    options = {"flag": ["--shadow"], "variable": [], "file": ["--config", operator]}[how]
    environ = {"RECONCILE_SHADOW": "true"} if how == "variable" else {}

    first = checkout.run("--once", "--wait", *options, **environ)
    reported = checkout.status("runaway")
    traces = checkout.traces()
    again = checkout.run("--once", "--wait", *options, **environ)
    unchanged = checkout.traces()
    cancels = sandbox.cancels(job_id)
    real = checkout.run("--once", "--wait")

    assert (first.code, again.code, real.code) == (ExitCode.OK, ExitCode.OK, ExitCode.OK)
    assert "runaway: cancel would be requested: shadow mode withholds it" in first.out
    assert "Shadow mode, nothing requested. Withheld: 1 to cancel. Now: 1 withheld." in first.out
    assert (reported.ready.reason, reported.receipts) == (Reason.WOULD_CANCEL, ())
    assert unchanged == traces
    assert cancels == []
    assert "Requested: 1 cancel. Now: 1 as desired." in real.out
    assert sandbox.cancels(job_id) == [job_id]
    assert len(checkout.status("runaway").receipts) == 1


def test_a_plan_says_that_shadow_mode_is_on_and_apply_does_not_ask(
    checkout: Checkout, sandbox: Sandbox, operator: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)

    plan = checkout.run("plan", "--config", operator)
    applied = checkout.run("apply", "--auto-approve", "--shadow")
    summary = json.loads(checkout.run("--once", "--shadow", "-o", "json").out.splitlines()[-1])

    for ran in (plan, applied):
        assert ran.code == ExitCode.OK
        assert "cancel runaway: " in ran.out
        assert "Shadow mode: no run with these options requests a change.\n\nPlan: 1 to cancel." in ran.out
    assert summary["isShadow"]
    assert (summary["changes"]["cancel"], summary["jobs"]["withheld"]) == (0, 1)
    assert sandbox.cancels(job_id) == []


def test_the_page_the_metrics_and_the_log_of_a_watch_say_that_shadow_mode_is_on(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    with a_watch(checkout, "--shadow") as (address, process):
        wait_for(lambda: "withheld" in ask(address).text, "the page shows the job")
        pages = [ask(address, path) for path in ("/", "/jobs/runaway", "/accounts")]
        metrics, log = ask(address, "/metrics").body, process.said()

    note = "Shadow mode: this watch decides and reports, and requests no change."
    assert [note in each.text for each in pages] == [True] * 3
    assert "Healthy: 1 withheld." in pages[0].text
    assert re.search(r"^reconcile_shadow 1\.0$", metrics, re.MULTILINE)
    assert '"message": "shadow mode: no change is requested"' in log
    assert '"reason": "WouldCancel"' in log
    assert sandbox.cancels(job_id) == []


def test_without_shadow_mode_no_output_mentions_it(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id, "observed")
    with a_watch(checkout) as (address, process):
        page, metrics, log = ask(address).text, ask(address, "/metrics").body, process.said()

    assert "Shadow" not in page
    assert re.search(r"^reconcile_shadow 0\.0$", metrics, re.MULTILINE)
    assert "shadow" not in log
