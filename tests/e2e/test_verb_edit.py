from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.in_process_command import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat", "ftjob-summaries")
    workspace.want("chat", "running")
    workspace.want("summaries", "running")
    return workspace


def test_set_changes_one_line_adds_one_and_prints_the_diff(workspace: Workspace) -> None:
    file = workspace.specs / "chat.yaml"
    before = file.read_text().splitlines()

    ran = workspace.run("set", "chat", "cancelled", "--reason", "too dear")

    assert ran.code == 0
    assert file.read_text().splitlines() == [*before[:-1], "  desiredState: cancelled", "  reason: too dear"]
    assert ran.out.splitlines()[-3:] == [
        "-  desiredState: running",
        "+  desiredState: cancelled",
        "+  reason: too dear",
    ]


def test_the_next_plan_shows_the_value_that_was_set(workspace: Workspace) -> None:
    workspace.run("set", "chat", "cancelled")

    assert "Plan: 1 to cancel" in workspace.run("plan").out


def test_a_dry_run_shows_the_edit_and_leaves_the_file(workspace: Workspace) -> None:
    before = (workspace.specs / "chat.yaml").read_bytes()

    ran = workspace.run("set", "chat", "cancelled", "--dry-run")

    assert "+  desiredState: cancelled" in ran.out
    assert (workspace.specs / "chat.yaml").read_bytes() == before


def test_an_edited_file_keeps_its_mode_and_no_temporary_file_remains(workspace: Workspace) -> None:
    file = workspace.specs / "chat.yaml"
    file.chmod(0o640)

    workspace.run("set", "chat", "cancelled")

    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(each.name for each in workspace.specs.iterdir()) == ["chat.yaml", "demo.yaml", "summaries.yaml"]


def test_setting_the_present_value_writes_nothing(workspace: Workspace) -> None:
    before = (workspace.specs / "chat.yaml").stat().st_mtime_ns

    ran = workspace.run("set", "chat", "running")

    assert (ran.code, ran.out, ran.err) == (0, "", "No change: the files already contain these values.\n")
    assert (workspace.specs / "chat.yaml").stat().st_mtime_ns == before


def test_suspend_and_unsuspend_of_several_jobs_restore_every_byte(workspace: Workspace) -> None:
    files = [workspace.specs / "chat.yaml", workspace.specs / "summaries.yaml"]
    before = [each.read_bytes() for each in files]

    suspended = workspace.run(
        "suspend", "chat", "summaries", "--reason", "incident 7", "--until", "2030-01-01T00:00:00Z"
    )
    between = [each.read_text() for each in files]
    workspace.run("unsuspend", "chat", "summaries")

    assert suspended.code == 0
    assert all("suspend: {reason: incident 7, until: 2030-01-01T00:00:00Z}" in each for each in between)
    assert [each.read_bytes() for each in files] == before


def test_a_suspended_job_is_not_cancelled_until_it_is_unsuspended(workspace: Workspace) -> None:
    workspace.run("set", "chat", "cancelled")
    workspace.run("suspend", "chat")
    while_suspended = workspace.run("--once")
    workspace.run("unsuspend", "chat")
    released = workspace.run("--once")

    assert "Requested: nothing" in while_suspended.out
    assert "Requested: 1 cancel" in released.out


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ([], "suspend: {reason: incident 7}"),
        (["--reason", "incident 8"], "suspend: {reason: incident 8}"),
        (["--until", "2030-01-01T00:00:00Z"], "suspend: {reason: incident 7, until: 2030-01-01T00:00:00Z}"),
    ],
    ids=["nothing", "another reason", "another end"],
)
def test_an_expired_suspension_is_replaced_by_a_new_one(workspace: Workspace, arguments: list[str], left: str) -> None:
    workspace.run("set", "chat", "cancelled")
    text = (workspace.specs / "chat.yaml").read_text()
    workspace.write("chat.yaml", text + "  suspend: {reason: incident 7, until: 2026-01-01T00:00:00Z}\n")
    suspended = workspace.run("suspend", "chat", *arguments)
    ran = workspace.run("--once")

    assert suspended.code == 0
    assert f"+  {left}" in suspended.out
    assert "Requested: nothing" in ran.out


def test_suspend_without_an_end_replaces_a_suspension_that_had_only_an_end(workspace: Workspace) -> None:
    text = workspace.want("chat", "cancelled").read_text()
    workspace.write("chat.yaml", text + "  suspend:\n    until: 2026-01-01T00:00:00Z\n")
    suspended = workspace.run("suspend", "chat")
    ran = workspace.run("--once")

    assert "+  suspend: true" in suspended.out
    assert "Requested: nothing" in ran.out


def test_one_rejected_edit_leaves_all_files_unchanged(workspace: Workspace) -> None:
    text = (workspace.specs / "summaries.yaml").read_text()
    workspace.write("summaries.yaml", text + "  suspend: &s {until: 2030-01-01T00:00:00Z}\n")
    before = (workspace.specs / "chat.yaml").read_bytes()
    workspace.write("summaries.yaml", text.replace("spec:", "spec: &s") + "  reason: &r x\n")

    ran = workspace.run("set", "summaries", "cancelled", "--reason", "y")

    assert ran.code == 64
    assert (
        "specs/summaries.yaml: summaries: line 8: spec.reason has an anchor or a tag; edit the file by hand" in ran.err
    )
    assert (workspace.specs / "chat.yaml").read_bytes() == before
    assert "desiredState: running" in (workspace.specs / "summaries.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("set chta cancelled", "no job is called 'chta'. Did you mean 'chat'?"),
        ("set nobody cancelled", "no job is called 'nobody'. `reconcile get` lists all jobs"),
        ("set events cancelled", "no job is called 'events'. Did you mean `reconcile events`?"),
        ("set chat canceled", "'canceled' is not one of"),
        ("set chat", "Missing argument"),
        ("suspend", "Name a job, or select jobs with --selector, --provider or --kind."),
        ("suspend chat --until soon", "'soon' is neither a duration such as 4h nor a time with a time zone"),
        ("suspend chat --until 2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z has passed: name a later time"),
        (
            "set twice running",
            "it is used in specs/t.yaml:1 and specs/t.yaml:9. Rename all but one of these specs.",
        ),
        ("set broken running", "the spec of 'broken' is not valid, so it cannot be edited: specs/broken.yaml:7"),
    ],
)
def test_a_spec_that_cannot_be_edited_is_reported_with_exit_code_64(
    workspace: Workspace, arguments: str, sentence: str
) -> None:
    twice = (workspace.specs / "chat.yaml").read_text().replace("name: chat", "name: twice")
    workspace.write("t.yaml", f"{twice}---\n{twice}")
    workspace.want("broken", "rnning")

    ran = workspace.run(*arguments.split())

    assert ran.code == 64
    assert sentence in ran.err
    assert ran.out == ""
