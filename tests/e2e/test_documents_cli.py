"""A repository with many changes between two runs: each change is reported, and none affects the other specs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, Outcome
from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout, Ran
from tests.support.sandbox_client import Sandbox

NAMES = ("good", "misspelt", "deleted", "moved", "edited")


@dataclass(frozen=True, slots=True)
class Story:
    """The second run, and the state before it."""

    checkout: Checkout
    ids: dict[str, str]
    before: dict[str, JobStatus]
    ran: Ran


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> Story:
    """Cancel one job, observe the others, change the repository, and run again."""
    checkout = a_checkout(tmp_path_factory.mktemp("repository"), shared_sandbox)
    ids = dict(zip(NAMES, shared_sandbox.create(len(NAMES)), strict=True))
    for name, job_id in ids.items():
        checkout.want(name, job_id, "cancelled" if name == "moved" else "observed")
    assert checkout.run("--once", "--wait").code == 0
    before = {name: checkout.status(name) for name in NAMES}

    checkout.want("good", ids["good"])
    checkout.want("misspelt", ids["misspelt"], "canceled")
    (checkout.specs / "deleted.yaml").unlink()
    (checkout.specs / "moved.yaml").unlink()
    checkout.want("archived", ids["moved"])
    edited = checkout.status_dir / "edited.yaml"
    edited.write_text(edited.read_text(encoding="utf-8").replace("phase: validating_files", "phase: succeeded"))
    return Story(checkout, ids, before, checkout.run("--once", "--wait"))


def test_an_invalid_document_is_reported_at_its_line_and_stops_only_its_own_job(story: Story, sandbox: Sandbox) -> None:
    status = story.checkout.status("misspelt")

    assert story.ran.code == 65
    assert "specs/misspelt.yaml:7: spec.desiredState: 'canceled' is not one of " in story.ran.err
    assert "did you mean 'cancelled'?" in story.ran.err
    assert (status.is_stalled, status.ready.reason) == (True, Reason.INVALID_SPEC)
    assert sandbox.phase(story.ids["misspelt"]) == "validating_files"
    assert story.checkout.status("good").receipts[0].outcome is Outcome.CANCELLED


def test_deleting_a_spec_removes_its_status_and_leaves_its_job_alone(story: Story, sandbox: Sandbox) -> None:
    assert "Removed the status of 1 deleted spec: deleted" in story.ran.out
    assert not (story.checkout.status_dir / "deleted.yaml").exists()
    assert sandbox.phase(story.ids["deleted"]) == "validating_files"


def test_a_renamed_spec_keeps_its_receipt(story: Story, sandbox: Sandbox) -> None:
    status = story.checkout.status("archived")

    assert status.receipts == story.before["moved"].receipts
    assert status.is_ready
    assert not (story.checkout.status_dir / "moved.yaml").exists()
    assert len(sandbox.cancels(story.ids["moved"])) == 1


def test_a_status_edited_by_hand_is_reported_and_rewritten(story: Story) -> None:
    assert (
        "status/edited.yaml: the status is damaged or was edited by hand, so it is ignored (StatusDiscarded)"
        in story.ran.err
    )
    assert story.checkout.status("edited").phase is Phase.VALIDATING_FILES


def test_under_invalid_settings_plan_shows_no_change_and_due_jobs_are_stalled(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.name_provider()
    checkout.want("due", job_id)
    settings = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {suspend: perhaps}\n"
    checkout.write("settings.yaml", settings)
    planned = checkout.run("plan")
    ran = checkout.run("--once", "--wait")
    status = checkout.status("due")
    checkout.write("settings.yaml", settings.replace("perhaps", "false"))
    mended = checkout.run("--once", "--wait")

    assert (planned.code, ran.code, mended.code) == (65, 65, 0)
    assert "1 to cancel" not in planned.out
    assert (status.is_stalled, status.ready.reason) == (True, Reason.REVISION_NOT_TRUSTED)
    assert "run reconcile validate" in status.ready.message
    assert checkout.status("due").receipts[0].outcome is Outcome.CANCELLED
    assert len(sandbox.cancels(job_id)) == 1
