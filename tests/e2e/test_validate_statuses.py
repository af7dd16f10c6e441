"""Statuses are generated files: `validate` finds a change that edits one by hand."""

from __future__ import annotations

import pytest

from tests.support.cli import Checkout
from tests.support.repositories import Clone
from tests.support.sandbox_client import Sandbox

STATUS = "specs/status/runaway.yaml"


@pytest.fixture
def begun(clone: Clone, sandbox: Sandbox) -> Checkout:
    """Return a checkout whose statuses reconcile has committed since the tag `begun`."""
    checkout = Checkout(clone.root, sandbox.environ)
    (job_id,) = sandbox.create(1)
    checkout.name_provider()
    checkout.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.git("tag", "begun")
    assert checkout.run("--once", "--wait", "--commit").code == 0
    return checkout


def test_validate_accepts_statuses_written_by_reconcile(begun: Checkout) -> None:
    ran = begun.run("validate", "--since", "begun")

    assert ran.code == 0, ran.out + ran.err
    assert ran.out == "Everything is valid.\n"


def test_validate_rejects_a_status_edited_by_hand(begun: Checkout) -> None:
    path = begun.root / STATUS
    path.write_text(path.read_text(encoding="utf-8").replace("phase: cancelled", "phase: running"), encoding="utf-8")
    ran = begun.run("validate")

    assert ran.code == 65
    assert f"{STATUS}: the status is damaged or was edited by hand; revert the edit" in ran.out


def test_validate_rejects_a_foreign_commit_that_removes_a_status(begun: Checkout, clone: Clone) -> None:
    clone.git("rm", "--quiet", STATUS)
    clone.git("commit", "--quiet", "--message", "Tidy up")
    ran = begun.run("validate", "--since", "begun")

    assert ran.code == 65
    assert f"{STATUS}: commit {clone.git('rev-parse', 'HEAD')[:12]} by ada@example.org changes a status" in ran.out
    assert begun.run("validate").code == 0


def test_the_author_of_status_commits_is_configurable(begun: Checkout) -> None:
    ran = begun.run("validate", "--since", "begun", "--commit-author", "Bot <bot@example.org>")

    assert ran.code == 65
    assert "by reconcile@reconcile.invalid changes a status" in ran.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize("revision", ["nowhere", "--all", ""])
def test_an_unknown_revision_is_a_usage_error(begun: Checkout, revision: str) -> None:
    ran = begun.run("validate", f"--since={revision}")

    assert ran.code == 64
    assert f"the commits since {revision} cannot be checked" in ran.err
