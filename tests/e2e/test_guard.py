"""One commit requests 25 cancels. The tests of this module run in order, each in the state that the last one left."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox

FLIPPED = 25


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> tuple[Checkout, list[str]]:
    """Return a checkout whose specs request the cancel of all of these jobs."""
    checkout = a_checkout(tmp_path_factory.mktemp("flipped"), shared_sandbox)
    ids = shared_sandbox.create(FLIPPED)
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number:02}", job_id)
    return checkout, ids


@pytest.mark.parametrize("approval", [(), ("--allow-cancels", "24")], ids=["unapproved", "one-too-few"])
def test_too_many_changes_are_refused_with_the_numbers_and_none_is_requested(
    flipped: tuple[Checkout, list[str]], sandbox: Sandbox, approval: tuple[str, ...]
) -> None:
    checkout, ids = flipped

    ran = checkout.run("--once", "--wait", *approval)

    assert ran.code == 3
    assert "25" in ran.err
    assert "--allow-cancels 25" in ran.err
    assert "Requested: nothing" in ran.out
    assert sandbox.cancels(*ids) == []
    assert checkout.status("job-00").ready.reason == "RefusedByGuard"
    assert checkout.status("job-00").receipts == ()


def test_approved_cancels_are_requested_and_their_receipts_name_the_approval(
    flipped: tuple[Checkout, list[str]], sandbox: Sandbox
) -> None:
    checkout, ids = flipped

    ran = checkout.run("--once", "--wait", "--allow-cancels", "25")
    receipts = [checkout.status(f"job-{number:02}").receipts[0] for number in range(FLIPPED)]

    assert ran.code == 0
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)
    assert {receipt.outcome for receipt in receipts} == {"cancelled"}
    assert {receipt.approved_by for receipt in receipts} == {"--allow-cancels 25"}
