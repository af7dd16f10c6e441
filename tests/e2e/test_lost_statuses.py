"""Data that must not be lost: a status whose spec only appears to be deleted, and the receipt of a request."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.in_process_command import Workspace

SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {intervall: 60s}\n"


def merge(workspace: Workspace) -> Callable[[], None]:
    """Leave a merge unfinished. Returns a function that ends it."""
    head = workspace.root / ".git" / "MERGE_HEAD"
    head.write_text(f"{'0' * 40}\n")
    return head.unlink


def break_settings(workspace: Workspace) -> Callable[[], None]:
    """Make the Settings invalid. Returns a function that repairs them."""
    return workspace.write("settings.yaml", SETTINGS).unlink


@pytest.mark.parametrize("doubt", [merge, break_settings])
def test_a_status_without_a_spec_is_kept_while_the_revision_is_not_trusted(
    tmp_path: Path, doubt: Callable[[Workspace], Callable[[], None]]
) -> None:
    workspace = Workspace(tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    workspace.declare("ftjob-gone", "ftjob-stays")
    workspace.want("stays", "observed")
    spec, status = workspace.want("gone", "observed"), workspace.specs / "status" / "gone.yaml"
    workspace.run("--once")
    spec.unlink()
    end = doubt(workspace)
    during = workspace.run("--once")
    is_kept = status.exists()
    end()
    after = workspace.run("--once")

    assert is_kept
    assert "Removed the status" not in during.out
    assert "Removed the status of 1 deleted spec" in after.out
    assert not status.exists()


def test_a_receipt_is_kept_until_it_can_be_written_for_its_moved_spec(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat")
    workspace.write(
        "demo.yaml", (workspace.specs / "demo.yaml").read_text().replace("jobs:", "cancelTakes: 10m\n    jobs:")
    )
    spec, old, new = (
        workspace.want("chat", "cancelled"),
        workspace.specs / "status/chat.yaml",
        workspace.specs / "status/b/talk.yaml",
    )
    workspace.run("--once")
    workspace.write("status/b", "in the way of a directory")
    workspace.write("b/talk.yaml", spec.read_text().replace("name: chat", "name: talk"))
    spec.unlink()
    in_the_way = [workspace.run("--once").code for _ in range(2)]
    is_kept = old.exists()
    (workspace.specs / "status/b").unlink()
    workspace.run("--once")

    assert in_the_way == [70, 70]
    assert is_kept
    assert (new.exists(), old.exists()) == (True, False)
    assert workspace.asked() == [("cancel", "ftjob-chat")]
