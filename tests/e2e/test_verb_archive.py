"""`reconcile archive`: it causes no request, loses no receipt, and can be undone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import Checkout
from tests.support.in_process_command import Workspace
from tests.support.sandbox_client import Sandbox

AGE = ("--older-than", "0s")


def files(workspace: Workspace) -> dict[str, bytes]:
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in workspace.specs.rglob("*.yaml")}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with a cancelled job `done` and a running job `kept`, which no test may change."""
    workspace = Workspace(tmp_path_factory.mktemp("ended"))
    workspace.declare("ftjob-done", "ftjob-kept")
    workspace.want("done", "cancelled")
    workspace.want("kept", "running")
    assert workspace.run("--once", "--wait", "--allow-cancels", "1").code == 0
    return workspace


@pytest.fixture
def workspace(ended: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of `ended`."""
    shutil.copytree(ended.root, tmp_path, dirs_exist_ok=True)
    return Workspace(tmp_path)


def test_an_archived_job_is_neither_observed_nor_unmanaged_and_is_restored_with_its_receipts(
    workspace: Workspace,
) -> None:
    before, asked = files(workspace), workspace.asked()
    dry = workspace.run("archive", *AGE, "--dry-run")
    unmoved = files(workspace)
    archived = workspace.run("archive", *AGE)
    moved = files(workspace)
    passed = workspace.run("--once")
    shown, hidden = workspace.run("get", "--archived", "-o", "name"), workspace.run("get", "-o", "name")
    drift, adopted = workspace.run("drift"), workspace.run("adopt")
    described = workspace.run("describe", "done", "--archived")
    after_pass = files(workspace)
    restored = workspace.run("archive", "--restore", "done")
    last = workspace.run("--once", "--wait")

    assert unmoved == before
    assert dry.out == archived.out == "specs/done.yaml  done\n"
    assert "Kept 1 job: 1 because it has not ended for good." in archived.err
    assert set(moved) - set(before) == {"specs/.archive/done.yaml", "specs/status/.archive/done.yaml"}
    assert set(before) - set(moved) == {"specs/done.yaml", "specs/status/done.yaml"}
    assert after_pass == moved
    assert shown.out == "finetuningjob/done\n"
    assert hidden.out == "finetuningjob/kept\n"
    assert drift.out == "No drift.\n"
    assert "ftjob-done" not in adopted.out
    assert "cancel" in described.out
    assert [each.code for each in (dry, archived, passed, drift, adopted, described, restored, last)] == [0] * 8
    assert files(workspace) == before
    assert workspace.asked() == asked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say how long ago a job must have ended"),
        (("--restore",), "Name the specs to --restore."),
        (("--restore", "don"), "no spec in the archive is called 'don'."),
        (("--restore", "done", *AGE), "Say how long ago a job must have ended"),
        (("kept", *AGE), "kept is not archived: it has not ended for good. Nothing was moved."),
        (("done", "--older-than", "1d"), "done is not archived: it ended less than 1d ago. Nothing was moved."),
        (("don", *AGE), "no job is called 'don'."),
        (("--older-than", "old"), "'old' is not a duration"),
        (("--provider", "nobody", *AGE), "no provider is called 'nobody'."),
        (("done", "--selector", "team=none", *AGE), "the job 'done' exists, but does not match --selector"),
    ],
)
def test_a_job_that_cannot_be_moved_is_refused(workspace: Workspace, arguments: tuple[str, ...], message: str) -> None:
    before = files(workspace)

    ran = workspace.run("archive", *arguments)

    assert ran.code == 64
    assert message in ran.err
    assert files(workspace) == before


def test_an_unproven_cancel_is_never_archived(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-a")
    demo = (workspace.specs / "demo.yaml").read_text().replace("jobs:", "cancelTakes: 10m\n    jobs:")
    workspace.write("demo.yaml", demo)
    workspace.want("a", "cancelled")
    workspace.run("--once")
    before = files(workspace)

    ran = workspace.run("archive", *AGE)

    assert "Kept 1 job: 1 because its cancel is not proven yet." in ran.err
    assert files(workspace) == before


def test_the_guard_does_not_take_archived_statuses_for_lost_ones(checkout: Checkout, sandbox: Sandbox) -> None:
    *ended, running = sandbox.create(7)
    for job in ended:
        checkout.want(job.lower(), job)
    checkout.want("running", running, "observed")
    first = checkout.run("--once", "--wait", "--allow-cancels", "6")

    archived = checkout.run("archive", *AGE)
    checkout.want("running", running)
    ran = checkout.run("--once", "--wait")

    assert (first.code, archived.code, ran.code) == (0, 0, 0)
    assert sandbox.cancels(running) == [running]
