"""The GitHub action in a workflow: what its inputs do, which outputs it sets, and where it runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.support.action import ACTION, Ran, skip_without_index, use_action
from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

SOMEBODY_ELSE = 12345


@pytest.fixture(scope="module", autouse=True)
def _index() -> None:
    skip_without_index()


@pytest.fixture
def clone(tmp_path: Path, sandbox: Sandbox) -> Clone:
    """Return a clone whose specs request the cancel of two jobs at two providers."""
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "workspace")
    checkout = Checkout(clone.root)
    for provider, job_id in zip(("main", "other"), sandbox.create(2), strict=True):
        checkout.name_provider(provider)
        checkout.want(f"of-{provider}", job_id, provider=provider)
    clone.commit("Stop two")
    clone.push()
    return clone


def use(clone: Clone, sandbox: Sandbox, command: str, **inputs: str) -> Ran:
    given = {"command": command, **{name.replace("_", "-"): value for name, value in inputs.items()}}
    return use_action(
        clone.root, clone.root.parent / "temp", given, {**sandbox.environ, "GITHUB_REPOSITORY": "ada/jobs"}
    )


def cancels(sandbox: Sandbox) -> int:
    return sum(each["verb"] == "cancel" for each in sandbox.requests())


@pytest.mark.long
def test_the_action_follows_its_inputs_and_sets_its_outputs(clone: Clone, sandbox: Sandbox) -> None:
    before = cancels(sandbox)
    (clone.root / "gha-creds-0123.json").write_text("what another action left here", encoding="utf-8")
    acted = use(clone, sandbox, "act", provider="main", wait="1m")
    result = json.loads(acted.outputs["result-json"])

    assert acted.code == 0, acted.log
    assert cancels(sandbox) == before + 1
    assert acted.outputs["version"] == result[0]["reconcile"]
    assert (acted.outputs["as-desired"], acted.outputs["stalled"], acted.outputs["converged"]) == ("1", "0", "true")
    assert (acted.outputs["cancels"], acted.outputs["confirmed"], acted.outputs["failed"]) == ("1", "1", "0")
    assert [each["type"] for each in result][-1] == "change_summary"
    assert Path(acted.outputs["summary-path"]).exists()
    clone.git("fetch", "--quiet", "origin")
    published = clone.git("ls-tree", "-r", "--name-only", "origin/reconcile-status").splitlines()
    assert published == ["of-main.yaml"]


@pytest.mark.long
def test_a_plan_and_a_refused_change_set_the_exit_code(clone: Clone, sandbox: Sandbox) -> None:
    refused = use(clone, sandbox, "act", provider="main", allow_cancels="0", timeout="1m")
    planned = use(clone, sandbox, "plan", provider="main")

    assert refused.outputs["exit-code"] == str(refused.code)
    assert planned.code == 0, planned.log


@pytest.mark.long
def test_every_documented_output_is_set_by_some_command(clone: Clone, sandbox: Sandbox) -> None:
    promised = set(yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))["outputs"])
    given = {*use(clone, sandbox, "plan").outputs, *use(clone, sandbox, "act").outputs}

    assert promised - given == {"comment-id"}  # there is no pull request here


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
def test_plan_works_in_a_workspace_owned_by_another_user(clone: Clone, sandbox: Sandbox) -> None:
    for path in (clone.root, *clone.root.rglob("*")):
        os.chown(path, SOMEBODY_ELSE, SOMEBODY_ELSE, follow_symlinks=False)
    ran = use(clone, sandbox, "plan")

    assert ran.code == 0, ran.log
    assert ran.outputs["cancels"] == "2"
