"""A watch as a process: it applies a saved spec at once, however an editor saves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.commit_to_cancel import SAVES
from tests.support.cli import SPEC, Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching


@pytest.mark.sampled(2)
@pytest.mark.parametrize("way", SAVES)
@pytest.mark.parametrize("is_polled", [False, True], ids=["told", "polled"])
def test_a_saved_spec_is_acted_on_at_once_and_confirmed(
    checkout: Checkout, sandbox: Sandbox, way: str, *, is_polled: bool
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")
    environ = {"WATCHFILES_FORCE_POLLING": "1"} if is_polled else {}

    with watching(checkout, **environ) as watch:
        wait_for((checkout.status_dir / "one.yaml").exists, "the first pass writes a status")
        text = SPEC.format(name="one", provider="main", job_id=job_id, state="cancelled")
        SAVES[way](checkout.specs / "one.yaml", text)
        wait_for(lambda: checkout.status("one").is_ready and checkout.status("one").final, "the cancel is confirmed")
        code = watch.stop()

    assert code == 0
    assert sandbox.cancels(job_id) == [job_id]


def test_each_transition_is_logged_as_one_json_line_and_polls_are_not_logged(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    with watching(checkout) as watch:
        wait_for(
            lambda: (checkout.status_dir / "one.yaml").exists() and checkout.status("one").final,
            "the cancel is confirmed",
        )
        watch.stop()
        lines = [json.loads(line) for line in watch.said().splitlines()]
    told = [(line["message"], line.get("reason"), line["account"]) for line in lines if line.get("name") == "one"]
    account = f"openai {sandbox.url}"

    assert told == [
        ("cancel sent", None, account),
        ("cancel accepted, waiting for confirmation", "CancelPending", account),
        ("cancelled at the provider", "Cancelled", account),
    ]
    assert sandbox.key not in json.dumps(lines)


def test_a_failed_heartbeat_is_logged_and_has_no_other_effect(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    with watching(checkout, "--heartbeat-url", f"{sandbox.url}/heartbeat/canary") as watch:
        wait_for(
            lambda: "the heartbeat to --heartbeat-url failed: HTTP 404" in watch.said(),
            "the watch logs the failed heartbeat",
        )
        wait_for(lambda: checkout.status("one").final, "the cancel is confirmed")
        code = watch.stop()

    assert code == 0


def test_a_half_written_file_stops_only_its_own_jobs(checkout: Checkout, sandbox: Sandbox, tmp_path: Path) -> None:
    first, second = sandbox.create(2)
    checkout.want("first", first, "observed")
    checkout.want("second", second, "observed")

    with watching(checkout) as watch:
        wait_for((checkout.status_dir / "second.yaml").exists, "the first pass writes a status")
        checkout.write(
            "first.yaml", "apiVersion: jobs.reconciler/v1\nkind: FineTuningJob\nmetadata: {name: first}\nspec:"
        )
        checkout.want("second", second)
        wait_for(lambda: checkout.status("second").final, "the cancel of the other job is confirmed")
        wait_for(lambda: checkout.status("first").is_stalled, "the half-written spec is reported as stalled")
        watch.stop()

    assert sandbox.cancels(first, second) == [second]
    assert tmp_path.exists()


def test_an_account_that_hangs_does_not_delay_any_other(checkout: Checkout, sandbox: Sandbox) -> None:
    hanging, quick = sandbox.create(2)
    checkout.name_provider("other", "options: {project: proj_other}")
    checkout.want("hanging", hanging, "observed", provider="other")
    checkout.want("quick", quick, "observed")

    with watching(checkout) as watch:
        for name in ("hanging", "quick"):
            wait_for((checkout.status_dir / f"{name}.yaml").exists, "the first pass writes both statuses")
        sandbox.break_with({"fault": "slow", "on": "retrieve", "job": hanging, "for": "40s"})
        asked = len(sandbox.requests())
        checkout.want("hanging", hanging, provider="other")
        wait_for(lambda: len(sandbox.requests()) > asked, "a request arrives at the hanging account")
        checkout.want("quick", quick)
        wait_for(lambda: checkout.status("quick").final, "the cancel in the other account is confirmed")
        watch.process.kill()

    assert sandbox.cancels(hanging, quick) == [quick]


def test_a_raised_rate_limit_applies_to_a_running_watch(checkout: Checkout, sandbox: Sandbox) -> None:
    cancelled, observed = sandbox.create(3), sandbox.create(5)
    provider = checkout.specs / "main.yaml"
    checkout.name_provider()
    quick = provider.read_text(encoding="utf-8")
    assert "requestsPerSecond: 1000, burst: 1000" in quick
    provider.write_text(quick.replace("requestsPerSecond: 1000, burst: 1000", "requestsPerSecond: 0.1, burst: 1"))
    for job_id in (*cancelled, *observed):
        checkout.want(job_id, job_id, "cancelled" if job_id in cancelled else "observed")

    with watching(checkout) as watch:
        wait_for(lambda: len(sandbox.requests()) >= 1, "the first request arrives")
        provider.write_text(quick, encoding="utf-8")
        # With the old limit, the first three retrieves alone take 20 s.
        wait_for(lambda: set(sandbox.cancels(*cancelled)) == set(cancelled), "every cancel arrives", within_s=15)
        watch.stop()
