"""How the line `Approve-Cancels: N` in a commit message approves the changes that the guard refuses."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.both_kinds import BATCH, BothKinds, a_batch
from tests.support.cli import Checkout
from tests.support.jobs_api import a_row
from tests.support.repositories import Clone, a_clone
from tests.support.sandbox_client import Sandbox

JOBS = 6


def a_flip(clone: Clone, sandbox: Sandbox, message: str) -> tuple[Checkout, list[str]]:
    """Commit specs that observe their jobs, and then one commit that requests the cancel of all of them."""
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    jobs = sandbox.create(JOBS)
    for state, said in (("observed", "Watch them"), ("cancelled", message)):
        for number, job_id in enumerate(jobs):
            checkout.want(f"job-{number}", job_id, state)
        clone.commit(said)
    return checkout, jobs


def test_a_large_change_without_an_approval_line_is_refused(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_an_approval_line_allows_the_changes_of_its_commit(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 0, ran.err
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs)
    assert str(checkout.status("job-0").receipts[0].approved_by).startswith("Approve-Cancels ")


def test_an_approval_for_too_few_changes_approves_nothing(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS - 1}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_a_commit_does_not_approve_jobs_that_it_did_not_change(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    checkout.write("other.yaml", "# a comment\n")
    clone.commit(f"Say something else\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", ["--squash", "--no-ff"])
def test_a_merge_commit_approves_the_changes_it_merges_exactly_once(clone: Clone, sandbox: Sandbox, way: str) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    jobs = sandbox.create(2 * JOBS)
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id, "observed")
    clone.commit("Watch them")
    clone.git("checkout", "--quiet", "-b", "flip")
    for number, job_id in enumerate(jobs[:JOBS]):
        checkout.want(f"job-{number}", job_id)
        clone.commit(f"Stop number {number}")
    clone.git("checkout", "--quiet", "main")
    clone.git("merge", "--quiet", way, "flip", *(["-m", "Merge"] if way == "--no-ff" else []))
    amend = ["--amend"] if way == "--no-ff" else []
    clone.git("commit", "--quiet", *amend, "-m", f"Stop the first half (#7)\n\nApprove-Cancels: {2 * JOBS}")
    first = checkout.run("--once", "--wait")
    for number, job_id in enumerate(jobs[JOBS:], JOBS):
        checkout.want(f"job-{number}", job_id)
    clone.commit("Stop the other half too")
    second = checkout.run("--once", "--wait")

    assert first.code == 0, first.err
    assert second.code == 3
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs[:JOBS])


def test_an_approval_covers_the_desired_state_of_its_commit_and_no_later_one(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    for number, job_id in enumerate(jobs):
        checkout.want(f"job-{number}", job_id, "paused")
    clone.commit("Or rather pause them")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert {each["verb"] for each in sandbox.requests(*jobs)} <= {"retrieve"}


def test_an_approval_for_batches_does_not_cover_fine_tuning_jobs_with_the_same_ids(clone: Clone) -> None:
    ids = [f"same-{number}" for number in range(JOBS)]
    app = BothKinds({each: a_row(each) for each in ids}, {each: a_batch(each, "completed") for each in ids})
    said = ("observed", "Watch them"), ("cancelled", f"Stop the batches\n\nApprove-Cancels: {JOBS}")
    with app.served() as url:
        checkout = Checkout(clone.root, {"OPENAI_API_KEY": "k-of-the-test", "OPENAI_BASE_URL": url})
        for state, message in said:
            for each in ids:
                checkout.write(f"{each}.yaml", BATCH.format(name=each, provider="openai", job_id=each, state=state))
            clone.commit(message)
        for each in ids:
            checkout.want(each, each, "cancelled", "openai")
        clone.commit("Correct the kind")
        ran = checkout.run("--once")

    assert ran.code == 3
    assert app.changes == []


@pytest.mark.sampled(each="way")
@pytest.mark.parametrize(
    ("line", "way"),
    [
        ("baseUrl: {url}", "a commit"),
        ("options: {{organization: org-b}}", "a commit"),
        ("baseUrl: {url}", "a commit with an old date"),
        ("baseUrl: {url}", "no commit"),
    ],
)
def test_a_later_change_of_the_provider_document_ends_the_approval(
    clone: Clone, sandbox: Sandbox, line: str, way: str
) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    checkout.name_provider(more=line.format(url=sandbox.environ["OPENAI_BASE_URL"]))
    if way != "no commit":
        clone.git("add", "--", "specs/main.yaml")
        date = datetime.now(UTC) - timedelta(days=2 if way == "a commit with an old date" else 0)
        clone.git("commit", "--quiet", "--message", "Edit the provider", GIT_COMMITTER_DATE=date.isoformat())
    ran = checkout.run("--once", "--wait")
    why = "differs from its commit" if way == "no commit" else "a later commit changes the Provider document"

    assert ran.code == 3, ran.err
    assert "is ignored: " in ran.err
    assert why in ran.err
    assert sandbox.cancels(*jobs) == []


def test_the_line_of_a_commit_that_changes_a_status_is_ignored_and_the_refusal_says_so(
    clone: Clone, sandbox: Sandbox
) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    checkout.status_dir.mkdir(exist_ok=True)
    (checkout.status_dir / "old.yaml").write_text("{}\n", encoding="utf-8")
    clone.git("add", "--", "specs/status/old.yaml")
    clone.git("commit", "--quiet", "--amend", "--message", f"Stop them all\n\nApprove-Cancels: {JOBS}")
    commit = clone.git("rev-parse", "HEAD")[:12]
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert f"The Approve-Cancels line of commit {commit} is ignored: the commit also changes a status." in ran.err
    assert sandbox.cancels(*jobs) == []


def test_a_provider_document_behind_a_link_has_no_approval(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (checkout.specs / "main.yaml").rename(checkout.specs / "main.txt")
    (checkout.specs / "main.yaml").symlink_to("main.txt")
    jobs = sandbox.create(JOBS)
    for state, said in (("observed", "Watch them"), ("cancelled", f"Stop them\n\nApprove-Cancels: {JOBS}")):
        for number, job_id in enumerate(jobs):
            checkout.want(f"job-{number}", job_id, state)
        clone.commit(said)
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3, ran.err
    assert sandbox.cancels(*jobs) == []


def test_an_approval_outlasts_a_later_commit_that_only_moves_the_provider_document(
    clone: Clone, sandbox: Sandbox
) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    clone.git("mv", "specs/main.yaml", "specs/moved.yaml")
    checkout.name_provider("another")
    clone.commit("Move the provider, and add another")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 0, ran.err
    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs)


def test_an_approval_is_used_once(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {10 * JOBS}")
    states = {"paused": f"Pause\n\nApprove-Cancels: {10 * JOBS}", "running": "Go on", "again": "Pause again"}
    ran = {}
    for state, message in states.items():
        for number, job_id in enumerate(jobs):
            checkout.want(f"job-{number}", job_id, "paused" if state == "again" else state)
        clone.commit(message)
        ran[state] = checkout.run("--once", *(["--allow-cancels", str(JOBS)] if state == "running" else []))

    assert [each.code for each in ran.values()] == [0, 0, 3]
    assert {sandbox.phase(job_id) for job_id in jobs} <= {"queued", "running", "validating_files"}


def test_a_shallow_clone_approves_nothing_and_reports_it(clone: Clone, sandbox: Sandbox, tmp_path: Path) -> None:
    _, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    clone.push()
    shallow = a_clone(tmp_path / "remote.git", tmp_path / "ci", "--depth", "1")
    ran = Checkout(shallow.root, sandbox.environ).run("--once", "--wait")

    assert ran.code == 3
    assert "fetch-depth: 0" in ran.err
    assert sandbox.cancels(*jobs) == []


def test_a_linked_working_tree_of_a_shallow_clone_approves_nothing(
    clone: Clone, sandbox: Sandbox, tmp_path: Path
) -> None:
    _, jobs = a_flip(clone, sandbox, f"Stop them all\n\nApprove-Cancels: {JOBS}")
    clone.push()
    shallow = a_clone(tmp_path / "remote.git", tmp_path / "ci", "--depth", "1")
    shallow.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    ran = Checkout(tmp_path / "linked", sandbox.environ).run("--once", "--wait")

    assert ran.code == 3
    assert "fetch-depth: 0" in ran.err
    assert sandbox.cancels(*jobs) == []


def test_a_commit_that_only_moves_a_file_approves_nothing(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    clone.git("mv", "specs/job-0.yaml", "specs/job-0-too.yaml")
    specs = [(clone.root / f"specs/job-{number}.yaml") for number in range(1, JOBS)]
    (clone.root / "specs" / "all.yaml").write_text("---\n".join(each.read_text() for each in specs))
    for each in specs:
        each.unlink()
    clone.commit(f"Put them into one file\n\nApprove-Cancels: {JOBS}")
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


def test_a_commit_approves_nothing_if_its_parent_cannot_be_read(clone: Clone, sandbox: Sandbox) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    before = [clone.git("rev-parse", f"HEAD:specs/job-{number}.yaml") for number in range(JOBS)]
    for number in range(JOBS):
        checkout.write(f"job-{number}.yaml", (checkout.specs / f"job-{number}.yaml").read_text() + "# as before\n")
    clone.commit(f"Say something else\n\nApprove-Cancels: {JOBS}")
    for blob in before:
        (clone.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    ran = checkout.run("--once", "--wait")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(minutes=20)], ids=["a little", "a lot"])
def test_a_commit_dated_in_the_future_approves_nothing_until_then(
    clone: Clone, sandbox: Sandbox, ahead: timedelta
) -> None:
    checkout, jobs = a_flip(clone, sandbox, "Stop them all")
    clone.git("reset", "--quiet", "--soft", "HEAD~1")
    date = (datetime.now(UTC) + ahead).isoformat()
    message = f"Stop them all\n\nApprove-Cancels: {JOBS}"
    clone.git("commit", "--quiet", "-m", message, GIT_COMMITTER_DATE=date)
    ran = checkout.run("--once")

    assert ran.code == 3
    assert sandbox.cancels(*jobs) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
def test_a_checkout_that_git_refuses_to_read_is_not_acted_on(clone: Clone, sandbox: Sandbox, tmp_path: Path) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    for each in (checkout.root, *checkout.root.rglob("*")):
        os.chown(each, 65532, 65532)

    ran = checkout.run("--once", HOME=str(tmp_path))

    assert ran.code == 1
    assert "safe.directory" in ran.err
    assert str(checkout.root) not in (checkout.root / "specs" / "status" / "runaway.yaml").read_text(encoding="utf-8")
    assert sandbox.cancels(job_id) == []
