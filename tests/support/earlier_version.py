"""Earlier versions of the product: their code, from the history of this repository, and files that they wrote.

`tests/earlier_formats/` has a folder for each format: specs, statuses, a plan and a state directory, with several
cancels in progress. `python -m tests.support.earlier_version NAME` writes the folder of one format with the code of its
commit. The folders are in the repository, so tests that only read them need neither the history nor a package index.
The tests expect that a folder is at least ten minutes old, because a cancel without effect is then repeated.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import SPEC, Checkout, Ran

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "earlier_formats"
STATE = "state"
"""The name of the state directory in each folder."""

_WORLD = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: demo}
spec:
  type: sandbox
  options:
    jobs:
    - {id: ftjob-done, model: gpt-4o-mini, age: 5h, life: [{phase: running}]}
    - {id: ftjob-ended, model: gpt-4o-mini, age: 5h, life: [{phase: running, for: 1h}, {phase: succeeded}]}
    - {id: ftjob-accepted, model: gpt-4o-mini, age: 5h, life: [{phase: running}]}
    - {id: ftjob-lost, model: gpt-4o-mini, age: 5h, life: [{phase: running}]}
    - {id: ftjob-unanswered, model: gpt-4o-mini, age: 5h, life: [{phase: running}]}
    - {id: ftjob-near, model: gpt-4o-mini, age: 48h, life: [{phase: running}]}
%s    faults:
    - {fault: late-cancel, on: cancel, job: ftjob-accepted, for: 3s}
    - {fault: late-cancel, on: cancel, job: batch_accepted, for: 3s}
    - {fault: lost-cancel, on: cancel, job: ftjob-lost, times: 1}
    - {fault: status, status: 500, on: cancel, job: ftjob-unanswered, times: 1}
"""
_BATCHES = """\
    batches:
    - {id: batch_accepted, age: 1h, life: [{phase: running, for: 9000d}, {phase: succeeded}]}
    - {id: batch_costly, age: 1h, requests: 1000, life: [{phase: running, for: 2h}, {phase: succeeded}]}
"""
_TYPE = (
    "  type: sandbox\n",
    "  type: sandbox\n  prices: {currency: USD, list: [{kind: FineTuningJob, perHour: 3}]}\n",
)
_ACCEPTED = (
    "{id: ftjob-accepted, model: gpt-4o-mini, age: 5h, life: [{phase: running}]}",
    "{id: ftjob-accepted, model: gpt-4o-mini, age: 5h, life: [{phase: running, for: 9000d}, {phase: succeeded}]}",
)
"""A job with a known end, so that its receipt records the spending that its cancel prevents."""
_OPERATOR = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  prices:
    currency: USD
    list:
    - {provider: sandbox, kind: BatchJob, perThousandRequests: "100"}
  notify:
  - {name: audit, type: webhook, url: {env: AUDIT_URL}, secret: {env: AUDIT_SECRET}}
"""
VARIABLES = {"AUDIT_URL": "http://127.0.0.1:9/audit", "AUDIT_SECRET": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"}


@dataclass(frozen=True, slots=True)
class Format:
    """A format of the files.

    Args:
        commit: a version that wrote it.
        has_batches: whether it has jobs of the kind `BatchJob`, and notifications.
        has_warnings: whether it has warnings of limits, and costs.
        has_declared_prices: whether the Provider document states a price.
    """

    commit: str
    has_batches: bool = False
    has_warnings: bool = False
    has_declared_prices: bool = False


FORMATS = {
    "1-statuses": Format("0d07fe0"),
    "2-journal": Format("718cbcf"),
    "3-batches": Format("67ddf00", has_batches=True),
    "4-warnings": Format("02a1e63", has_batches=True, has_warnings=True),
    "5-savings": Format("138b080", has_batches=True, has_warnings=True),
    "6-sunk-costs": Format("4873e7d8", has_batches=True, has_warnings=True),
    "7-declared-prices": Format("a6d0d284", has_batches=True, has_warnings=True, has_declared_prices=True),
}
"""Each format by the name of its folder, oldest first. The last one is the current format."""


def has_commit(commit: str) -> bool:
    """Return whether the history contains a commit. A shallow clone may lack it."""
    return subprocess.run(["git", "cat-file", "-e", commit], cwd=ROOT, capture_output=True, check=False).returncode == 0


def install(commit: str, folder: Path) -> Sequence[str]:
    """Install an earlier version, with its dependencies, and return the command that runs it."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder / "source", filter="data")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", folder / "source"], check=True)
    return str(python), "-m", "reconciler"


def write_format(name: str) -> None:
    """Write the folder of a format, with the code of its commit."""
    target, format_ = FOLDER / name, FORMATS[name]
    with tempfile.TemporaryDirectory() as directory:
        checkout = Checkout(Path(directory) / "repository", VARIABLES)
        program = install(format_.commit, Path(directory) / "version")
        world = _WORLD % (_BATCHES if format_.has_batches else "")
        if format_.has_declared_prices:
            world = world.replace(*_TYPE).replace(*_ACCEPTED)
        checkout.write("demo.yaml", world)
        common = ["--state-dir", STATE]
        if format_.has_warnings:
            (checkout.root / "operator.yaml").write_text(_OPERATOR, encoding="utf-8")
            common += ["--config", "operator.yaml"]
        _want(checkout, "done", "cancelled")
        _want(checkout, "ended", "observed")
        _ran(checkout.run("--once", "--wait=30s", *common, program=program))
        for job in ("accepted", "lost", "unanswered"):
            _want(checkout, job, "cancelled")
        if format_.has_batches:
            _want(checkout, "batch", "cancelled", "BatchJob", "batch_accepted")
        if format_.has_warnings:
            _want(checkout, "near", "running", more="  limits: {maxAge: 9000d, warnBefore: 8999d}\n")
            cost = "  limits: {maxCost: 60 USD, warnBefore: 1h}\n"
            _want(checkout, "costly", "running", "BatchJob", "batch_costly", more=cost)
        _ran(checkout.run("plan", "--out", "plan.json", "--allow-cancels", "9", *common, program=program))
        _ran(checkout.run("--once", "--timeout", "0s", "--allow-cancels", "9", *common, program=program))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(checkout.root, target, ignore=shutil.ignore_patterns("cache", "*.parsed", "*.index", "lock"))


def _want(
    checkout: Checkout, name: str, state: str, kind: str = "FineTuningJob", job: str | None = None, more: str = ""
) -> None:
    text = SPEC.format(name=name, provider="demo", job_id=job or f"ftjob-{name}", state=state)
    checkout.write(f"{name}.yaml", text.replace("FineTuningJob", kind) + more)


def _ran(ran: Ran) -> None:
    sys.stderr.write(f"{ran.out}{ran.err}exit code {ran.code}\n")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        write_format(wanted)
