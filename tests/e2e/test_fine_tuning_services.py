"""One command over a job at each service whose API for fine-tuning jobs is its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.model.status import Outcome
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld, World
from tests.contract import batch_harness
from tests.contract.dialects import together
from tests.contract.dialects.services import (
    CUSTOMIZATION_JOBS,
    FIREWORKS,
    HF_JOBS,
    TOGETHER,
    TRAINING_SESSIONS,
    Service,
)
from tests.support.both_kinds import BATCH
from tests.support.cli import Checkout
from tests.support.sandbox_server import serve
from tests.support.service_endpoints import PROVIDER, ServiceEndpoint, serve_service, the_api, trust_in

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SERVICES = (TOGETHER, FIREWORKS, HF_JOBS, CUSTOMIZATION_JOBS, TRAINING_SESSIONS)
SECRET = "canary-key-of-the-service"  # noqa: S105 - a canary
RUNNING = {"id": "ftjob-runaway", "age": "2h", "life": [{"phase": "running"}]}
QUICKLY = {"cancelTakes": "1s", "cancelWord": "cancelling"}


def quick(service: Service) -> Service:
    return replace(service, world=QUICKLY)


@pytest.fixture(params=SERVICES, ids=lambda service: service.type)
def endpoint(request: pytest.FixtureRequest) -> Iterator[ServiceEndpoint]:
    """Yield each service with two running jobs."""
    others = {"id": "ftjob-other", "age": "2h", "life": [{"phase": "running"}]}
    with serve_service("main", quick(request.param), [RUNNING, others], SECRET) as endpoint:
        yield endpoint


def a_checkout(root: Path, endpoint: ServiceEndpoint) -> Checkout:
    checkout = Checkout(root, endpoint.environ | trust_in([endpoint]))
    checkout.write("main.yaml", endpoint.document)
    return checkout


def test_once_cancels_a_job_with_one_request_and_proves_it(tmp_path: Path, endpoint: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, endpoint)
    checkout.want("runaway", endpoint.service.job_id("ftjob-runaway"))
    checkout.want("other", endpoint.service.job_id("ftjob-other"), "running")
    ran = checkout.run("--once", "--wait=30s")
    again = checkout.run("--once")
    status = checkout.status("runaway")

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert (status.phase, status.receipts[0].outcome) == (Phase.CANCELLED, Outcome.CANCELLED)
    assert status.receipts[0].confirmed_at is not None
    assert checkout.status("other").phase is Phase.RUNNING
    assert [each.job_id for each in endpoint.world.requests if each.acted] == ["ftjob-runaway"]
    assert "Requested: nothing" in again.out


def test_adopt_writes_a_valid_spec_for_each_job(tmp_path: Path, endpoint: ServiceEndpoint) -> None:
    checkout = a_checkout(tmp_path, endpoint)
    checkout.want("runaway", endpoint.service.job_id("ftjob-runaway"))
    adopted = checkout.run("adopt")
    ran = checkout.run("--once", "--wait=30s")
    drift = checkout.run("drift")

    assert (adopted.code, ran.code, drift.code) == (0, 0, 0), adopted.out + ran.out + ran.err
    assert len(list((tmp_path / "specs" / "adopted" / "main").glob("*.yaml"))) == 1
    assert [each.job_id for each in endpoint.world.requests if each.acted] == ["ftjob-runaway"]


def test_equal_ids_in_four_collections_of_fireworks_are_four_jobs(tmp_path: Path) -> None:
    twins = ["ftjob-twin", "ftjob-twin-dpo", "ftjob-twin-rft", "ftjob-twin-rlor"]
    running = [{**RUNNING, "id": each} for each in twins]
    with serve_service("main", quick(FIREWORKS), running, SECRET) as endpoint:
        checkout = a_checkout(tmp_path, endpoint)
        checkout.want("dpo", "accounts/acme/dpoJobs/twin")
        checkout.want("rft", "reinforcementFineTuningJobs/twin", "running")
        ran = checkout.run("--once", "--wait=30s")
        drift = json.loads(checkout.run("drift", "-o", "json").out)
        checkout.want("again", "dpoJobs/twin", "running")
        checkout.want("bare", "twin")
        invalid = checkout.run("validate")

    said = " ".join((invalid.out + invalid.err).split())
    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert [each.job_id for each in endpoint.world.requests if each.acted] == ["ftjob-twin-dpo"]
    assert {name: checkout.status(name).phase for name in ("dpo", "rft")} == {
        "dpo": Phase.CANCELLED,
        "rft": Phase.RUNNING,
    }
    assert "supervisedFineTuningJobs/twin" in json.dumps(drift)
    assert "rlorTrainerJobs/twin" in json.dumps(drift)
    assert invalid.code == ExitCode.INVALID_DOCUMENT
    assert "another spec names the job" in said
    assert "'twin' does not name the collection of the job" in said


def test_one_provider_document_of_together_serves_both_kinds(tmp_path: Path) -> None:
    batch = {"id": "batch_runaway", "age": "30m", "life": [{"phase": "running", "for": "5h"}, {"phase": "succeeded"}]}
    now = datetime.now(UTC)
    jobs = World(SandboxOptions.model_validate({"jobs": [RUNNING], **QUICKLY}), now)
    batches = BatchWorld(SandboxOptions.model_validate({"batches": [batch], "cancelTakes": "1s"}), now)
    with ExitStack() as stack:
        apps = (the_api(TOGETHER, jobs, SECRET), the_api(batch_harness.TOGETHER, batches, SECRET))
        url = stack.enter_context(serve(together.BothKinds(*apps))).removesuffix("/v1")
        environ = {"TOGETHER_KEY": SECRET, "RECONCILE_TRUST": f"TOGETHER_KEY={urlsplit(url).netloc}"}
        checkout = Checkout(tmp_path, environ)
        named = {"name": "main", "type": "together", "url": url, "variable": "TOGETHER_KEY", "options": "{}"}
        checkout.write("main.yaml", PROVIDER.format(**named))
        checkout.want("job", "ft-runaway")
        checkout.write(
            "batch.yaml", BATCH.format(name="batch", job_id="batch_runaway", state="cancelled", provider="main")
        )
        ran = checkout.run("--once", "--wait=30s")

    accounts = {name: checkout.status(name).job for name in ("job", "batch")}
    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert {name: job.account for name, job in accounts.items() if job is not None} == {
        "job": f"together {url}",
        "batch": f"together {url} kind=BatchJob",
    }
    assert [[each.job_id for each in world.requests if each.acted] for world in (jobs, batches)] == [
        ["ftjob-runaway"],
        ["batch_runaway"],
    ]
