"""Runs the action as GitHub runs a composite action: its steps in order, each with bash and its own inputs.

Only the expressions that `action.yml` uses are supported. `RECONCILE_ACTION` names another checkout of the action, to
show that a test fails on an older version.
"""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.markdown_table import ROOT

FOLDER = ".github/actions/reconcile"
ACTION = Path(os.environ.get("RECONCILE_ACTION", ROOT)) / FOLDER
ENDS_WITHIN_S = 300
NETWORK = ("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "HTTPS_PROXY", "NO_PROXY", "UV_DEFAULT_INDEX", "PIP_INDEX_URL")
"""The variables that a process on this machine may need to reach the package index. Each step gets them too."""

_EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")
_OUTPUT = re.compile(r"^([\w-]+)(?:=(.*)|<<(\S+)\n(?s:(.*?))\n\3)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished run of the action: the failed step's exit code or 0, its log, and the outputs of the action."""

    code: int
    log: str
    outputs: Mapping[str, str]


def use_action(
    checkout: Path, temp: Path, inputs: Mapping[str, str], environ: Mapping[str, str], *, action: Path = ACTION
) -> Ran:
    """Run the action in a checkout, and return its result.

    Args:
        checkout: the workspace of the job.
        temp: the directory `RUNNER_TEMP`, whose files the steps of a job share.
        inputs: the inputs that the workflow sets.
        environ: the variables that the workflow and the runner set, including the secrets of the job.
        action: the directory of the action.
    """
    described = yaml.safe_load((action / "action.yml").read_text(encoding="utf-8"))
    temp.mkdir(exist_ok=True)
    known = {"runner.temp": str(temp), "github.token": ""}
    known |= {f"inputs.{name}": str(each.get("default", "")) for name, each in described["inputs"].items()}
    known |= {f"inputs.{name}": value for name, value in inputs.items()}
    log, code = "", 0
    for number, step in enumerate(described["runs"]["steps"]):
        output = temp / f"output-{number}"
        output.write_text("", encoding="utf-8")
        runner = {
            "PATH": os.environ["PATH"],
            "HOME": str(temp),
            **{name: os.environ[name] for name in NETWORK if name in os.environ},
            **environ,
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(action),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_WORKSPACE": str(checkout),
            "RUNNER_TEMP": str(temp),
        }
        ran = _run_step(step, known, checkout, runner)
        log += ran.stdout
        code = ran.returncode
        known |= {f"steps.{step['id']}.outputs.{name}": value for name, value in _outputs(output).items()}
        if code != 0:
            break
    values = {name: _EXPRESSION.fullmatch(str(each["value"])) for name, each in described["outputs"].items()}
    outputs = {name: known[value[1]] for name, value in values.items() if value is not None and value[1] in known}
    return Ran(code, log, outputs)


def _run_step(
    step: Mapping[str, Any], known: Mapping[str, str], checkout: Path, runner: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    def filled(text: object) -> str:
        return _EXPRESSION.sub(lambda found: known.get(found[1], ""), str(text))

    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", filled(step["run"])],
        cwd=checkout / filled(step.get("working-directory", ".")),
        env={**runner, **{name: filled(value) for name, value in step.get("env", {}).items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )


def _outputs(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    return {name: line or block or "" for name, line, _, block in _OUTPUT.findall(text)}


def skip_without_index() -> None:
    """Skip the test if the package index cannot be reached, unless the variable `CI` is set."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    try:
        urllib.request.urlopen(f"{index}/uv/", timeout=10).close()  # noqa: S310 - the index that the environment names
    except (OSError, ValueError) as error:
        if not os.environ.get("CI"):
            pytest.skip(f"the package index {index} cannot be reached: {error}")
