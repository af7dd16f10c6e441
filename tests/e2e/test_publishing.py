"""Statuses that are published as commits, with real repositories and a served sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.errors import ConflictError
from reconciler.formats.status_parser import parse_status
from reconciler.git.author import Author
from reconciler.git.command import Git
from reconciler.git.discovery import find_repository
from reconciler.git.publisher import GitPublisher
from reconciler.git.status_branch import StatusBranch
from reconciler.model.status import JobStatus
from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

BRANCH = "reconcile-status"
ON_A_BRANCH = ("--once", "--wait", "--push", "--status-branch", BRANCH)
ON_MAIN = ("--once", "--wait", "--push")


@dataclass(frozen=True, slots=True)
class Team:
    """A remote with one spec that requests the cancel of its job, and the clone of its author."""

    remote: Path
    clone: Clone
    checkout: Checkout
    job_id: str

    def published(self, ref: str, path: str = "runaway.yaml") -> JobStatus:
        """Return a status on the remote."""
        self.clone.git("fetch", "--quiet", "origin")
        return parse_status(self.clone.git("show", f"origin/{ref}:{path}") + "\n")

    def runner(self, root: Path, *options: str) -> Checkout:
        """Return a fresh clone on a fresh machine."""
        a_clone(self.remote, root, *options)
        return Checkout(root, self.checkout.environ)


@pytest.fixture
def team(tmp_path: Path, sandbox: Sandbox) -> Team:
    remote = a_remote(tmp_path / "remote.git")
    clone = a_clone(remote, tmp_path / "ada")
    checkout = Checkout(clone.root, sandbox.environ)
    (job_id,) = sandbox.create(1)
    checkout.name_provider()
    checkout.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    return Team(remote, clone, checkout, job_id)


def git_of(root: Path) -> Git:
    found = find_repository(root / "specs")
    assert found is not None
    return found.git


def test_the_intent_is_pushed_before_the_request_and_the_confirmation_after_it(team: Team) -> None:
    ran = team.checkout.run(*ON_A_BRANCH)
    status = team.published(BRANCH)
    subjects = team.clone.subjects(f"origin/{BRANCH}")

    assert ran.code == 0
    assert status.is_ready
    assert subjects[-1] == "reconcile: about to cancel runaway"
    assert subjects[0] == "reconcile: runaway: cancelled (Cancelled)"


def test_a_pushed_commit_has_a_ref_so_that_git_packs_it_instead_of_collecting_garbage(
    team: Team, tmp_path: Path
) -> None:
    runner = Checkout(tmp_path / "runner", team.checkout.environ)
    runner.root.mkdir()
    ran = runner.run("--git-url", team.remote.as_uri(), "--state-dir", "state", *ON_A_BRANCH)
    clone = Clone(runner.root / "state" / "remote")

    assert ran.code == 0
    assert (
        clone.git("--git-dir=.", "for-each-ref", "--format=%(objectname)", "refs/reconcile-statuses")
        == (team.clone.git("ls-remote", "origin", BRANCH).split()[0])
    )
    assert clone.git("--git-dir=.", "fsck", "--unreachable", "--no-reflogs") == ""


def test_the_receipt_names_the_commit_and_its_author(team: Team) -> None:
    team.checkout.run(*ON_A_BRANCH)
    origin = team.published(BRANCH).receipts[0].origin

    assert origin is not None
    assert team.clone.git("rev-parse", "HEAD").startswith(origin.commit)
    assert origin.author == "Ada <ada@example.org>"


def test_a_second_run_on_another_machine_makes_no_commit(team: Team, tmp_path: Path) -> None:
    team.checkout.run(*ON_A_BRANCH)
    before = team.clone.git("ls-remote", "origin")
    ran = team.runner(tmp_path / "runner").run(*ON_A_BRANCH)

    assert ran.code == 0
    assert team.clone.git("ls-remote", "origin") == before


def test_statuses_on_the_specs_branch_leave_the_working_tree_clean(team: Team) -> None:
    ran = team.checkout.run(*ON_MAIN)

    assert ran.code == 0, ran.err
    assert team.published("main", "specs/status/runaway.yaml").is_ready
    assert team.clone.git("status", "--porcelain", "--", "specs") == ""
    assert team.clone.subjects("origin/main")[-1] == "Stop the runaway"
    assert team.clone.is_linear("origin/main")


def test_a_concurrent_push_by_a_person_is_kept(team: Team, tmp_path: Path) -> None:
    runner = team.runner(tmp_path / "runner")
    team.checkout.write("notes.txt", "mine\n")
    team.clone.commit("Write notes")
    team.clone.push()
    ran = runner.run(*ON_MAIN)

    assert ran.code == 0, ran.err
    assert team.published("main", "specs/status/runaway.yaml").is_ready
    assert team.clone.git("show", "origin/main:specs/notes.txt") == "mine"
    assert team.clone.is_linear("origin/main")


def test_a_spec_changed_on_the_remote_is_read_again_before_any_request(
    team: Team, tmp_path: Path, sandbox: Sandbox
) -> None:
    runner = team.runner(tmp_path / "runner")
    team.checkout.want("runaway", team.job_id, "observed")
    team.clone.commit("Let it run after all")
    team.clone.push()
    ran = runner.run(*ON_MAIN)

    assert ran.code == 0, ran.err
    assert sandbox.cancels(team.job_id) == []


def test_a_new_run_continues_the_receipt_of_a_run_that_died_after_its_request(
    team: Team, tmp_path: Path, sandbox: Sandbox
) -> None:
    sandbox.break_with({"on": "cancel", "job": team.job_id, "fault": "slow", "for": "20s"})
    with team.checkout.start(*ON_A_BRANCH) as dying:
        wait_for(lambda: sandbox.cancels(team.job_id), "the cancel arrives")
        dying.kill()
    sandbox.heal()
    ran = team.runner(tmp_path / "runner").run(*ON_A_BRANCH)
    status = team.published(BRANCH)

    assert ran.code == 0, ran.err
    assert status.is_ready
    assert status.receipts[0].attempts == len(sandbox.cancels(team.job_id)) == 1
    assert status.receipts[0].confirmed_at is not None


def test_an_identical_commit_of_another_run_is_not_mistaken_for_this_runs(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that write the same statuses in one second create the same commit. Only one run has published it."""
    monkeypatch.setenv("GIT_AUTHOR_DATE", "1795774981 +0000")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1795774981 +0000")
    branches = []
    for name in ("one", "other"):
        directory = tmp_path / name / "statuses"
        a_clone(team.remote, tmp_path / name)
        git = git_of(tmp_path / name)
        branches.append(StatusBranch(git, BRANCH, "", directory, "origin", Author("reconcile", "r@example.org")))
        branches[-1].pull()
        directory.mkdir()
        (directory / "runaway.yaml").write_text("apiVersion: jobs.reconciler/v1\n", encoding="utf-8")
    one, other = branches
    published = one.publish("about to cancel runaway")

    assert published is not None
    with pytest.raises(ConflictError):
        other.publish("about to cancel runaway")


def test_an_intent_is_published_only_by_the_run_that_wrote_it(team: Team, tmp_path: Path) -> None:
    """A pass that ends while an account worker writes its intents waits, and does not push them: the worker does."""
    directory = tmp_path / "statuses"
    git = git_of(team.clone.root)
    branch = StatusBranch(git, BRANCH, "", directory, "origin", Author("reconcile", "r@example.org"))
    publisher = GitPublisher(branch)

    async def play() -> tuple[str, str | None]:
        await publisher.pull()
        async with publisher.exclusive():
            directory.mkdir()
            (directory / "runaway.yaml").write_text("# jobs.reconciler/v1: an intent\n", encoding="utf-8")
            other = asyncio.ensure_future(publisher.publish_on_top("another account's news"))
            await asyncio.sleep(0.2)
            before = team.clone.git("ls-remote", "origin", BRANCH)
            await publisher.publish("about to cancel runaway")
        return before, await other

    assert asyncio.run(play()) == ("", None)
    team.clone.git("fetch", "--quiet", "origin")
    assert team.clone.subjects(f"origin/{BRANCH}") == ["about to cancel runaway"]


@pytest.mark.parametrize("branch", ["main", "other"])
def test_a_branch_with_specs_is_rejected_as_a_status_branch(team: Team, sandbox: Sandbox, branch: str) -> None:
    team.clone.git("push", "--quiet", "origin", "HEAD:refs/heads/other")
    before = team.clone.git("ls-remote", "origin")
    ran = team.checkout.run("--once", "--push", "--status-branch", branch)

    assert ran.code == 78
    assert f"the branch {branch} shares commits with the specs" in ran.err
    assert team.clone.git("ls-remote", "origin") == before
    assert sandbox.cancels(team.job_id) == []


def test_statuses_are_restored_from_the_local_branch_if_the_state_is_lost(team: Team) -> None:
    options = ("--once", "--wait", "--status-branch", BRANCH)
    team.checkout.run(*options)
    before = team.clone.git("rev-parse", BRANCH)
    ran = team.checkout.run(*options, XDG_CACHE_HOME=str(team.checkout.root / "another"))

    assert ran.code == 0, ran.err
    assert team.clone.git("rev-parse", BRANCH) == before


def test_no_change_is_requested_while_the_remote_is_unreachable(team: Team, sandbox: Sandbox) -> None:
    team.remote.rename(team.remote.with_name("elsewhere.git"))
    ran = team.checkout.run(*ON_A_BRANCH)

    assert ran.code == 78
    assert "statuses cannot be published" in ran.err
    assert sandbox.cancels(team.job_id) == []


def test_a_watch_commits_only_to_the_branch_it_started_on(team: Team, sandbox: Sandbox) -> None:
    (other,) = sandbox.create(1)
    with watching(team.checkout, "--commit") as watch:
        wait_for(
            lambda: "(Cancelled)" in team.clone.subjects("main")[0], "the confirmation of the first cancel is committed"
        )
        team.clone.git("checkout", "--quiet", "-b", "side")
        team.checkout.want("another", other)
        wait_for(lambda: "RevisionNotTrusted" in watch.said(), "the watch reports that its branch is not checked out")
        team.clone.git("checkout", "--quiet", "main")
        team.checkout.want("another", other)
        wait_for(lambda: "another: cancelled" in team.clone.subjects("main")[0], "the watch commits the next cancel")
        watch.stop()

    assert team.clone.subjects("side")[0].startswith("reconcile: runaway: cancelled")
    assert team.clone.git("status", "--porcelain", "--", "specs/status") == ""


def test_committing_from_a_detached_head_is_an_error(team: Team) -> None:
    team.clone.git("checkout", "--quiet", "--detach")
    ran = team.checkout.run("--once", "--commit")

    assert ran.code == 78
    assert "check out a branch, or use --status-branch" in ran.err


def test_foreign_files_on_a_misnamed_status_branch_are_kept(team: Team) -> None:
    team.clone.git("checkout", "--quiet", "--orphan", "pages")
    team.clone.git("rm", "-r", "--quiet", "--cached", ".")
    (team.clone.root / "k8s").mkdir()
    (team.clone.root / "k8s" / "deploy.yaml").write_text("kind: Deployment\n", encoding="utf-8")
    team.clone.git("add", "k8s")
    team.clone.git("commit", "--quiet", "-m", "Pages")
    team.clone.git("checkout", "--quiet", "--force", "main")

    ran = team.checkout.run("--once", "--wait", "--commit", "--status-branch", "pages")

    assert ran.code == 0
    assert team.clone.git("ls-tree", "-r", "--name-only", "pages").splitlines() == ["k8s/deploy.yaml", "runaway.yaml"]


def test_a_publishing_run_keeps_a_receipt_that_was_never_published(team: Team, sandbox: Sandbox) -> None:
    sandbox.break_with({"fault": "lost-cancel", "on": "cancel", "job": team.job_id})
    notes = team.checkout.status_dir / "notes" / "mine.yaml"
    notes.parent.mkdir(parents=True)
    notes.write_text("not: a status\n", encoding="utf-8")

    team.checkout.run("--once")
    ran = team.checkout.run("--once", "--push")

    assert ran.code == 0
    assert len(sandbox.cancels(team.job_id)) == 1
    assert team.published("main", "specs/status/runaway.yaml").receipts[0].attempts == 1
    assert notes.read_text(encoding="utf-8") == "not: a status\n"


def test_a_watch_writes_no_status_to_a_branch_checked_out_later(team: Team) -> None:
    with watching(team.checkout, "--commit") as watch:
        wait_for(lambda: "Cancelled" in team.clone.git("log", "-1", "--format=%s"), "the confirmation is committed")
        team.clone.git("checkout", "--quiet", "-b", "feature")
        tip = team.clone.git("rev-parse", "HEAD")
        team.checkout.want("another", "ftjob-nobody")
        wait_for((team.checkout.status_dir / "another.yaml").exists, "the new spec gets a status")
        watch.stop()

    assert team.clone.git("rev-parse", "feature") == tip
