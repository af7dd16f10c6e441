"""Only an approved plan is applied: `plan --out`, then `--once --plan`."""

from __future__ import annotations

import pytest

from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox

ACT = ("--once", "--wait", "--plan", "plan.json")


@pytest.fixture
def approved(checkout: Checkout, sandbox: Sandbox) -> tuple[Checkout, list[str]]:
    """Return a checkout with a plan to cancel the first two of three jobs; the third is only observed."""
    jobs = sandbox.create(3)
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id, "cancelled" if number < 2 else "observed")
    assert checkout.run("plan", "--out", "plan.json").code == 0
    return checkout, jobs


def test_an_approved_plan_is_applied(approved: tuple[Checkout, list[str]], sandbox: Sandbox) -> None:
    checkout, jobs = approved
    ran = checkout.run(*ACT)

    assert ran.code == 0, ran.err
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs[:2])
    assert checkout.status("job-0").is_ready


def test_a_change_missing_from_the_plan_is_named_and_blocks_the_whole_run(
    approved: tuple[Checkout, list[str]], sandbox: Sandbox
) -> None:
    checkout, jobs = approved
    checkout.want("job-2", jobs[2], "cancelled")
    ran = checkout.run(*ACT)

    assert ran.code == 3
    assert f"error: not in the plan: cancel job-2 ({jobs[2]} at" in ran.err
    assert "job-0" not in ran.err
    assert sandbox.cancels(*jobs) == []
    assert not checkout.status_dir.exists()


def test_a_spec_that_names_another_job_than_in_the_plan_is_rejected_by_name(
    approved: tuple[Checkout, list[str]], sandbox: Sandbox
) -> None:
    checkout, jobs = approved
    checkout.want("job-2", jobs[0], "observed")
    checkout.want("job-0", jobs[2], "cancelled")
    ran = checkout.run(*ACT)

    assert ran.code == 3
    assert "cancel job-0" in ran.err
    assert sandbox.cancels(*jobs) == []


def test_a_job_that_ended_since_the_plan_does_not_block_the_run(
    approved: tuple[Checkout, list[str]], sandbox: Sandbox
) -> None:
    checkout, jobs = approved
    other = Checkout(checkout.root / "elsewhere", checkout.environ)
    other.name_provider()
    other.want("theirs", jobs[0])
    other.run("--once", "--wait")
    ran = checkout.run(*ACT)

    assert ran.code == 0, ran.err
    assert sandbox.cancels(*jobs) == [jobs[0], jobs[1]]


def test_a_change_withdrawn_since_the_plan_does_not_block_the_run(
    approved: tuple[Checkout, list[str]], sandbox: Sandbox
) -> None:
    checkout, jobs = approved
    checkout.want("job-0", jobs[0], "observed")
    ran = checkout.run(*ACT)

    assert ran.code == 0, ran.err
    assert sandbox.cancels(*jobs) == [jobs[1]]


def test_the_guard_also_judges_an_approved_plan(checkout: Checkout, sandbox: Sandbox) -> None:
    jobs = sandbox.create(6)
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id)
    checkout.run("plan", "--out", "plan.json")
    ran = checkout.run(*ACT)

    assert ran.code == 3
    assert "refused by the guard" in ran.err
    assert sandbox.cancels(*jobs) == []


def test_an_invalid_plan_file_is_a_usage_error(checkout: Checkout) -> None:
    ran = checkout.run("--once", "--plan", "nowhere.json")

    assert ran.code == 64
    assert "nowhere.json is not a usable plan: No such file or directory" in ran.err


def test_a_plan_file_requires_once(checkout: Checkout) -> None:
    ran = checkout.run("--plan", "plan.json")

    assert ran.code == 64
    assert "--plan needs --once" in ran.err
