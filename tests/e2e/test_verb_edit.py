from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support.in_process_command import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.declare("ftjob-chat", "ftjob-summaries")
    desk.want("chat", "running")
    desk.want("summaries", "running")
    return desk


def test_set_changes_one_line_adds_one_and_shows_both(desk: Desk) -> None:
    file = desk.specs / "chat.yaml"
    before = file.read_text().splitlines()

    ran = desk.run("set", "chat", "cancelled", "--reason", "too dear")

    assert ran.code == 0
    assert file.read_text().splitlines() == [*before[:-1], "  desiredState: cancelled", "  reason: too dear"]
    assert ran.out.splitlines()[-3:] == [
        "-  desiredState: running",
        "+  desiredState: cancelled",
        "+  reason: too dear",
    ]


def test_what_was_set_is_what_the_next_plan_does(desk: Desk) -> None:
    desk.run("set", "chat", "cancelled")

    assert "Plan: 1 to cancel" in desk.run("plan").out


def test_a_dry_run_shows_the_edit_and_leaves_the_file(desk: Desk) -> None:
    before = (desk.specs / "chat.yaml").read_bytes()

    ran = desk.run("set", "chat", "cancelled", "--dry-run")

    assert "+  desiredState: cancelled" in ran.out
    assert (desk.specs / "chat.yaml").read_bytes() == before


def test_a_file_keeps_its_mode_and_nothing_is_left_beside_it(desk: Desk) -> None:
    file = desk.specs / "chat.yaml"
    file.chmod(0o640)

    desk.run("set", "chat", "cancelled")

    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(each.name for each in desk.specs.iterdir()) == ["chat.yaml", "demo.yaml", "summaries.yaml"]


def test_what_is_so_already_is_not_written(desk: Desk) -> None:
    before = (desk.specs / "chat.yaml").stat().st_mtime_ns

    ran = desk.run("set", "chat", "running")

    assert (ran.code, ran.out, ran.err) == (0, "", "No change: the spec already has these values.\n")
    assert (desk.specs / "chat.yaml").stat().st_mtime_ns == before


def test_suspend_and_unsuspend_of_several_jobs_restore_every_byte(desk: Desk) -> None:
    files = [desk.specs / "chat.yaml", desk.specs / "summaries.yaml"]
    before = [each.read_bytes() for each in files]

    suspended = desk.run("suspend", "chat", "summaries", "--reason", "incident 7", "--until", "2030-01-01T00:00:00Z")
    between = [each.read_text() for each in files]
    desk.run("unsuspend", "chat", "summaries")

    assert suspended.code == 0
    assert all("suspend: {reason: incident 7, until: 2030-01-01T00:00:00Z}" in each for each in between)
    assert [each.read_bytes() for each in files] == before


def test_a_suspended_job_is_not_cancelled_until_it_is_released(desk: Desk) -> None:
    desk.run("set", "chat", "cancelled")
    desk.run("suspend", "chat")
    while_suspended = desk.run("--once")
    desk.run("unsuspend", "chat")
    released = desk.run("--once")

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
def test_a_suspension_that_is_over_gives_way_to_one_that_holds(desk: Desk, arguments: list[str], left: str) -> None:
    desk.run("set", "chat", "cancelled")
    text = (desk.specs / "chat.yaml").read_text()
    desk.write("chat.yaml", text + "  suspend: {reason: incident 7, until: 2026-01-01T00:00:00Z}\n")
    suspended = desk.run("suspend", "chat", *arguments)
    ran = desk.run("--once")

    assert suspended.code == 0
    assert f"+  {left}" in suspended.out
    assert "Requested: nothing" in ran.out


def test_a_suspension_of_which_only_an_end_was_said_is_suspended_again_without_one(desk: Desk) -> None:
    text = desk.want("chat", "cancelled").read_text()
    desk.write("chat.yaml", text + "  suspend:\n    until: 2026-01-01T00:00:00Z\n")
    suspended = desk.run("suspend", "chat")
    ran = desk.run("--once")

    assert "+  suspend: true" in suspended.out
    assert "Requested: nothing" in ran.out


def test_one_refused_edit_leaves_all_files_alone(desk: Desk) -> None:
    text = (desk.specs / "summaries.yaml").read_text()
    desk.write("summaries.yaml", text + "  suspend: &s {until: 2030-01-01T00:00:00Z}\n")
    before = (desk.specs / "chat.yaml").read_bytes()
    desk.write("summaries.yaml", text.replace("spec:", "spec: &s") + "  reason: &r x\n")

    ran = desk.run("set", "summaries", "cancelled", "--reason", "y")

    assert ran.code == 64
    assert "specs/summaries.yaml: summaries: line 8: spec.reason has an anchor or a tag; edit it by hand" in ran.err
    assert (desk.specs / "chat.yaml").read_bytes() == before
    assert "desiredState: running" in (desk.specs / "summaries.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("set chta cancelled", "no job is called 'chta'. Did you mean 'chat'?"),
        ("set nobody cancelled", "no job is called 'nobody'. `reconcile get` lists them all"),
        ("set chat canceled", "'canceled' is not one of"),
        ("set chat", "Missing argument"),
        ("suspend", "Missing argument"),
        ("suspend chat --until soon", "'soon' is neither a duration such as 4h nor a time with a zone"),
        (
            "set twice running",
            "the name 'twice' is not unique: specs/t.yaml:1 and specs/t.yaml:9 have it",
        ),
        ("set broken running", "the spec of 'broken' is not valid, so it is not edited: specs/broken.yaml:7"),
    ],
)
def test_what_cannot_be_edited_is_said_and_ends_with_64(desk: Desk, arguments: str, sentence: str) -> None:
    twice = (desk.specs / "chat.yaml").read_text().replace("name: chat", "name: twice")
    desk.write("t.yaml", f"{twice}---\n{twice}")
    desk.want("broken", "rnning")

    ran = desk.run(*arguments.split())

    assert ran.code == 64
    assert sentence in ran.err
    assert ran.out == ""
