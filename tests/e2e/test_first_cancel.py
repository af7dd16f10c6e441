"""The example specs, exactly as they are in a fresh clone of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.model.job import Phase
from reconciler.model.status import Outcome
from tests.support.cli import Checkout, Ran

SHIPPED = Path(__file__).parents[2] / "specs"


def a_clone(root: Path) -> Checkout:
    shutil.copytree(SHIPPED, root / "specs", ignore=shutil.ignore_patterns("status"))
    return Checkout(root)


@pytest.fixture(scope="module")
def reconciled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, Ran]:
    """Return a clone after its first command."""
    clone = a_clone(tmp_path_factory.mktemp("clone"))
    return clone, clone.run("--once", "--wait")


def test_the_first_command_cancels_the_runaway_job_and_confirms_it(reconciled: tuple[Checkout, Ran]) -> None:
    clone, ran = reconciled
    status = clone.status("support-triage")
    receipt = status.receipts[0]

    assert ran.code == 0
    assert ran.err == "support-triage: cancel sent\nsupport-triage: cancel confirmed: cancelled\n"
    assert "support-triage: cancel accepted, confirmed cancelled" in ran.out
    assert status.is_ready
    assert receipt.accepted_at is not None
    assert receipt.confirmed_at is not None
    assert receipt.requested_at <= receipt.accepted_at <= receipt.confirmed_at
    assert (receipt.attempts, receipt.outcome) == (1, Outcome.CANCELLED)


@pytest.mark.parametrize(
    ("name", "phase", "reason"),
    [
        ("contract-review", Phase.RUNNING, "Suspended"),
        ("intent-classifier", Phase.FAILED, "AsDesired"),
        ("nightly-ranker", Phase.RUNNING, "AsDesired"),
        ("support-triage", Phase.CANCELLED, "Cancelled"),
        ("tone-of-voice", Phase.SUCCEEDED, "FinishedBeforeCancel"),
    ],
)
def test_each_example_spec_shows_what_its_comments_describe(
    reconciled: tuple[Checkout, Ran], name: str, phase: Phase, reason: str
) -> None:
    clone, _ = reconciled
    status = clone.status(name)

    assert (status.phase, status.ready.reason) == (phase, reason)


def test_a_second_run_changes_no_byte_and_no_mtime(reconciled: tuple[Checkout, Ran]) -> None:
    clone, _ = reconciled
    before = clone.traces()

    again = clone.run("--once", "--wait")

    assert again.code == 0
    assert "Requested: nothing" in again.out
    assert clone.traces() == before


def test_a_plan_after_the_first_command_is_empty(reconciled: tuple[Checkout, Ran]) -> None:
    clone, _ = reconciled

    plan = clone.run("plan", "--detailed-exitcode")

    assert plan.code == 0
    assert plan.out.startswith("Nothing to change.\n")


def test_a_plan_before_the_first_command_shows_the_cancel_and_changes_nothing(tmp_path: Path) -> None:
    clone = a_clone(tmp_path)
    before = clone.traces()

    plan = clone.run("plan", "--detailed-exitcode")

    assert plan.code == 2
    assert plan.out.startswith("cancel support-triage: running -> cancelled\n")
    assert "the spec wants it: learning rate 10x too high, see issue 412" in plan.out
    assert "Plan: 1 to cancel;" in plan.out
    assert clone.traces() == before
