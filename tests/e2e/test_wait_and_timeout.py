"""`--wait` and `--timeout`: a run exceeds neither, and the message names the one that expired."""

from __future__ import annotations

import time

import pytest

from tests.support.cli import Checkout, Ran
from tests.support.sandbox_client import Sandbox

STARTS_WITHIN_S = 8
"""How long a process may run in addition to its --wait or --timeout, because the machine may be busy."""


def timed(checkout: Checkout, *arguments: str) -> tuple[Ran, float]:
    begun = time.monotonic()
    ran = checkout.run(*arguments)
    return ran, time.monotonic() - begun


def test_an_ineffective_cancel_is_awaited_for_the_time_of_wait(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "lost-cancel", "job": job_id})
    checkout.want("one", job_id)

    ran, took_s = timed(checkout, "--once", "--wait=3s")

    assert ran.code == 75
    assert "error: --wait=3s expired with 1 job still in progress: one\n" in ran.err
    assert took_s < 3 + STARTS_WITHIN_S


@pytest.mark.parametrize("fault", ["hang", "reset-before-acting"])
def test_a_provider_that_does_not_respond_is_abandoned_after_the_timeout(
    checkout: Checkout, sandbox: Sandbox, fault: str
) -> None:
    job_ids = sandbox.create(3)
    sandbox.break_with(*({"fault": fault, "on": "retrieve", "job": job_id} for job_id in job_ids))
    for number, job_id in enumerate(job_ids):
        checkout.want(f"job-{number}", job_id)

    ran, took_s = timed(checkout, "--once", "--wait", "--timeout", "4s")

    assert ran.code == 69
    assert "error: --timeout=4s expired with 3 jobs not observed: job-0, job-1, job-2\n" in ran.err
    assert took_s < 4 + STARTS_WITHIN_S
