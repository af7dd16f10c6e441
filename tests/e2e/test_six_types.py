"""One command over a repository with a job at each of six provider types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from tests.contract.dialects.services import AZURE_V1, BEDROCK, LITELLM, OPENAI, SAGEMAKER, VERTEX_AI, Service
from tests.support.cli import Checkout
from tests.support.processes import a_free_port
from tests.support.service_endpoints import ServiceEndpoint, serve_service, trust_in

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SIX = (OPENAI, AZURE_V1, LITELLM, VERTEX_AI, BEDROCK, SAGEMAKER)
QUICKLY = {"cancelTakes": "1s", "cancelWord": "cancelling"}
WANTED = {"azure-openai": "paused"}
"""The desired state of a running job that is not to be cancelled."""


@pytest.fixture
def endpoints() -> Iterator[Mapping[str, ServiceEndpoint]]:
    """Yield the six, each with one running job."""
    job = {"id": "ftjob-runaway", "age": "2h", "life": [{"phase": "running"}]}
    with ExitStack() as stack:
        yield {
            service.type: stack.enter_context(
                serve_service(service.type, _quick(service), [job], f"canary-secret-of-{service.type}")
            )
            for service in SIX
        }


def _quick(service: Service) -> Service:
    return replace(service, world=QUICKLY) if service.world else service


def a_checkout(root: Path, endpoints: Mapping[str, ServiceEndpoint]) -> Checkout:
    environ = {"RECONCILE_MAX_CANCELS": "6", **trust_in([*endpoints.values()])}
    for endpoint in endpoints.values():
        environ |= endpoint.environ
    checkout = Checkout(root, environ)
    for name, endpoint in endpoints.items():
        checkout.write(f"providers/{name}.yaml", endpoint.document)
        checkout.want(f"{name}-job", "ftjob-runaway", WANTED.get(name, "cancelled"), provider=name)
    return checkout


def phases(endpoints: Mapping[str, ServiceEndpoint]) -> dict[str, Phase]:
    return {
        name: endpoint.world.retrieve("ftjob-runaway", endpoint.world.requests[-1].at).phase
        for name, endpoint in endpoints.items()
    }


def test_once_brings_a_job_of_each_provider_type_to_its_desired_state(
    tmp_path: Path, endpoints: Mapping[str, ServiceEndpoint]
) -> None:
    checkout = a_checkout(tmp_path, endpoints)
    ran = checkout.run("--once", "--wait=60s")
    table = checkout.run("get")
    rows = {line.split()[0]: line.split() for line in table.out.splitlines()[1:]}
    asked = {name: sum(each.acted for each in endpoint.world.requests) for name, endpoint in endpoints.items()}

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert phases(endpoints) == {
        name: Phase.PAUSED if WANTED.get(name) == "paused" else Phase.CANCELLED for name in endpoints
    }
    assert asked == dict.fromkeys(endpoints, 1)
    assert table.code == ExitCode.OK
    assert rows.keys() == {f"{name}-job" for name in endpoints}
    assert {row[4] for row in rows.values()} == {"True"}
    assert {row[1] for row in rows.values()} == set(endpoints)


def test_a_provider_that_refuses_connections_affects_only_itself_and_the_exit_code(
    tmp_path: Path, endpoints: Mapping[str, ServiceEndpoint]
) -> None:
    shut = replace(endpoints["litellm"], base_url=f"http://127.0.0.1:{a_free_port()}")
    checkout = a_checkout(tmp_path, {**endpoints, "litellm": shut})
    ran = checkout.run("--once", "--wait=12s", "--timeout=12s")
    others = {name: endpoint for name, endpoint in endpoints.items() if name != "litellm"}

    assert ran.code == ExitCode.PROVIDER_UNOBSERVED, ran.out + ran.err
    assert "litellm" in ran.out
    assert "cannot connect to 127.0.0.1" in ran.out + ran.err
    assert not endpoints["litellm"].world.requests
    assert all(checkout.status(f"{name}-job").ready.status == "True" for name in others)
    assert Phase.RUNNING not in phases(others).values()
