"""Attacks on the change guard by an author of specs, statuses and commits.

Each test checks the result: no more jobs were cancelled within an hour than the guard allows, whatever the author wrote
to the files. `RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.formats.status_writer import render_status
from reconciler.model.status import Because, JobStatus, Receipt, Verb
from tests.e2e.conftest import a_checkout
from tests.support.cli import SPEC, Checkout, started_sandbox
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

ALLOWED = 3
"""The number of changes that the guard allows in an hour for a few jobs."""
MANY = 30
ALIAS = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: {name}}}
spec: {spec}
"""
FAST = "rateLimit: {requestsPerSecond: 1000, burst: 1000, concurrency: 8}"


@dataclass(frozen=True, slots=True)
class Field:
    """A checkout whose author tries to have more jobs cancelled than the guard allows."""

    checkout: Checkout
    sandbox: Sandbox
    job_ids: Sequence[str]

    def want(self, numbers: Sequence[int], state: str = "cancelled", provider: str = "main") -> None:
        """Set the desired state of some of the jobs."""
        for number in numbers:
            self.checkout.want(f"job-{number:02}", self.job_ids[number], state, provider)

    def cancelled(self) -> list[str]:
        """Return the jobs for which a cancel arrived, each once."""
        return sorted(set(self.sandbox.cancels(*self.job_ids)))

    def forge(self, number: int, change: Callable[[JobStatus], JobStatus]) -> None:
        """Rewrite a status with a matching digest. Any user can compute the digest, which is plain SHA-256."""
        name = f"job-{number:02}"
        text = render_status(change(self.checkout.status(name)))
        (self.checkout.status_dir / f"{name}.yaml").write_text(text, encoding="utf-8")

    def as_in_ci(self) -> Checkout:
        """Remove the state directory, as on a new machine in CI, and return the checkout."""
        shutil.rmtree(self.checkout.root / "cache", ignore_errors=True)
        return self.checkout


def a_field(root: Path, sandbox: Sandbox, jobs: int) -> Field:
    return Field(a_checkout(root, sandbox), sandbox, sandbox.create(jobs))


def a_receipt(age: timedelta, **rest: object) -> Receipt:
    at = (datetime.now(UTC) - age).replace(microsecond=0)
    usual = {"verb": Verb.CANCEL, "because": Because.DESIRED_STATE, "reason": None, "origin": None, "attempts": 1}
    return Receipt(**{**usual, "requested_at": at, "last_attempt_at": at, **rest})  # type: ignore[arg-type]


def with_open_receipt(status: JobStatus) -> JobStatus:
    """Return a status with a cancel that was requested three hours ago and has no response."""
    return replace(status, receipts=(a_receipt(timedelta(hours=3)),))


# Forged receipts, which the journal does not confirm


def with_forged_receipts(root: Path, sandbox: Sandbox) -> Field:
    """Return a field that requests a batch of cancels. Its forged statuses have a receipt for each."""
    field = a_field(root, sandbox, MANY)
    field.want(range(MANY), "observed")
    assert field.checkout.run("--once").code == 0
    for number in range(MANY):
        field.forge(number, with_open_receipt)
    field.want(range(MANY))
    return field


@pytest.mark.parametrize("is_ci", [False, True], ids=["on the same machine", "in a fresh CI"])
def test_forged_open_receipts_do_not_bypass_the_guard(tmp_path: Path, sandbox: Sandbox, *, is_ci: bool) -> None:
    field = with_forged_receipts(tmp_path, sandbox)
    ran = (field.as_in_ci() if is_ci else field.checkout).run("--once", "--wait")

    assert field.cancelled() == []
    assert ran.code == 3
    assert field.checkout.status("job-00").ready.reason == "RefusedByGuard"
    assert field.checkout.status("job-00").receipts[0].attempts == 1


def test_forged_receipts_in_statuses_never_written_do_not_bypass_the_guard(tmp_path: Path, sandbox: Sandbox) -> None:
    field = with_forged_receipts(tmp_path, sandbox)
    for _ in range(3):
        field.as_in_ci().run("--once")

    assert field.cancelled() == []


def test_a_genuine_open_receipt_is_retried_beside_a_refused_batch(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, ALLOWED)
    sandbox.break_with({"verb": "cancel", "fault": "reset-before-acting", "times": ALLOWED})
    field.want(range(ALLOWED))
    ran = field.checkout.run("--once", "--wait")

    assert ran.code == 0
    assert len(field.cancelled()) == ALLOWED
    assert field.checkout.status("job-00").receipts[0].outcome == "cancelled"


# Deleted statuses


def test_deleting_statuses_after_each_commit_does_not_bypass_the_guard(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 20)
    field.want(range(20), "observed")
    field.checkout.run("--once")
    for first in range(0, 12, ALLOWED):
        field.want(range(first, first + ALLOWED))
        field.checkout.run("--once", "--wait")
        shutil.rmtree(field.checkout.status_dir)

    assert len(field.cancelled()) <= 6  # 30 % of 20 jobs


def test_deleting_specs_with_their_statuses_does_not_bypass_the_guard(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 12)
    for first in range(0, 12, ALLOWED):
        field.want(range(first, first + ALLOWED))
        field.checkout.run("--once", "--wait")
        shutil.rmtree(field.checkout.status_dir)
        for path in field.checkout.specs.glob("job-*.yaml"):
            path.unlink()

    assert len(field.cancelled()) == ALLOWED


def until_the_next_second() -> None:
    """Wait for the next second, because statuses record times in whole seconds."""
    time.sleep(1.0 - time.time() % 1.0)


def test_many_vanished_statuses_block_every_first_request_and_report_why(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 12)
    field.want(range(12), "observed")
    field.checkout.run("--once")
    kept = field.checkout.copy_to(tmp_path / "kept")
    for number in range(8):
        (field.checkout.status_dir / f"job-{number:02}.yaml").unlink()
    until_the_next_second()  # statuses have whole seconds, so a status rewritten within one would be equal
    field.want([0])
    refused = field.checkout.run("--once")
    again = field.checkout.run("--once")
    held = field.cancelled()
    shutil.copytree(kept.status_dir, field.checkout.status_dir, dirs_exist_ok=True)
    restored = field.checkout.run("--once", "--wait")

    assert held == []
    assert (refused.code, again.code) == (3, 3)
    assert "8 of 12 statuses were deleted or damaged since they were written" in refused.err
    assert "--allow-cancels" in refused.err
    assert restored.code == 0
    assert len(field.cancelled()) == 1


def test_many_corrupt_statuses_block_first_requests_until_a_person_approves(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 6)
    field.want(range(6), "observed")
    field.checkout.run("--once")
    for path in field.checkout.status_dir.glob("job-*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("running", "queued") + "# by hand\n", encoding="utf-8")
    field.want([0])
    refused = field.checkout.run("--once")
    held = field.cancelled()
    allowed = field.checkout.run("--once", "--wait", "--allow-cancel", "job-00")

    assert (refused.code, held) == (3, [])
    assert allowed.code == 0
    assert len(field.cancelled()) == 1


def test_a_few_lost_statuses_block_no_request(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 12)
    field.want(range(12), "observed")
    field.checkout.run("--once")
    (field.checkout.status_dir / "job-05.yaml").unlink()
    field.want([0])
    ran = field.checkout.run("--once", "--wait")

    assert ran.code == 0
    assert len(field.cancelled()) == 1


# Attempts that are hidden from the count of the hour


@pytest.mark.parametrize("by", ["--allow-cancels 99", "Approve-Cancels 0123456789ab"])
def test_an_approval_forged_in_a_receipt_does_not_raise_the_limit(tmp_path: Path, sandbox: Sandbox, by: str) -> None:
    field = a_field(tmp_path, sandbox, 2 * ALLOWED)
    field.want(range(ALLOWED))
    field.checkout.run("--once", "--wait")
    for number in range(ALLOWED):
        field.forge(number, lambda status: replace(status, receipts=(replace(status.receipts[0], approved_by=by),)))
    field.want(range(ALLOWED, 2 * ALLOWED))
    ran = field.checkout.run("--once")

    assert ran.code == 3
    assert len(field.cancelled()) == ALLOWED


def test_backdated_receipts_do_not_raise_the_limit(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 2 * ALLOWED)
    field.want(range(ALLOWED))
    field.checkout.run("--once", "--wait")
    then = datetime(2020, 1, 1, tzinfo=UTC)

    def dated_back(status: JobStatus) -> JobStatus:
        return replace(status, receipts=(replace(status.receipts[0], requested_at=then, last_attempt_at=then),))

    for number in range(ALLOWED):
        field.forge(number, dated_back)
    field.want(range(ALLOWED, 2 * ALLOWED))
    ran = field.checkout.run("--once")

    assert ran.code == 3
    assert len(field.cancelled()) == ALLOWED


def test_a_new_machine_counts_the_requests_recorded_in_git(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = a_field(clone.root, sandbox, 4 * ALLOWED)
    for first in range(0, 4 * ALLOWED, ALLOWED):
        field.want(range(first, first + ALLOWED))
        clone.commit("Stop three more")
        field.as_in_ci().run("--once", "--wait", "--commit")
        clone.git("rm", "-r", "--quiet", "specs/status")
        clone.git("commit", "--quiet", "--message", "Tidy up")

    assert len(field.cancelled()) == ALLOWED


def test_a_misdated_commit_does_not_hide_requests_recorded_in_git(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = a_field(clone.root, sandbox, 2 * ALLOWED)
    field.want(range(ALLOWED))
    clone.commit("Stop three")
    field.as_in_ci().run("--once", "--wait", "--commit")
    clone.git("rm", "-r", "--quiet", "specs/status")
    clone.git("commit", "--quiet", "--message", "Tidy up", GIT_COMMITTER_DATE="2001-01-01T00:00:00Z")
    field.want(range(ALLOWED, 2 * ALLOWED))
    clone.commit("Stop three more")
    field.as_in_ci().run("--once", "--wait")

    assert len(field.cancelled()) == ALLOWED


def bury(clone: Clone, commits: Sequence[Sequence[str]]) -> None:
    """Add these commits, each with files of these names among the statuses, and then delete all statuses.

    The files are never checked out, because that would take most of the test's time.
    """
    clone.git("rm", "-r", "--quiet", "specs/status")
    clone.git("commit", "--quiet", "--message", "Tidy up")
    head = ["commit refs/heads/main", f"committer Mallory <m@example.org> {int(time.time())} +0000", "data 0"]
    lines = list[str]()
    for number, names in enumerate(commits):
        lines += [*head, "from refs/heads/main^0"] if number == 0 else head
        lines += [f"M 100644 inline specs/status/{name}.yaml\ndata {len(str(number))}\n{number}" for name in names]
    data = "\n".join([*lines, *head, "D specs/status", ""])
    subprocess.run(["git", "fast-import", "--quiet"], cwd=clone.root, input=data, text=True, check=True)
    clone.git("reset", "--quiet", "--hard", "main")


def turn_around(clone: Clone) -> None:
    """Commit to a branch that forks before the published commits, and merge them as the second parent."""
    published = clone.git("rev-parse", "HEAD")
    clone.git("reset", "--quiet", "--hard", ":/Stop three")
    clone.git("commit", "--quiet", "--allow-empty", "--message", "Write a note")
    clone.git("merge", "--quiet", "--no-edit", "--strategy=ours", published)


FLOODS: dict[str, Callable[[Clone], None]] = {
    "many commits": lambda clone: bury(clone, [["note"]] * 600),
    "more files than reconcile reads": lambda clone: bury(
        clone, [[f"a-{n}/{at}" for at in range(1_000)] for n in range(51)]
    ),
    "a merge with the published commits as its second parent": turn_around,
}


@pytest.mark.long
@pytest.mark.parametrize("flood", FLOODS)
def test_a_new_machine_counts_requests_buried_under_many_commits(tmp_path: Path, sandbox: Sandbox, flood: str) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = a_field(clone.root, sandbox, 2 * ALLOWED)
    field.want(range(ALLOWED))
    clone.commit("Stop three")
    field.as_in_ci().run("--once", "--wait", "--commit")
    field.as_in_ci()
    FLOODS[flood](clone)
    field.want(range(ALLOWED, 2 * ALLOWED))
    clone.commit("Stop three more")
    ran = field.as_in_ci().run("--once")

    assert ran.code == 3
    assert len(field.cancelled()) == ALLOWED


# Aliases and invented jobs


def test_aliases_of_one_account_share_its_hourly_limit(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 7 * ALLOWED)
    for number in range(7):
        text = ALIAS.format(name=f"p{number}", spec=f"{{type: openai, options: {{project: p{number}}}, {FAST}}}")
        field.checkout.write(f"p{number}.yaml", text)
        field.want(range(number * ALLOWED, (number + 1) * ALLOWED), provider=f"p{number}")
    with started_sandbox(tmp_path, "--port", "0") as url:
        other = Sandbox(url)
        host = url.removeprefix("http://").partition("/")[0]
        text = ALIAS.format(
            name="other", spec=f"{{type: openai, baseUrl: '{url}', credentials: {{env: OTHER_KEY}}, {FAST}}}"
        )
        field.checkout.write("other.yaml", text)
        for number, job_id in enumerate(other.create(100)):
            field.checkout.want(f"other-{number}", job_id, "observed", "other")
        for _ in range(3):
            ran = field.checkout.run("--once", OTHER_KEY="sk-other", RECONCILE_TRUST=f"OTHER_KEY={host}")

    assert ran.code == 3
    assert len(field.cancelled()) <= 6  # 30 % of the 21 jobs at this host


def test_a_new_alias_does_not_get_a_separate_hourly_limit(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 2 * ALLOWED)
    field.want(range(ALLOWED))
    field.checkout.run("--once", "--wait")
    text = ALIAS.format(name="other", spec=f"{{type: openai, options: {{project: p0}}, {FAST}}}")
    field.checkout.write("other.yaml", text)
    for path in (field.checkout.specs / "main.yaml", *field.checkout.specs.glob("job-*.yaml")):
        path.unlink()
    field.want(range(ALLOWED, 2 * ALLOWED), provider="other")
    ran = field.checkout.run("--once")

    assert ran.code == 3
    assert len(field.cancelled()) == ALLOWED


def test_sandbox_jobs_do_not_raise_the_limit_of_real_accounts(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 7 * ALLOWED)
    padding = [{"id": f"ftjob-pad-{number}", "life": [{"phase": "running"}]} for number in range(100)]
    text = ALIAS.format(name="padding", spec=json.dumps({"type": "sandbox", "options": {"jobs": padding}}))
    field.checkout.write("padding.yaml", text)
    for number in range(100):
        name = f"pad-{number}"
        spec = SPEC.format(name=name, provider="padding", job_id=f"ftjob-pad-{number}", state="observed")
        field.checkout.write(f"pad/{name}.yaml", spec)
    for number in range(7):
        text = ALIAS.format(name=f"p{number}", spec=f"{{type: openai, options: {{project: p{number}}}, {FAST}}}")
        field.checkout.write(f"p{number}.yaml", text)
        field.want(range(number * ALLOWED, (number + 1) * ALLOWED), provider=f"p{number}")
    for _ in range(2):
        ran = field.checkout.run("--once")

    assert ran.code == 3
    assert len(field.cancelled()) <= 6  # 30 % of 21 jobs


def test_jobs_known_only_from_a_status_do_not_raise_the_limit(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 6)
    field.want(range(6), "observed")
    field.checkout.run("--once")
    model = field.checkout.status("job-00")
    for number in range(100):
        name, job_id = f"none-{number:03}", f"ftjob-none-{number:03}"
        field.checkout.write(f"{name}.yaml", SPEC.format(name=name, provider="main", job_id=job_id, state="observed"))
        assert model.job is not None
        made_up = replace(model, name=name, source=f"{name}.yaml", job=replace(model.job, id=job_id))
        (field.checkout.status_dir / f"{name}.yaml").write_text(render_status(made_up), encoding="utf-8")
    field.want(range(6))
    ran = field.checkout.run("--once", "--timeout", "0s")

    assert ran.code in {3, 69}
    assert field.cancelled() == []


# Approvals that are used twice


def an_approved_flip(clone: Clone, sandbox: Sandbox, jobs: int, count: int) -> Field:
    field = a_field(clone.root, sandbox, jobs)
    field.want(range(jobs), "observed")
    clone.commit("Watch them")
    field.want(range(jobs))
    clone.commit(f"Stop them all\n\nApprove-Cancels: {count}")
    return field


def test_a_used_approval_stays_used_after_the_statuses_are_deleted(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = an_approved_flip(clone, sandbox, 6, 6)
    first = field.checkout.run("--once", "--wait")
    fresh = sandbox.create(6)
    shutil.rmtree(field.checkout.status_dir)
    # The specs now name other running jobs, which the earlier commit does not approve.
    again = Field(field.checkout, sandbox, fresh)
    again.want(range(6))
    clone.commit("Stop six others under the same names")
    ran = field.checkout.run("--once")

    assert first.code == 0
    assert ran.code == 3
    assert again.cancelled() == []


def test_two_approvals_of_the_same_jobs_do_not_add_up(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = a_field(clone.root, sandbox, 8)
    field.want(range(8), "observed")
    clone.commit("Watch them")
    field.want(range(8))
    clone.commit("Stop them all\n\nApprove-Cancels: 4")
    ran = [field.checkout.run("--once", "--selector", f"part={part}") for part in ("none",)]
    for number in range(8):
        path = field.checkout.specs / f"job-{number:02}.yaml"
        part = "a" if number < 4 else "b"
        path.write_text(path.read_text(encoding="utf-8").replace("{name: ", f"{{labels: {{part: {part}}}, name: "))
    clone.commit("Label them\n\nApprove-Cancels: 4")
    ran += [field.checkout.run("--once", "--wait", "--selector", f"part={part}") for part in ("a", "b")]

    assert ran[-1].code == 3
    assert len(field.cancelled()) <= 4


def test_a_commit_dated_in_the_future_approves_nothing_yet(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    field = a_field(clone.root, sandbox, 6)
    field.want(range(6), "observed")
    clone.commit("Watch them")
    field.want(range(6))
    clone.git("add", "--all", "--", ":!specs/status")
    soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    clone.git("commit", "--quiet", "--message", "Stop them\n\nApprove-Cancels: 6", GIT_COMMITTER_DATE=soon)
    ran = field.checkout.run("--once")

    assert ran.code == 3
    assert field.cancelled() == []


# The journal


def test_an_unreadable_journal_blocks_every_first_request(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 2)
    field.want([0])
    field.checkout.run("--once", "--wait")
    (journal,) = (tmp_path / "cache").rglob("requests.journal")
    journal.write_text("something else\n", encoding="utf-8")
    field.want([1])
    ran = field.checkout.run("--once")

    assert ran.code == 70
    assert f"{journal} cannot be read" in ran.out + ran.err
    assert len(field.cancelled()) == 1


def test_the_journal_is_readable_by_its_owner_only_and_contains_no_secret(tmp_path: Path, sandbox: Sandbox) -> None:
    field = a_field(tmp_path, sandbox, 1)
    field.want([0])
    field.checkout.run("--once", "--wait")
    (journal,) = (tmp_path / "cache").rglob("requests.journal")
    text = journal.read_text(encoding="utf-8")

    assert sandbox.key not in text
    assert field.job_ids[0] in text
    assert journal.stat().st_mode & 0o022 == 0
    assert journal.stat().st_uid == os.geteuid()
