"""How recent a status is: a known outage is shown, and the reader's own environment is not used as the operator's."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import pytest

from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox
from tests.support.terminal import shown_on_a_terminal

NOW = f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture
def away(checkout: Checkout, sandbox: Sandbox) -> Checkout:
    """Return a checkout whose account `main` was observed once, and could not be observed again."""
    running, ended = sandbox.create(2)
    checkout.want("running", running, "observed")
    checkout.want("ended", ended)
    assert checkout.run("--once", "--wait").code == 0
    sandbox.break_with({"fault": "status", "status": 503})
    assert checkout.run("--once", "--timeout", "6s").code == 69
    assert (checkout.status_dir / "_providers" / "main.yaml").exists()
    return checkout


def test_get_reports_an_outage_and_shows_no_affected_job_as_ready(away: Checkout) -> None:
    ran = away.run("get")
    rows = {line.split()[0]: line.split() for line in ran.out.splitlines()[1:]}

    assert rows["running"][4:6] == ["Unknown", "CannotObserveProvider"]
    assert rows["ended"][4:6] == ["True", "Cancelled"]
    assert ran.err.startswith(f"warning: main: not observed since {NOW}")
    assert ran.err.endswith("(1 job)\n")


def test_describe_reports_an_outage(away: Checkout) -> None:
    ran = away.run("describe", "running")

    assert "CannotObserveProvider" in ran.out
    assert "warning: main: not observed since" in ran.err


def test_wait_does_not_succeed_on_an_unobserved_job(away: Checkout) -> None:
    ran = away.run("wait", "running", "--timeout", "1s")

    assert ran.code == 75
    assert ran.out.startswith("running: not settled in time: ")
    assert "CannotObserveProvider: could not observe: " in ran.out
    assert "warning: main: not observed since" in ran.err


def test_a_rejected_key_is_reported_after_one_pass(checkout: Checkout, sandbox: Sandbox) -> None:
    running, other = sandbox.create(2)
    checkout.want("running", running, "observed")
    checkout.want("other", other, "observed")
    checkout.run("--once")
    checkout.run("--once", OPENAI_API_KEY="sk-revoked")
    ran = checkout.run("get")
    checkout.run("--once")
    again = checkout.run("get")

    assert ran.out.count("CannotObserveProvider") == 2
    assert ran.err.startswith(f"warning: main: not observed since {NOW}")
    assert (again.out.count("AsDesired"), again.err) == (2, "")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("verb", ["get", "describe hidden", "wait hidden --timeout 1s"])
def test_a_single_unobserved_job_is_not_shown_as_ready(checkout: Checkout, sandbox: Sandbox, verb: str) -> None:
    hidden, other = sandbox.create(2)
    checkout.want("hidden", hidden, "observed")
    checkout.want("other", other, "observed")
    checkout.run("--once")
    sandbox.break_with({"fault": "status", "on": "retrieve", "job": hidden, "status": 403})
    checkout.run("--once")
    ran = checkout.run(*verb.split())
    unharmed = checkout.run("wait", "other", "--timeout", "1s")
    sandbox.heal()
    checkout.run("--once")
    again = checkout.run("get")

    assert "CannotObserveProvider" in ran.out
    assert unharmed.code == 0
    assert (again.out.count("AsDesired"), again.err) == (2, "")


def test_a_finished_job_stays_ready_during_an_outage_of_its_account(away: Checkout) -> None:
    ran = away.run("wait", "ended", "--for", "cancelled", "--timeout", "1s")

    assert ran.code == 0


@pytest.mark.parametrize("verb", ["get", "describe running", "wait running"])
def test_a_reader_without_the_accounts_address_uses_the_statuses(
    checkout: Checkout, sandbox: Sandbox, verb: str
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("running", job_id, "observed")
    checkout.run("--once")

    ran = Checkout(checkout.root).run(*verb.split(), "--state-dir", "elsewhere")

    assert ran.code == 0
    assert "AsDesired" in ran.out
    assert "OutOfDate" not in ran.out
    assert "JobChanged" not in ran.out
    assert ran.err == ""


def test_a_reader_with_another_address_is_informed_that_the_statuses_are_used(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("running", job_id, "observed")
    checkout.run("--once")

    ran = checkout.run("get", OPENAI_BASE_URL="http://127.0.0.1:9/v1")

    assert "AsDesired" in ran.out
    assert ran.err == (
        f"warning: OPENAI_BASE_URL is http://127.0.0.1:9/v1 here, but the statuses were written for {sandbox.url}: "
        "they are shown unchanged\n"
    )


def test_a_changed_spec_is_out_of_date_for_a_reader_with_another_address(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("running", job_id, "observed")
    checkout.run("--once")
    checkout.want("running", job_id, "running")

    ran = Checkout(checkout.root).run("get", "--state-dir", "elsewhere")

    assert "OutOfDate" in ran.out


def test_get_shows_the_time_of_the_last_pass(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("running", job_id, "observed")
    checkout.run("--once")

    command = f"{sys.executable} -m reconciler get"
    environ = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(checkout.root / "cache"), **sandbox.environ}
    shown = shown_on_a_terminal(command, checkout.root, environ, 100, is_stderr_shown=True)

    assert "Last pass " in shown
    assert "(reconcile --once)" in shown
    assert "Last pass" not in checkout.run("get").err
