"""The component for GitLab CI, run on this machine as GitLab and its runner do.

GitLab checks the inputs and puts them into the text of the file. The runner clones the project with a detached HEAD,
and runs the script in a shell that ends with the first error. Only the expressions that the component uses are
supported. https://docs.gitlab.com/ci/inputs/ and https://docs.gitlab.com/ci/runners/configure_runners/ describe both.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.markdown_table import ROOT
from tests.support.repositories import Clone
from tests.support.shown_commands import BIN

COMPONENT = ROOT / ".github" / "gitlab" / "reconcile.yml"
ENDS_WITHIN_S = 120
DEPTH = 20
"""How many commits a job's clone has in a new project of GitLab."""
_INPUT = re.compile(r"\$\[\[ inputs\.([\w-]+) \]\]")


class InputError(Exception):
    """GitLab refuses the value of an input."""


def documents() -> tuple[dict[str, Any], str]:
    """Return the inputs that the component declares, and the text of its job."""
    header, _, body = COMPONENT.read_text(encoding="utf-8").partition("\n---\n")
    declared: dict[str, Any] = yaml.safe_load(header)["spec"]["inputs"]
    return declared, body


def job_text(inputs: Mapping[str, object]) -> str:
    """Return the job as YAML, with these inputs and the defaults. Raises `InputError` as GitLab refuses an input."""
    declared, body = documents()
    if unknown := set(inputs) - set(declared):
        raise InputError(unknown)
    values = {name: _checked(name, rules, inputs) for name, rules in declared.items()}
    return _INPUT.sub(lambda found: values[found[1]], body)


def job_of(inputs: Mapping[str, object]) -> dict[str, Any]:
    """Return the job. Raises `InputError` as `job_text` does."""
    (job,) = yaml.safe_load(job_text(inputs)).values()
    assert isinstance(job, dict)
    return job


def _checked(name: str, rules: Mapping[str, Any], inputs: Mapping[str, object]) -> str:
    if name not in inputs and "default" not in rules:
        raise InputError(name)
    value = inputs.get(name, rules.get("default"))
    is_of_type = isinstance(value, bool) if rules.get("type") == "boolean" else isinstance(value, str)
    is_allowed = value in rules.get("options", [value]) and re.search(rules.get("regex", ""), str(value))
    if not (is_of_type and is_allowed):
        raise InputError(name)
    return str(value).lower() if isinstance(value, bool) else str(value)


def variables_of(job: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a job."""
    return {name: str(value["value"] if isinstance(value, dict) else value) for name, value in job["variables"].items()}


def checked_out(remote: Path, root: Path, ref: str, depth: int = 0) -> Clone:
    """Check out a ref of a remote as the runner does: by a fetch into a new repository, with a detached HEAD.

    `depth` is the number of commits, or 0 for all.
    """
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    clone = Clone(root)
    clone.git("remote", "add", "origin", remote.as_uri())
    limit = ["--depth", str(depth)] if depth else []
    clone.git("fetch", "--quiet", *limit, "origin", f"+{ref}:refs/pipelines/71")
    clone.git("checkout", "--quiet", "--force", "--detach", "refs/pipelines/71")
    return clone


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that has ended: its exit code, its log, and the directory with its reports."""

    code: int
    log: str
    reports: Path

    @property
    def outputs(self) -> dict[str, str]:
        """The variables that later jobs of the pipeline get."""
        lines = (self.reports / "outputs.env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def report(self, name: str) -> str:
        """Return the text of a report."""
        return (self.reports / name).read_text(encoding="utf-8")


def run_job(job: Mapping[str, Any], project: Path, environ: Mapping[str, str], shell: str = "sh") -> Ran:
    """Run the script of a job in its checkout, with these variables in addition to those of the job."""
    variables = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(project.parent),
        "GITLAB_CI": "true",
        "CI_PROJECT_DIR": str(project),
        **variables_of(job),
        **environ,
    }
    ran = subprocess.run(
        [shell, "-c", "\n".join(["set -e", *job["script"]])],
        cwd=project,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, project / variables["RECONCILE_REPORTS"])
