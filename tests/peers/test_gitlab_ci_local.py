"""The component for GitLab CI, read by gitlab-ci-local: see `.ci/lanes/gitlab`.

gitlab-ci-local is an independent implementation of GitLab's includes, inputs and rules, and has GitLab's schema.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.gitlab_component import COMPONENT, job_of
from tests.support.markdown_table import ROOT
from tests.support.repositories import Clone, a_remote
from tests.support.shown_commands import blocks
from tests.support.workflows import RECIPES

GITLAB_CI_LOCAL = shutil.which("gitlab-ci-local")
MERGE_REQUEST = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_IID": "7"}
ENDS_WITHIN_S = 60

pytestmark = pytest.mark.skipif(GITLAB_CI_LOCAL is None, reason="no gitlab-ci-local: npm install gitlab-ci-local")


@dataclass(frozen=True, slots=True)
class Project:
    """A project with the component, whose pipeline includes it from a file."""

    root: Path

    def ask(self, *arguments: str, pipeline: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run gitlab-ci-local in the project, as in a pipeline with these variables."""
        (self.root / ".gitlab-ci.yml").write_text(pipeline, encoding="utf-8")
        told = (part for name, value in variables.items() for part in ("--variable", f"{name}={value}"))
        return subprocess.run(
            [str(GITLAB_CI_LOCAL), *arguments, *told],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a clone with `origin/HEAD`, which gitlab-ci-local reads the default branch from."""
    root = tmp_path_factory.mktemp("gitlab")
    clone = Clone(root / "project")
    clone.root.mkdir()
    copy = clone.root / COMPONENT.relative_to(ROOT)
    copy.parent.mkdir(parents=True)
    shutil.copy(COMPONENT, copy)
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.git("remote", "add", "origin", a_remote(root / "ada" / "project.git").as_uri())
    clone.commit("Begin")
    clone.git("push", "--quiet", "origin", "main")
    clone.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    return Project(clone.root)


def recipe() -> str:
    """Return the pipeline of RECIPES.md, with the component from a file of the project."""
    (text,) = blocks(RECIPES, "yml", section="GitLab CI")
    address = text.partition("remote: &component ")[2].partition("\n")[0]
    local = text.replace(f"remote: &component {address}", f"local: &component {COMPONENT.relative_to(ROOT)}")
    return local.replace("remote: *component", "local: *component").replace("DIGEST", "a" * 64)


@pytest.mark.parametrize(
    ("variables", "jobs"),
    [
        (MERGE_REQUEST, ["reconcile-validate", "reconcile-plan"]),
        ({}, ["reconcile-act"]),
        ({"CI_PIPELINE_SOURCE": "schedule"}, ["reconcile-act"]),
        ({"CI_COMMIT_BRANCH": "change"}, []),
    ],
    ids=["merge request", "push to main", "schedule", "push to another branch"],
)
def test_a_pipeline_has_the_jobs_for_its_source(project: Project, variables: dict[str, str], jobs: list[str]) -> None:
    ran = project.ask("--list", pipeline=recipe(), variables=variables)
    listed = [line.split()[0] for line in ran.stdout.splitlines() if line.startswith("reconcile-")]

    assert ran.returncode == 0, ran.stdout
    assert listed == jobs


def test_the_inputs_become_the_variables_of_the_job(project: Project) -> None:
    inputs = {"command": "plan", "image": "reconcile", "selector": "team=support", "comment": True, "specs": "jobs"}
    pipeline = yaml.safe_dump({"include": [{"local": str(COMPONENT.relative_to(ROOT)), "inputs": inputs}]})
    ran = project.ask("--preview", pipeline=pipeline, variables={})
    shown = yaml.safe_load(ran.stdout[ran.stdout.index("---") :])["reconcile-plan"]
    expected = job_of(inputs)

    assert shown["script"] == expected["script"]
    assert shown["variables"] == {
        name: value["value"] if isinstance(value, dict) else value for name, value in expected["variables"].items()
    }


@pytest.mark.parametrize("wrong", [{"command": "apply"}, {"wait": "$(id)"}, {"comment": "yes"}, {"image": None}])
def test_a_wrong_input_is_refused(project: Project, wrong: dict[str, object]) -> None:
    given = {"command": "plan", "image": "reconcile", **wrong}
    inputs = {name: value for name, value in given.items() if value is not None}
    pipeline = yaml.safe_dump({"include": [{"local": str(COMPONENT.relative_to(ROOT)), "inputs": inputs}]})
    ran = project.ask("--list", pipeline=pipeline, variables={})

    assert ran.returncode != 0
    assert next(iter(wrong)) in ran.stdout
