"""The example of a provider type in a package of its own: installed as a wheel, and found by its entry point."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.testing import served
from tests.support.cli import Checkout

pytest.importorskip("hatchling", reason="pip install hatchling")

EXAMPLE = Path(__file__).parent / "replicate"
KEY = "r8-canary-0123456789"
JOB = "zz4runaway"
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: main}
spec: {type: replicate, rateLimit: {requestsPerSecond: 1000, burst: 1000}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory in which the package is installed. It is built from a copy, because a build leaves files."""
    root = tmp_path_factory.mktemp("replicate")
    source = shutil.copytree(EXAMPLE, root / "source")
    target = root / "site"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(root)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = root.glob("*.whl")
    with ZipFile(wheel) as files:
        files.extractall(target)  # this installs a wheel without scripts
    return target


class Service:
    """A minimal service with one training, which runs until it is cancelled."""

    def __init__(self) -> None:
        self.status = "processing"
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        request = Request(scope, receive)
        self.asked.append(f"{request.method} {request.url.path}")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        if request.method == "POST":
            self.status = "canceled"
        training = {"id": JOB, "status": self.status, "created_at": "2026-11-23T12:00:00Z"}
        await JSONResponse(training)(scope, receive, send)


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    service = Service()
    with served(service) as url:
        yield service, url


def a_checkout(root: Path, site: Path, url: str) -> Checkout:
    environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url}
    checkout = Checkout(root, environ, [site])
    checkout.write("main.yaml", PROVIDER)
    return checkout


def test_the_installed_plugin_is_found_and_cancels_a_job(
    tmp_path: Path, site: Path, service: tuple[Service, str]
) -> None:
    server, url = service
    checkout = a_checkout(tmp_path, site, url)
    checkout.want("runaway", JOB)
    ran = checkout.run("--once", "--wait=30s")
    status = checkout.status("runaway")

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert (status.phase, status.receipts[0].outcome) == (Phase.CANCELLED, "cancelled")
    assert server.asked.count(f"POST /v1/trainings/{JOB}/cancel") == 1


def test_every_command_supports_the_installed_plugin(tmp_path: Path, site: Path, service: tuple[Service, str]) -> None:
    checkout = a_checkout(tmp_path, site, service[1])
    checkout.want("runaway", JOB)
    checkout.want("again", JOB)
    shown = checkout.run("providers", "-o", "json")
    types = {each["name"]: each for each in json.loads(shown.out)["types"]}
    invalid = checkout.run("validate")

    assert types["replicate"]["listOrder"] == "newest first"
    assert "replicate" in checkout.run("explain", "replicate").out
    assert '"replicate"' in checkout.run("schema").out
    assert invalid.code == ExitCode.INVALID_DOCUMENT
    assert "another spec names the job" in " ".join((invalid.out + invalid.err).split())


def test_the_plugins_own_tests_pass_with_the_shipped_contract_suite(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:looptime_plugin"]
    environ = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, cwd=EXAMPLE, env=environ, capture_output=True, text=True, check=False)
    passed = re.search(r"(\d+) passed", done.stdout)

    assert done.returncode == 0, done.stdout
    assert passed is not None
    assert int(passed[1]) > 100
