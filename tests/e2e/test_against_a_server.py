from __future__ import annotations

from openai import OpenAI

from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox


def test_once_cancels_only_the_job_whose_desired_state_is_cancelled(checkout: Checkout, sandbox: Sandbox) -> None:
    with OpenAI(base_url=sandbox.url, api_key=sandbox.key) as client:
        jobs = client.fine_tuning.jobs
        ids = [jobs.create(model="gpt-4o-mini-2024-07-18", training_file="file-train").id for _ in range(3)]
        for name, job_id, state in zip(
            ("first", "second", "third"), ids, ("observed", "cancelled", "observed"), strict=True
        ):
            checkout.want(name, job_id, state)
        before = [jobs.retrieve(job_id) for job_id in ids]

        ran = checkout.run("--once", "--wait")

        after = [jobs.retrieve(job_id) for job_id in ids]
    is_changed = [now != earlier for earlier, now in zip(before, after, strict=True)]

    assert ran.code == 0
    assert is_changed == [False, True, False]
    assert [job.status for job in after] == ["validating_files", "cancelled", "validating_files"]
    assert sandbox.cancels(*ids) == [ids[1]]
    assert checkout.status("second").receipts[0].outcome == "cancelled"


def test_a_dry_run_requests_no_change_and_writes_nothing(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    before = checkout.traces()

    ran = checkout.run("--once", "--dry-run")

    assert ran.code == 0
    assert "cancel runaway: validating_files -> cancelled" in ran.out
    assert sandbox.cancels(job_id) == []
    assert checkout.traces() == before
