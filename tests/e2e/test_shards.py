"""Replicas that share the accounts: each job is handled by one of them, also after their number changes."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path

import pytest
import yaml

from reconciler.model.exit_code import ExitCode
from reconciler.model.shard import Shard
from tests.support.cli import LOOSE, Checkout
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for

ACCOUNTS, JOBS = 9, 2


@pytest.fixture
def checkout(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    """Return the specs of two jobs in each of nine accounts. The first one should be cancelled."""
    checkout = Checkout(tmp_path, sandbox.environ)
    ids = iter(sandbox.create(ACCOUNTS * JOBS))
    for number in range(ACCOUNTS):
        checkout.name_provider(f"team-{number}", f"options: {{project: proj_{number}}}")
        for job in range(JOBS):
            state = "observed" if job else "cancelled"
            checkout.want(f"job-{number}-{job}", next(ids), state, provider=f"team-{number}")
    return checkout


def once(checkout: Checkout, index: int, count: int) -> set[str]:
    """Run one replica once. Return the names of the specs that have a status."""
    state = str(checkout.root / f"state-{index}")
    ran = checkout.run("--once", "--wait", "--shard", f"{index}/{count}", "--state-dir", state, *LOOSE)
    assert ran.code == ExitCode.OK, ran.out + ran.err
    return {path.stem for path in checkout.status_dir.glob("job-*.yaml")}


def cancelled(sandbox: Sandbox, checkout: Checkout) -> list[str]:
    """Return the job ID of each cancel request for a job of these specs, oldest first."""
    specs = (path.read_text(encoding="utf-8") for path in checkout.specs.glob("job-*-0.yaml"))
    return sandbox.cancels(*(yaml.safe_load(text)["spec"]["jobId"] for text in specs))


def accounts(names: set[str]) -> set[str]:
    return {name.rpartition("-")[0] for name in names}


def test_three_replicas_cancel_each_job_once_and_prune_only_their_own(checkout: Checkout, sandbox: Sandbox) -> None:
    after = [set[str](), *(once(checkout, index, 3) for index in (1, 2, 3))]
    shares = [new - old for old, new in pairwise(after)]
    (checkout.specs / "job-4-1.yaml").unlink()
    left = [once(checkout, index, 3) for index in (1, 2, 3)][-1]

    assert [len(share) for share in shares] == [JOBS * len(accounts(share)) for share in shares]
    assert sum(map(len, shares)) == ACCOUNTS * JOBS
    assert left == after[-1] - {"job-4-1"}
    assert sorted(Counter(cancelled(sandbox, checkout)).values()) == [1] * ACCOUNTS


def test_another_number_of_replicas_repeats_no_cancel_and_loses_no_status(checkout: Checkout, sandbox: Sandbox) -> None:
    for index in (1, 2, 3):
        names = once(checkout, index, 3)
    before = {path.name: path.read_bytes() for path in checkout.status_dir.glob("job-*.yaml")}
    cancels = cancelled(sandbox, checkout)
    for index in (1, 2, 3):
        shutil.rmtree(checkout.root / f"state-{index}")
    for count in (4, 2):
        for index in range(1, count + 1):
            assert once(checkout, index, count) == names

    assert {path.name: path.read_bytes() for path in checkout.status_dir.glob("job-*.yaml")} == before
    assert cancelled(sandbox, checkout) == cancels


def test_two_watches_share_the_accounts_and_each_edit_is_acted_on_once(checkout: Checkout, sandbox: Sandbox) -> None:
    with ExitStack() as stack:
        for index in (1, 2):
            state = str(checkout.root / f"state-{index}")
            watch = checkout.start("--shard", f"{index}/2", "--state-dir", state, *LOOSE, stdout=2, stderr=2)
            stack.enter_context(watch)
            stack.callback(watch.terminate)
        wait_for(lambda: len(list(checkout.status_dir.glob("job-*.yaml"))) == ACCOUNTS * JOBS, "each has a status", 60)
        ids = sandbox.create(ACCOUNTS)
        for number, job_id in enumerate(ids):
            checkout.want(f"late-{number}", job_id, provider=f"team-{number}")
        wait_for(lambda: all(sandbox.phase(each) == "cancelled" for each in ids), "each is cancelled", 60)

    assert sorted(sandbox.cancels(*ids)) == sorted(ids)


def test_two_watches_of_a_remote_push_the_statuses_of_all_accounts(
    checkout: Checkout, sandbox: Sandbox, tmp_path: Path
) -> None:
    remote = a_remote(tmp_path / "remote.git")
    clone = a_clone(remote, tmp_path / "author")
    shutil.copytree(checkout.specs, clone.root / "specs", dirs_exist_ok=True)
    clone.commit("Write specs")
    clone.push()
    pushed = ("--git-url", remote.as_uri(), "--push", "--status-branch", "statuses", *LOOSE)

    def names() -> set[str]:
        clone.git("fetch", "--quiet", "origin")
        is_pushed = "origin/statuses" in clone.git("branch", "--remotes")
        listed = clone.git("ls-tree", "-r", "--name-only", "origin/statuses").split() if is_pushed else []
        return {Path(each).stem for each in listed if Path(each).name.startswith("job-")}

    with ExitStack() as stack:
        for index in (1, 2):
            runner = Checkout(tmp_path / f"runner-{index}", checkout.environ)
            runner.root.mkdir()
            state = str(runner.root / "state")
            watch = runner.start("--shard", f"{index}/2", "--state-dir", state, *pushed, stdout=2, stderr=2)
            stack.enter_context(watch)
            stack.callback(watch.terminate)
        wait_for(lambda: len(names()) == ACCOUNTS * JOBS, "each status is pushed", 90)
        wait_for(lambda: len(cancelled(sandbox, checkout)) >= ACCOUNTS, "each cancel is sent", 90)

    assert sorted(Counter(cancelled(sandbox, checkout)).values()) == [1] * ACCOUNTS


@pytest.mark.parametrize("written", ["3/2", "one"])
def test_a_wrong_shard_is_a_usage_error(checkout: Checkout, written: str) -> None:
    ran = checkout.run("--once", "--shard", written)

    assert ran.code == ExitCode.USAGE
    assert f"'{written}' is not a shard: write I/N, as in 2/3" in ran.err


def teams(sandbox: Sandbox, index: int) -> list[int]:
    """Return the numbers of two accounts that the replica with this index of two owns."""
    lines = {number: f"openai {sandbox.url} project=proj_{number}" for number in range(100)}
    return list(islice((number for number, line in lines.items() if Shard(index, 2).owns(line)), 2))


@pytest.fixture
def shared(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    """Return the specs of two observed jobs in each of four accounts, two of them in each of two shares."""
    checkout = Checkout(tmp_path, sandbox.environ)
    for index in (1, 2):
        for place, number in enumerate(teams(sandbox, index)):
            checkout.name_provider(f"team-{index}-{place}", f"options: {{project: proj_{number}}}")
            for job, job_id in enumerate(sandbox.create(2)):
                checkout.want(f"job-{index}-{place}-{job}", job_id, "observed", provider=f"team-{index}-{place}")
    return checkout


def test_a_spec_of_another_replica_with_the_same_name_leaves_the_receipts(shared: Checkout, sandbox: Sandbox) -> None:
    (job_id, other_id) = sandbox.create(2)
    shared.want("late", job_id, provider="team-2-0")
    for index in (1, 2):
        once(shared, index, 2)
    spec = (shared.specs / "late.yaml").read_text(encoding="utf-8")
    shared.write("copy.yaml", spec.replace(job_id, other_id).replace("team-2-0", "team-1-0"))
    for index in (1, 2):
        state = str(shared.root / f"state-{index}")
        shared.run("--once", "--shard", f"{index}/2", "--state-dir", state, *LOOSE)
    status = yaml.safe_load((shared.status_dir / "late.yaml").read_text(encoding="utf-8"))["status"]

    assert status["conditions"][0]["reason"] == "DuplicateJob"
    assert status["job"]["id"] == job_id
    assert [each["outcome"] for each in status["receipts"]] == ["cancelled"]


def test_the_statuses_that_another_replica_removes_do_not_count_as_lost(shared: Checkout, sandbox: Sandbox) -> None:
    names = [once(shared, index, 2) for index in (1, 2, 1)][-1]
    removed = {name for name in names if name.startswith("job-2-") and not name.endswith("-0-0")}
    for name in removed:
        (shared.specs / f"{name}.yaml").unlink()
        left = once(shared, 2, 2)
    (job_id,) = sandbox.create(1)
    shared.want("late", job_id, provider="team-1-0")
    strict = ("--max-cancels", "2", "--max-cancel-percent", "1", "--state-dir", str(shared.root / "state-1"))
    ran = shared.run("--once", "--wait", "--shard", "1/2", *strict)

    assert left == names - removed
    assert len(removed) == 3
    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert sandbox.cancels(job_id) == [job_id]


def test_specs_of_two_replicas_that_exchange_their_names_keep_their_receipts(
    shared: Checkout, sandbox: Sandbox
) -> None:
    ids = sandbox.create(2)
    for index, job_id in enumerate(ids, 1):
        shared.want(f"late-{index}", job_id, provider=f"team-{index}-0")
    names = [once(shared, index, 2) for index in (1, 2)][-1]
    one, two = (shared.specs / "late-1.yaml", shared.specs / "late-2.yaml")
    texts = [path.read_text(encoding="utf-8") for path in (one, two)]
    two.write_text(texts[0].replace(one.stem, two.stem), encoding="utf-8")
    one.write_text(texts[1].replace(two.stem, one.stem), encoding="utf-8")

    assert once(shared, 1, 2) >= names
    assert once(shared, 2, 2) >= names
    for name, job_id in (("late-1", ids[1]), ("late-2", ids[0])):
        status = yaml.safe_load((shared.status_dir / f"{name}.yaml").read_text(encoding="utf-8"))["status"]
        assert status["job"]["id"] == job_id
        assert [each["outcome"] for each in status["receipts"]] == ["cancelled"]
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)


def test_a_provider_that_becomes_invalid_leaves_the_receipts_of_another_replica(
    shared: Checkout, sandbox: Sandbox
) -> None:
    late = shared.status_dir / "late.yaml"

    def receipts(reason: str) -> list[str] | None:
        """Return the outcomes in the receipts once the status has this reason, else None."""
        if not late.exists():
            return None
        found = yaml.safe_load(late.read_text(encoding="utf-8"))["status"]
        is_reached = found["conditions"][0]["reason"] == reason
        return [each["outcome"] for each in found["receipts"]] if is_reached else None

    with ExitStack() as stack:
        for index in (1, 2):
            state = str(shared.root / f"state-{index}")
            watch = shared.start("--shard", f"{index}/2", "--state-dir", state, *LOOSE, stdout=2, stderr=2)
            stack.enter_context(watch)
            stack.callback(watch.terminate)
        (job_id,) = sandbox.create(1)
        shared.want("late", job_id, provider="team-2-0")
        wait_for(lambda: receipts("Cancelled"), "the cancel is confirmed", 30)
        shared.write(
            "team-2-0.yaml", (shared.specs / "team-2-0.yaml").read_text(encoding="utf-8").replace("openai", "nobody")
        )
        wait_for(lambda: receipts("InvalidProvider") is not None, "the provider is invalid", 30)

        assert receipts("InvalidProvider") == ["cancelled"]
