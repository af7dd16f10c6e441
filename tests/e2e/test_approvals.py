"""`Approve-Cancels: N` in a commit message, against the guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_corner import Sandbox

JOBS = 6


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")


def a_flip(clone: Clone, sandbox: Sandbox, message: str) -> tuple[Checkout, list[str]]:
    """Commit specs that observe their jobs, and then one commit that wants all of them cancelled."""
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    jobs = sandbox.create(JOBS)
    for state, said in (("observed", "Watch them"), ("cancelled", message)):
        for number, job_id in enumerate(jobs):
            checkout.want(f"job-{number}", job_id, state)
        clone.commit(said)
    return checkout, jobs


def test_a_large_change_without_the_line_is_refused(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_the_line_lets_its_own_commit_pass(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 0, ran.err
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs)
    assert str(checkout.status("job-0").receipts[0].approved_by).startswith("Approve-Cancels ")


def test_a_number_that_is_too_small_approves_nothing(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS - 1}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_a_commit_approves_no_job_that_it_did_not_change(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    checkout.write("other.yaml", "# a comment\n")
    clone.commit(f"Say something else\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_a_merge_approves_what_it_brings_in(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    jobs = sandbox.create(JOBS)
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id, "observed")
    clone.commit("Watch them")
    clone.git("checkout", "--quiet", "-b", "flip")
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id)
    clone.commit("Stop them all")
    clone.git("checkout", "--quiet", "main")
    clone.git("merge", "--quiet", "--no-ff", "flip", "-m", f"Merge the flip\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 0, ran.err
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs)


def test_a_shallow_clone_approves_nothing_and_says_so(clone: Clone, sandbox: Sandbox, tmp_path: Path) -> None:
    _, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    clone.push()
    shallow = a_clone(tmp_path / "remote.git", tmp_path / "ci", "--depth", "1")
    ran = Checkout(shallow.root, sandbox.environ).run("--once", "--wait")

    assert ran.code == 3
    assert "fetch-depth: 0" in ran.err
    assert sandbox.cancels(*jobs) == []


def test_a_merge_under_way_is_read_and_not_acted_on(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    (clone.root / ".git" / "MERGE_HEAD").write_text(clone.git("rev-parse", "HEAD") + "\n", encoding="utf-8")
    ran = checkout.run("--once")

    assert "a merge is under way (RevisionNotTrusted)" in ran.err
    assert sandbox.cancels(job_id) == []
