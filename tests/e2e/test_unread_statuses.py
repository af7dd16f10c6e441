"""A status file that exists and cannot be read is unknown, not missing: real processes and real permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Checkout, Ran
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox
from tests.support.unprivileged import out_of_reach, unprivileged

SOFTWARE, REFUSED = 70, 3


def ask(checkout: Checkout, *arguments: str) -> Ran:
    return checkout.run(*arguments, program=unprivileged())


@pytest.fixture
def cancelling(checkout: Checkout, sandbox: Sandbox) -> str:
    """Let the cancel of `runaway` be accepted and in progress. Returns the job's ID."""
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    sandbox.break_with({"fault": "late-cancel", "on": "cancel", "job": job_id, "for": "60s"})
    assert checkout.run("--once").code == 0
    assert sandbox.cancels(job_id) == [job_id]
    return job_id


def test_a_cancel_with_an_unreadable_status_is_not_repeated_and_keeps_its_receipt(
    checkout: Checkout, sandbox: Sandbox, cancelling: str
) -> None:
    status = checkout.status_dir / "runaway.yaml"
    before = status.read_bytes()
    with out_of_reach(status):
        during = ask(checkout, "--once")
    stayed = status.read_bytes()
    after = checkout.run("--once")

    assert during.code == SOFTWARE
    assert "specs/status/runaway.yaml cannot be read: Permission denied" in during.err
    assert "permission to read it" in during.err
    assert stayed == before
    assert sandbox.cancels(cancelling) == [cancelling]
    assert after.code == 0
    assert checkout.status("runaway").receipts[0].accepted_at


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", [".", "team"])
def test_the_guard_refuses_changes_while_a_status_directory_is_unreadable(
    checkout: Checkout, sandbox: Sandbox, name: str
) -> None:
    asked, wanted = sandbox.create(3), sandbox.create(3)
    for number, job_id in enumerate(asked):
        checkout.want(f"asked-{number}", job_id)
        (checkout.specs / "team").mkdir(exist_ok=True)
        (checkout.specs / f"asked-{number}.yaml").rename(checkout.specs / f"team/asked-{number}.yaml")
    assert checkout.run("--once", "--wait").code == 0
    for number, job_id in enumerate(wanted):
        checkout.want(f"wanted-{number}", job_id)
    before = checkout.run("--once")
    with out_of_reach(checkout.status_dir / name):
        during = ask(checkout, "--once")
    after = checkout.run("--once")

    assert [before.code, during.code, after.code] == [REFUSED, SOFTWARE, REFUSED]
    assert sandbox.cancels(*wanted) == []
    assert "cannot be read: Permission denied" in during.err
    assert sorted(path.name for path in (checkout.status_dir / "team").iterdir()) == [
        f"asked-{number}.yaml" for number in range(3)
    ]


def test_requests_for_other_jobs_are_confirmed_despite_an_unreadable_status(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    hidden, seen = sandbox.create(2)
    checkout.want("hidden", hidden)
    checkout.want("seen", seen)
    sandbox.break_with({"fault": "late-cancel", "on": "cancel", "for": "1s"})
    assert checkout.run("--once").code == 0
    with out_of_reach(checkout.status_dir / "hidden.yaml"):
        during = ask(checkout, "--once", "--wait=20s")

    assert during.code == SOFTWARE
    assert checkout.status("seen").is_ready
    assert "confirmed" in during.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("get",), SOFTWARE), (("describe", "runaway"), SOFTWARE), (("validate",), SOFTWARE), (("plan",), SOFTWARE)],
    ids=lambda each: each[0] if isinstance(each, tuple) else str(each),
)
def test_every_read_command_names_the_unreadable_status(
    checkout: Checkout, cancelling: str, arguments: tuple[str, ...], code: int
) -> None:
    with out_of_reach(checkout.status_dir / "runaway.yaml"):
        ran = ask(checkout, *arguments)

    assert cancelling
    assert ran.code == code
    assert "specs/status/runaway.yaml cannot be read: Permission denied" in ran.err
    assert "not been observed yet" not in ran.out


def test_get_shows_a_job_with_an_unreadable_status_as_unknown(checkout: Checkout, cancelling: str) -> None:
    with out_of_reach(checkout.status_dir):
        ran = ask(checkout, "get", "-o", "json")

    assert cancelling
    assert '"StatusUnknown"' in ran.out


def test_a_locally_unreadable_status_is_not_removed_from_the_status_branch(tmp_path: Path, sandbox: Sandbox) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    checkout = Checkout(clone.root, sandbox.environ)
    first, second = sandbox.create(2)
    checkout.name_provider()
    checkout.want("first", first)
    (checkout.specs / "team").mkdir()
    (checkout.specs / "first.yaml").rename(checkout.specs / "team/first.yaml")
    checkout.want("second", second, "observed")
    clone.commit("Stop the first")
    assert checkout.run("--once", "--wait", "--commit").code == 0
    checkout.want("second", second, "running")
    with out_of_reach(checkout.status_dir / "team"):
        during = ask(checkout, "--once", "--commit")
    left = clone.git("ls-tree", "-r", "--name-only", "HEAD", "specs/status").split()

    assert during.code == SOFTWARE
    assert left == ["specs/status/second.yaml", "specs/status/team/first.yaml"]
