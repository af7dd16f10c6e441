from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import PROVIDER
from tests.support.completion import offered_by
from tests.support.in_process_command import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat", "ftjob-summaries")
    workspace.want("chat", "running")
    return workspace


def test_describe_shows_the_spec_the_status_and_the_receipts_in_order(workspace: Workspace) -> None:
    workspace.run("set", "chat", "cancelled", "--reason", "too dear")
    workspace.run("--once", "--wait")

    ran = workspace.run("describe", "chat")
    lines = ran.out.splitlines()
    told = [line.split(maxsplit=2)[2] for line in lines[lines.index("History (UTC)") + 1 :]]

    assert ran.code == 0
    assert lines[:3] == ["chat", "", "Spec (chat.yaml)"]
    assert "  why       too dear" in lines
    accepted = told.index("provider   cancel accepted")
    assert told.index("requested  cancel, the spec wants it: too dear") < accepted
    assert accepted < told.index("confirmed  cancel: the job was observed cancelled")


def test_describe_requests_provider_events_only_with_the_option(workspace: Workspace) -> None:
    workspace.run("--once")

    assert "log info" not in workspace.run("describe", "chat").out
    assert "log info  Fine-tuning job started" in workspace.run("describe", "chat", "--events").out


def test_describe_shows_the_checkpoints_of_a_job_that_has_succeeded(workspace: Workspace) -> None:
    workspace.declare("ftjob-chat", life="{phase: succeeded}")
    workspace.run("--once")

    ran = workspace.run("describe", "chat", "--events")

    assert ran.code == 0
    assert "checkpoint  step 3: ft:gpt-4o-mini-2024-07-18" in ran.out


def test_describe_reports_unavailable_provider_events_after_everything_else(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    workspace.write("far.yaml", PROVIDER.format(name="far", more="baseUrl: http://127.0.0.1:9/v1", concurrency=1))
    workspace.want("away", "observed", provider="far")
    (workspace.root / "trust").write_text("OPENAI_API_KEY=http://127.0.0.1:9\n")

    ran = workspace.run("describe", "away", "--events", "--trust", "trust")

    assert "Spec (away.yaml)" in ran.out
    assert ran.code == 78
    assert "error: the log of away could not be read: OPENAI_API_KEY is not set" in ran.err


def test_describe_reports_a_broken_spec(workspace: Workspace) -> None:
    workspace.want("broken", "rnning")

    ran = workspace.run("describe", "broken")

    assert "not valid: `reconcile validate` shows what is wrong" in ran.out
    assert "InvalidSpec" in ran.out


def test_describe_of_one_job_does_not_report_errors_of_other_specs(workspace: Workspace) -> None:
    workspace.want("broken", "rnning")
    workspace.run("--once")

    ran = workspace.run("describe", "chat")

    assert (ran.code, ran.err) == (0, "")


def test_live_shows_the_providers_current_state_and_writes_nothing(workspace: Workspace) -> None:
    live = workspace.run("get", "--live")
    from_files = workspace.run("get")

    assert "running  True   AsDesired" in live.out
    assert "OutOfDate" in from_files.out
    assert not (workspace.specs / "status").exists()


def test_an_unknown_name_is_reported_with_a_suggestion(workspace: Workspace) -> None:
    ran = workspace.run("get", "chta")

    assert ran.code == 64
    assert "Did you mean 'chat'?" in ran.err


def test_watch_is_rejected_with_any_other_format_than_a_table(workspace: Workspace) -> None:
    assert workspace.run("get", "--watch", "-o", "json").code == 64


def test_watch_in_a_pipe_prints_the_table_and_then_a_line_for_each_change(workspace: Workspace) -> None:
    command = [sys.executable, "-m", "reconciler", "get", "--watch", "--state-dir", str(workspace.root / "state")]
    with subprocess.Popen(
        command, cwd=workspace.root, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    ) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(2)]
        workspace.run("--once")
        change = process.stdout.readline()
        process.send_signal(signal.SIGINT)

    assert first[0].startswith("NAME")
    assert "OutOfDate" in first[1]
    assert change == "chat: running, AsDesired\n"
    assert process.returncode == 130


def test_providers_shows_each_credential_source_and_checks_each_account(workspace: Workspace) -> None:
    workspace.write(
        "hosted.yaml", (workspace.specs / "demo.yaml").read_text().split("spec:")[0].replace("demo", "hosted") + HOSTED
    )

    told = workspace.run("providers", "--check")

    assert told.code == 78
    assert "demo      Works           not needed" in told.out
    assert "hosted    HostNotTrusted" in told.out
    assert "hosted  OPENAI_API_KEY is not bound to elsewhere.example" in told.out


HOSTED = "spec: {type: openai, baseUrl: https://elsewhere.example}\n"


def test_providers_without_check_sends_no_request(workspace: Workspace) -> None:
    told = workspace.run("providers")

    assert told.code == 0
    assert "demo      NotChecked  not needed" in told.out


def test_providers_as_json_contains_every_type_and_account(workspace: Workspace) -> None:
    told = json.loads(workspace.run("providers", "-o", "json").out)

    assert {"openai", "sandbox"} <= {each["name"] for each in told["types"]}
    assert [each["name"] for each in told["accounts"]] == ["demo"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(workspace: Workspace, shell: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "reconciler", "completion", shell],
        cwd=workspace.root,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
    )

    assert "_RECONCILE_COMPLETE" in ran.stdout


def test_a_plan_for_a_pull_request_is_markdown(workspace: Workspace) -> None:
    workspace.run("set", "chat", "cancelled", "--reason", "ask @ada | see <b>this</b>")

    ran = workspace.run("plan", "-o", "markdown")

    assert ran.code == 0
    assert ran.out.startswith("### Plan: 1 to cancel\n")
    assert "@<!-- -->ada \\| see \\<b\\>this\\</b\\>" in ran.out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("reconcile des", ["describe"]),
        ("reconcile describe c", ["chat"]),
        ("reconcile set chat ", ["running", "paused", "cancelled", "observed"]),
        ("reconcile --specs elsewhere get ", []),
        ("reconcile explain CancelN", ["CancelNotHonoured"]),
        ("reconcile explain Settings.spec.i", ["Settings.spec.interval"]),
    ],
)
def test_completion_offers_commands_jobs_states_reasons_and_fields(
    workspace: Workspace, typed: str, offered: list[str]
) -> None:
    assert offered_by(workspace.root, typed) == offered
