"""A job that its provider pauses, as the command shows it and resumes it."""

from __future__ import annotations

from pathlib import Path

from tests.support.in_process_command import RUNNING, Workspace

PAUSED = "{phase: running, for: 1h}, {phase: paused}"


def test_a_job_that_its_provider_paused_is_shown_by_every_command_and_resumed_by_a_retry(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat", life=RUNNING)
    workspace.want("chat", "running")
    assert workspace.run("--once").code == 0
    workspace.declare("ftjob-chat", life=PAUSED)

    found, again = workspace.run("--once"), workspace.run("--once")
    plan, get, describe = (workspace.run(*words) for words in (("plan",), ("get",), ("describe", "chat")))

    assert (found.code, again.code, plan.code, workspace.asked()) == (1, 1, 1, [])
    assert plan.out.startswith("Nothing to change.\n")
    assert "chat  PausedElsewhere  paused at the provider, apparently not by reconcile" in plan.out
    assert get.out.splitlines()[1].split()[1:6] == ["demo", "running", "paused", "False", "PausedElsewhere"]
    assert "run `reconcile retry` to resume it" in describe.out

    retried = workspace.run("retry", "chat")

    assert (retried.code, workspace.asked()) == (0, [("resume", "ftjob-chat")])
    assert "chat: resume accepted, not confirmed yet" in retried.err + retried.out
    assert workspace.run("--once", "--wait").code == 0
    assert workspace.run("get").out.splitlines()[1].split()[4:6] == ["True", "AsDesired"]


def test_another_desired_state_ends_the_hold_and_a_changed_limit_resumes_the_job(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("kept", "edited"):
        workspace.want(name, "running")
    workspace.declare("ftjob-kept", "ftjob-edited")
    workspace.run("--once")
    workspace.declare("ftjob-kept", "ftjob-edited", life=PAUSED)
    assert workspace.run("--once").code == 1

    workspace.run("set", "kept", "paused")
    file = workspace.specs / "edited.yaml"
    file.write_text(file.read_text() + "  limits: {maxAge: 90d}\n")

    assert workspace.run("--once").code == 0
    assert workspace.asked() == [("resume", "ftjob-edited")]
