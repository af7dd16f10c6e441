"""A checkout in which Git has not finished, or that changes while it is read: read, and not acted on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.git.checkout import CheckedOutSpecs, find_checkout
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_corner import Sandbox


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone with one commit on a branch `side`, and the same specs on it as on `main`."""
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    (clone.root / "notes.txt").write_text("one\n", encoding="utf-8")
    clone.commit("Write notes")
    clone.git("checkout", "--quiet", "-b", "side")
    (clone.root / "notes.txt").write_text("two\n", encoding="utf-8")
    clone.commit("Write other notes")
    clone.git("checkout", "--quiet", "main")
    return clone


def stops(clone: Clone, *command: str) -> None:
    """Run a command of Git that stops half way, as it does for a conflict or at a person's wish."""
    with pytest.raises(subprocess.CalledProcessError):
        clone.git(*command)


def conflicts(clone: Clone, *command: str) -> None:
    (clone.root / "notes.txt").write_text("three\n", encoding="utf-8")
    clone.commit("Write yet others")
    stops(clone, *command)


HALF = {
    "a merge": lambda clone: clone.git("merge", "--quiet", "--no-ff", "--no-commit", "side"),
    "a cherry-pick": lambda clone: conflicts(clone, "cherry-pick", "side"),
    "a revert": lambda clone: conflicts(clone, "revert", "--no-edit", "side"),
    "a rebase": lambda clone: stops(clone, "rebase", "--quiet", "--exec", "false", "HEAD~1"),
}


@pytest.mark.parametrize("what", HALF)
def test_what_git_has_not_finished_is_not_acted_on(clone: Clone, sandbox: Sandbox, what: str) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    begin: Callable[[Clone], object] = HALF[what]
    begin(clone)
    ran = checkout.run("--once")

    assert f"{what} is under way (RevisionNotTrusted)" in ran.err
    assert sandbox.cancels(job_id) == []


class BusyDisk(LocalDisk):
    """A disk on which somebody changes his mind in each file once it has been read."""

    def read(self, path: Path) -> bytes:
        """Return what is in a file, and change it."""
        data = super().read(path)
        path.write_bytes(data.replace(b"cancelled", b"observed"))
        return data


def test_two_scans_that_differ_are_not_acted_on(clone: Clone) -> None:
    checkout = Checkout(clone.root)
    checkout.want("runaway", "ftjob-abc123", provider="openai")
    found = find_checkout(checkout.specs)
    assert found is not None
    statuses = checkout.status_dir
    quiet, busy = (
        CheckedOutSpecs(
            SpecsDir(checkout.specs, statuses, disk, "specs"),
            checkout.specs,
            found,
            statuses,
            lambda: datetime.now(UTC),
        ).snapshot()
        for disk in (LocalDisk(checkout.specs), BusyDisk(checkout.specs))
    )

    assert quiet.distrust is None
    assert "it changed while it was read" in str(busy.distrust)
