"""The workflows of the documents, and `act`, which runs a workflow on this machine as GitHub does on a runner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from tests.support.markdown_table import ROOT
from tests.support.repositories import a_clone
from tests.support.tables import README

RECIPES = ROOT / ".github" / "RECIPES.md"
PLACEHOLDERS = ("OWNER/REPO", "COMMIT")
ENDS_WITHIN_S = 300
SHIPPED = (
    *("reconciler", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"),
    *(".ci", ".github", ".gitignore", ".pre-commit-hooks.yaml"),
)
ACT, ACTIONLINT, ZIZMOR = (shutil.which(name) for name in ("act", "actionlint", "zizmor"))

_BLOCK = re.compile(r"^```yml\n(# (\S+)\n.*?)^```$", re.MULTILINE | re.DOTALL)
_JOBS = re.compile(r"^```yaml\n(jobs:\n.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"^```yaml\n# ([a-z-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SET = re.compile(r"::set-output:: ([\w-]+)=(.*)")


def readme_workflows() -> dict[str, str]:
    """Return each workflow of the README, by the path in its first line."""
    return {path: text for text, path in _BLOCK.findall(README.read_text(encoding="utf-8"))}


def morning_workflow() -> str:
    """Return the workflow of RECIPES.md that fails if a job is not as its spec wants it."""
    (workflow,) = (text for text, path in _BLOCK.findall(RECIPES.read_text(encoding="utf-8")) if "workflows" in path)
    return str(workflow)


def pinned_workflow() -> str:
    """Return the example workflow in which a person approves a plan."""
    (jobs,) = _JOBS.findall((ROOT / ".github" / "CI.md").read_text(encoding="utf-8"))
    return f"name: Pinned\non: push\n{jobs}"


def example_workflows() -> dict[str, str]:
    """Return the workflow of CI.md that stores no key, and the same one with each of the other examples, by name."""
    found = dict(_NAMED.findall((ROOT / ".github" / "CI.md").read_text(encoding="utf-8")))
    jobs = found["keyless-aws"]
    (own,) = re.findall(r"^      - uses: aws-actions/.*\n.*\n", jobs, re.MULTILINE)
    steps = {name: indent(text, " " * 6) for name, text in found.items() if text.startswith("- ")}
    whole = {name: jobs.replace(own, text) for name, text in steps.items()}
    return {name: f"name: {name}\non: push\n{text}" for name, text in {"keyless-aws": jobs, **whole}.items()}


def filled_in(text: str, repository: str, commit: str) -> str:
    """Return a workflow of the README after a user has followed its instructions."""
    for placeholder, value in zip(PLACEHOLDERS, (repository, commit), strict=True):
        text = text.replace(placeholder, value)
    return text


def ship_to(root: Path, source: Path = ROOT) -> None:
    """Copy the files that the action needs from a checkout, by default this repository, to the directory `root`."""
    root.mkdir(exist_ok=True)
    for name in SHIPPED:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, root / name)


@dataclass(frozen=True, slots=True)
class Ran:
    """A workflow that has ended: its exit code and log."""

    code: int
    log: str

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the action, by name."""
        return dict(_SET.findall(self.log))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Machines for the workflows of one repository.

    Args:
        remote: the repository.
        secrets: the secrets in the settings of the repository, by name.
        environ: additional environment variables of each machine.
        local: directories that replace repositories at GitHub, in the format of `act --local-repository`.
    """

    remote: Path
    secrets: Mapping[str, str]
    environ: Mapping[str, str]
    local: Sequence[str] = ()

    def run(self, root: Path, event: str, workflow: str, payload: object) -> Ran:
        """Run a workflow on a fresh machine, in a fresh clone."""
        clone = a_clone(self.remote, root / "clone")
        home = root / "home"
        home.mkdir()
        (home / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        # The secrets are not in the environment, because `act` would then pass them to every step.
        secrets = "".join(f"{name}={value}\n" for name, value in self.secrets.items())
        (home / "secrets").write_text(secrets, encoding="utf-8")
        command = [
            *(str(ACT), event, "--workflows", f".github/workflows/{workflow}.yml"),
            *("--platform", "ubuntu-24.04=-self-hosted", "--eventpath", str(home / "event.json")),
            *("--secret-file", str(home / "secrets")),
            *(part for name, value in self.environ.items() for part in ("--env", f"{name}={value}")),
            *(part for each in self.local for part in ("--local-repository", each)),
        ]
        ran = subprocess.run(
            command,
            cwd=clone.root,
            env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout)


def a_pull_request(head: str) -> object:
    """Return the event of pull request 7 of `ada/jobs`, from a branch of the repository `head`."""
    repository = {"full_name": "ada/jobs"}
    head_of = {"ref": "change", "repo": {"full_name": head}}
    return {"repository": repository, "pull_request": {"number": 7, "head": head_of, "base": {"ref": "main"}}}
