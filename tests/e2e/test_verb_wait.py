from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.in_process_command import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat")
    workspace.want("chat", "cancelled")
    return workspace


def test_wait_reads_the_statuses_that_another_pass_wrote(workspace: Workspace) -> None:
    before = workspace.run("wait", "chat", "--timeout", "0s")
    workspace.run("--once", "--wait")
    after = workspace.run("wait", "chat", "--for", "cancelled")

    assert (before.code, before.out) == (
        75,
        "chat: not settled in time: unknown, OutOfDate: its job has not been observed yet\n",
    )
    assert (after.code, after.out) == (0, "chat: cancelled, Cancelled\n")


def test_wait_fails_at_once_for_a_job_that_ended_in_another_state(workspace: Workspace) -> None:
    workspace.run("--once", "--wait")

    ran = workspace.run("wait", "chat", "--for", "succeeded")

    assert ran.code == 1
    assert ran.out.startswith("chat: will not be succeeded: cancelled, Cancelled")


def test_wait_live_polls_the_provider_and_changes_nothing(workspace: Workspace) -> None:
    workspace.want("chat", "running")

    ran = workspace.run("wait", "chat", "--live")

    assert (ran.code, ran.out) == (0, "chat: running, AsDesired\n")
    assert not (workspace.specs / "status").exists()


def test_retry_runs_one_pass_for_that_job_only(workspace: Workspace) -> None:
    workspace.declare("ftjob-chat", "ftjob-other")
    workspace.want("other", "cancelled")

    ran = workspace.run("retry", "chat")

    assert ran.code == 0
    assert "chat: cancel accepted" in ran.out
    assert "other" not in ran.out
