"""Two spellings of one job's ID name the same job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from tests.contract.dialects.bedrock import arn
from tests.contract.dialects.services import BEDROCK, VERTEX_AI, Service
from tests.contract.dialects.vertex import PARENT
from tests.support.cli import Checkout
from tests.support.service_endpoints import ServiceEndpoint, serve_service, trust_in

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SECRET = "canary-secret-of-spellings"  # noqa: S105 - a canary
RUNAWAY = {"id": "ftjob-runaway", "age": "2h", "life": [{"phase": "running"}]}
FULL_NAME = f"{PARENT}/tuningJobs/ftjob-runaway"


@pytest.fixture
def vertex() -> Iterator[ServiceEndpoint]:
    with serve_service("main", VERTEX_AI, [RUNAWAY], SECRET) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock() -> Iterator[ServiceEndpoint]:
    at_once = Service(type=BEDROCK.type, front=BEDROCK.front, options=BEDROCK.options, access_key=BEDROCK.access_key)
    with serve_service("main", at_once, [RUNAWAY], SECRET) as endpoint:
        yield endpoint


def a_checkout(root: Path, endpoint: ServiceEndpoint) -> Checkout:
    checkout = Checkout(root, endpoint.environ | trust_in([endpoint]))
    checkout.write("main.yaml", endpoint.document)
    return checkout


def changes(endpoint: ServiceEndpoint) -> list[str]:
    return [request.path for request in endpoint.world.requests if request.method == "POST"]


def test_two_spellings_of_one_job_are_duplicates_before_any_observation(
    tmp_path: Path, vertex: ServiceEndpoint
) -> None:
    checkout = a_checkout(tmp_path, vertex)
    checkout.want("bare", "ftjob-runaway")
    checkout.want("full", FULL_NAME, "running")
    ran = checkout.run("--once")

    assert ran.code == ExitCode.INVALID_DOCUMENT
    assert {checkout.status(name).ready.reason for name in ("bare", "full")} == {"DuplicateJob"}
    assert not vertex.world.requests


def test_another_spelling_of_a_job_id_keeps_the_status_bytes(tmp_path: Path, vertex: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, vertex)
    checkout.want("runaway", FULL_NAME)
    asks = checkout.run("--once")
    before = checkout.status("runaway")
    checkout.want("runaway", "ftjob-runaway")
    sees = checkout.run("--once")

    assert (asks.code, sees.code) == (0, 0)
    assert len(changes(vertex)) == 1
    assert checkout.status("runaway").receipts[0].requested_at == before.receipts[0].requested_at
    assert checkout.status("runaway").observed_spec == before.observed_spec


def test_a_job_of_another_project_is_an_error_in_the_spec(tmp_path: Path, vertex: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, vertex)
    checkout.want("runaway", "projects/other/locations/us-central1/tuningJobs/ftjob-runaway")
    ran = checkout.run("validate")

    assert ran.code == ExitCode.INVALID_DOCUMENT
    assert "is not a job of projects/p/locations/us-central1" in " ".join((ran.out + ran.err).split())


def test_a_name_and_an_arn_of_one_job_are_duplicates_once_observed(tmp_path: Path, bedrock: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, bedrock)
    checkout.want("by-arn", arn("ftjob-runaway"), "observed")
    knows = checkout.run("--once")  # the simulated server accepts an ARN only after it has returned that ARN
    checkout.want("by-name", "ftjob-runaway")
    ran = checkout.run("--once")
    again = checkout.run("--once")
    before = checkout.traces()

    assert knows.code == ExitCode.STALLED
    assert (ran.code, again.code) == (ExitCode.STALLED, ExitCode.STALLED)
    assert {checkout.status(name).ready.reason for name in ("by-arn", "by-name")} == {"DuplicateJob"}
    assert changes(bedrock) == []
    assert checkout.run("--once").code == ExitCode.STALLED
    assert checkout.traces() == before


def test_a_job_named_by_its_arn_is_cancelled_and_not_unmanaged(tmp_path: Path, bedrock: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, bedrock)
    shown = checkout.run("drift", "--provider", "main")
    checkout.want("runaway", arn("ftjob-runaway"))
    drift = checkout.run("drift")
    ran = checkout.run("--once", "--wait=60s")

    assert "ftjob-runaway" in shown.out
    assert "0 without a spec" in drift.out
    assert ran.code == 0, ran.err
    assert checkout.status("runaway").phase is Phase.CANCELLED
