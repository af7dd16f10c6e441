"""`reconcile sandbox --jobs FILE`: the jobs of a file behave as its documents declare."""

from __future__ import annotations

from pathlib import Path

from openai import OpenAI

from tests.support.cli import started_sandbox
from tests.support.in_process_command import Workspace

SLOW = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: slow}
spec:
  type: sandbox
  options:
    cancelTakes: 1h
    pauseTakes: 1h
    cancelWord: cancelling
    jobs: [{id: ftjob-slow, age: 1h}, {id: ftjob-paused, age: 1h}, {id: ftjob-own, age: 1h, cancelTakes: 0s}]
    batches: [{id: batch_slow, age: 1h}]
---
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: quick}
spec: {type: sandbox, options: {jobs: [{id: ftjob-quick, age: 1h}]}}
"""


def test_the_jobs_of_each_document_have_the_durations_and_the_word_of_that_document(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(SLOW, encoding="utf-8")
    with (
        started_sandbox(tmp_path, "--port", "0", "--jobs", str(file)) as url,
        OpenAI(base_url=url, api_key="k") as user,
    ):
        jobs, batches = user.fine_tuning.jobs, user.batches
        words = [jobs.cancel(f"ftjob-{name}").status for name in ("slow", "own", "quick")]
        batch = batches.cancel("batch_slow").status
        jobs.pause("ftjob-paused")

        assert words == ["cancelling", "cancelled", "cancelled"]
        assert batch == "cancelling"
        assert str(jobs.retrieve("ftjob-paused").status) == "pausing"


def test_a_batch_with_more_failed_requests_than_requests_is_not_valid(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write(
        "slow.yaml", SLOW.replace("{id: batch_slow, age: 1h}", "{id: batch_a, requests: 5, failedRequests: 6}")
    )
    ran = workspace.run("validate")

    assert ran.code == 65
    assert "failedRequests is 6, but the batch has 5 requests" in ran.out + ran.err
