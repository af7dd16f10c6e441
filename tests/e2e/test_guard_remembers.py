"""The guard counts the changes of the last hour, even if specs change. In CI, only the statuses record them."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import a_checkout
from tests.support.cli import SPEC, Checkout, Ran
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

ALLOWED = 3
APPROVED = 5


def ask_anew(checkout: Checkout, root: Path) -> Ran:
    """Make a pass as in CI: in a new copy of the specs and statuses, without other files."""
    fresh = Checkout(root, checkout.environ)
    shutil.copytree(checkout.specs, fresh.specs)
    ran = fresh.run("--once", "--wait")
    shutil.rmtree(checkout.specs)
    shutil.copytree(fresh.specs, checkout.specs)
    return ran


@pytest.fixture
def braked(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    """Return a checkout in which as many jobs were just cancelled as the guard allows in an hour."""
    checkout = a_checkout(tmp_path / "at", sandbox)
    for number, job_id in enumerate(sandbox.create(ALLOWED)):
        checkout.want(f"job-{number}", job_id)
    assert ask_anew(checkout, tmp_path / "at-first").code == 0
    return checkout


def test_renaming_the_jobs_in_specs_does_not_bypass_the_guard(
    braked: Checkout, sandbox: Sandbox, tmp_path: Path
) -> None:
    others = sandbox.create(ALLOWED)
    for number, job_id in enumerate(others):
        braked.want(f"job-{number}", job_id)
    ran = [ask_anew(braked, tmp_path / f"pass-{number}") for number in range(3)]

    assert [each.code for each in ran] == [3, 3, 3]
    assert sandbox.cancels(*others) == []


def test_replacing_deleted_specs_does_not_bypass_the_guard(braked: Checkout, sandbox: Sandbox, tmp_path: Path) -> None:
    others = sandbox.create(ALLOWED)
    for number, job_id in enumerate(others):
        (braked.specs / f"job-{number}.yaml").unlink()
        braked.want(f"other-{number}", job_id)
    ran = [ask_anew(braked, tmp_path / f"pass-{number}") for number in range(3)]

    assert [each.code for each in ran] == [3, 3, 3]
    assert sandbox.cancels(*others) == []
    assert braked.status("job-0").ready.reason == "SpecDeleted"


def test_the_kept_status_of_a_deleted_spec_is_written_once_and_affects_no_exit_code(
    braked: Checkout, sandbox: Sandbox, tmp_path: Path
) -> None:
    (observed,) = sandbox.create(1)
    for number in range(ALLOWED):
        (braked.specs / f"job-{number}.yaml").unlink()
    braked.want("other", observed, "observed")
    first = ask_anew(braked, tmp_path / "first")
    before = (braked.status_dir / "job-0.yaml").read_bytes()
    second = ask_anew(braked, tmp_path / "second")
    got = braked.run("get")

    assert (first.code, second.code, got.code) == (0, 0, 0)
    assert "job-0" not in got.out + got.err
    assert (braked.status_dir / "job-0.yaml").read_bytes() == before


def test_a_spec_restored_within_the_hour_keeps_its_receipts(braked: Checkout, sandbox: Sandbox, tmp_path: Path) -> None:
    before = braked.status("job-0")
    text = (braked.specs / "job-0.yaml").read_text()
    (braked.specs / "job-0.yaml").unlink()
    ask_anew(braked, tmp_path / "without")
    braked.write("job-0.yaml", text)
    got = braked.run("get", "job-0")
    ran = ask_anew(braked, tmp_path / "with")
    after = braked.status("job-0")

    assert "SpecDeleted" not in got.out
    assert ran.code == 0
    assert (after.ready.reason, after.receipts, after.final) == ("Cancelled", before.receipts, True)
    assert len(sandbox.cancels(str(after.job.id if after.job else None))) == 1


def test_the_first_batch_of_a_watch_uses_up_an_approved_number(checkout: Checkout, sandbox: Sandbox) -> None:
    lots = [sandbox.create(APPROVED), sandbox.create(APPROVED)]
    with watching(checkout, "--allow-cancels", str(APPROVED)) as watch:
        for lot, ids in enumerate(lots):
            # All specs are written at once, because the watch would treat several writes as several smaller changes.
            specs = [SPEC.format(name=f"{lot}-{job}", job_id=job, state="cancelled", provider="main") for job in ids]
            checkout.write(f"lot-{lot}.yaml", "---\n".join(specs))
            wait_for(partial(is_told, checkout, [f"{lot}-{job}" for job in ids]), "each cancel is confirmed or refused")
        watch.stop()

    assert sorted(sandbox.cancels(*lots[0])) == sorted(lots[0])
    assert sandbox.cancels(*lots[1]) == []
    assert checkout.status(f"1-{lots[1][0]}").ready.reason == "RefusedByGuard"


def is_told(checkout: Checkout, names: list[str]) -> bool:
    told = {"Cancelled", "RefusedByGuard"}
    is_there = all((checkout.status_dir / f"{name}.yaml").exists() for name in names)
    return is_there and all(checkout.status(name).ready.reason in told for name in names)


def test_an_approved_change_that_the_provider_throttled_is_retried(checkout: Checkout, sandbox: Sandbox) -> None:
    ids = sandbox.create(2 * APPROVED)
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number}", job_id)
    sandbox.break_with({"fault": "status", "status": "429", "on": "cancel", "times": APPROVED})
    ran = checkout.run("--once", "--wait", "--allow-cancels", str(len(ids)))

    assert ran.code == 0, ran.err
    assert {sandbox.phase(job_id) for job_id in ids} == {"cancelled"}


def test_kept_statuses_of_deleted_specs_do_not_raise_the_percentage_limit(tmp_path: Path, sandbox: Sandbox) -> None:
    checkout = a_checkout(tmp_path / "at", sandbox)
    ids = sandbox.create(24)
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number:02}", job_id, "observed")
    assert ask_anew(checkout, tmp_path / "observed").code == 0
    for number in range(18):
        (checkout.specs / f"job-{number:02}.yaml").unlink()
    for number, job_id in enumerate(ids[18:], 18):
        checkout.want(f"job-{number:02}", job_id)
    ran = [ask_anew(checkout, tmp_path / f"pass-{number}") for number in range(2)]

    assert [each.code for each in ran] == [3, 3]
    assert "18 of 24 specs disappeared at once; their statuses are kept" in ran[0].err
    assert "100 % of 6 unfinished jobs" in ran[0].err
    assert sandbox.cancels(*ids) == []


def test_a_commits_approval_does_not_cover_other_jobs_of_the_same_name(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    jobs, others = sandbox.create(APPROVED), sandbox.create(APPROVED)
    ran = []
    for ids, message in (
        (jobs, f"Stop them\n\nApprove-Cancels: {APPROVED}"),
        (others, "Name others"),
        (jobs, "Name the first again"),
        (others, "Name the others again"),
    ):
        for number, job_id in enumerate(ids):
            checkout.want(f"job-{number}", job_id)
        clone.commit(message)
        ran += [checkout.run("--once", "--wait"), checkout.run("--once", "--wait")]

    assert [each.code for each in ran] == [0, 0, 3, 3, 0, 0, 3, 3]
    assert sandbox.cancels(*others) == []
