"""One command over a repository with a batch at each provider type that has batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.model.job import Phase
from reconciler.model.kind import BATCH
from reconciler.model.status import Outcome
from reconciler.plugin import BATCH_JOB
from reconciler.ports import jobs_by_kind
from reconciler.providers import NAMES, load
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld
from tests.contract import batch_harness
from tests.contract.batch_harness import BatchService
from tests.support.both_kinds import BATCH as SPEC
from tests.support.cli import Checkout
from tests.support.sandbox_server import serve
from tests.support.service_endpoints import PROVIDER

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SERVICES = {
    name.lower().replace("_", "-"): each for name, each in vars(batch_harness).items() if type(each) is BatchService
}
ONCE = ["batch_running"]
SECRET = "canary-key-of-each-type"  # noqa: S105 - a canary
RUNNING = {"id": "batch_running", "age": "30m", "life": [{"phase": "running", "for": "5h"}, {"phase": "succeeded"}]}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service on a socket, with the batches behind it."""

    service: BatchService
    url: str
    world: BatchWorld

    def cancels(self) -> list[str | None]:
        """Return the ids of the batches that were cancelled."""
        return [each.job_id for each in self.world.requests if each.acted]


@pytest.fixture
def endpoints() -> Iterator[Mapping[str, Endpoint]]:
    """Yield each service with one running batch, whose cancel takes a second."""
    with ExitStack() as stack:
        found = {}
        for name, service in SERVICES.items():
            options = SandboxOptions.model_validate({"batches": [RUNNING], "cancelTakes": "1s"})
            world = BatchWorld(options, datetime.now(UTC))
            api = create_app(world, lambda: datetime.now(UTC), api_key=SECRET)
            url = stack.enter_context(serve(service.front(api, SECRET)))
            found[name] = Endpoint(service, url.removesuffix("/v1") + service.path, world)
        yield found


def a_checkout(root: Path, endpoints: Mapping[str, Endpoint]) -> Checkout:
    environ = {"RECONCILE_MAX_CANCELS": "20", "RECONCILE_TRUST": ""}
    bindings = []
    checkout = Checkout(root, environ)
    for name, endpoint in endpoints.items():
        variable, service = f"KEY_OF_{name.replace('-', '_').upper()}", endpoint.service
        environ[variable] = f"{service.access_key}:{SECRET}" if service.access_key else SECRET
        bindings.append(f"{variable}={urlsplit(endpoint.url).netloc}")
        checkout.write(
            f"providers/{name}.yaml",
            PROVIDER.format(
                name=name,
                type=service.type,
                url=endpoint.url,
                variable=variable,
                options=json.dumps(dict(service.options)),
            ),
        )
        job_id = json.dumps(service.id_of(Phase.RUNNING))
        checkout.write(
            f"{name}-job.yaml", SPEC.format(name=f"{name}-job", job_id=job_id, state="cancelled", provider=name)
        )
    environ["RECONCILE_TRUST"] = ",".join(bindings)
    return checkout


def test_every_type_with_batches_has_a_simulated_service() -> None:
    with_batches = {name for name in NAMES if BATCH_JOB in jobs_by_kind(load(name))}

    assert {each.type for each in SERVICES.values()} == with_batches - {"sandbox"}


def test_once_cancels_a_batch_of_each_type_and_proves_it(tmp_path: Path, endpoints: Mapping[str, Endpoint]) -> None:
    checkout = a_checkout(tmp_path, endpoints)
    ran = checkout.run("--once", "--wait=25s")
    again = checkout.run("--once")
    statuses = {name: checkout.status(f"{name}-job") for name in endpoints}

    assert ran.code == 0, ran.out + ran.err
    assert {name: each.phase for name, each in statuses.items()} == dict.fromkeys(endpoints, Phase.CANCELLED)
    assert {each.kind for each in statuses.values()} == {BATCH}
    assert {each.receipts[0].outcome for each in statuses.values()} == {Outcome.CANCELLED}
    assert all(each.receipts[0].confirmed_at is not None for each in statuses.values())
    assert all(each.cancels() == ONCE for each in endpoints.values())
    assert "Requested: nothing" in again.out


def test_a_type_that_is_away_does_not_affect_the_batches_of_the_others(
    tmp_path: Path, endpoints: Mapping[str, Endpoint]
) -> None:
    reached = {name: each for name, each in endpoints.items() if name != "anthropic"}
    away = Endpoint(endpoints["anthropic"].service, "http://127.0.0.1:9", endpoints["anthropic"].world)
    checkout = a_checkout(tmp_path, {**reached, "anthropic": away})
    ran = checkout.run("--once", "--wait=20s", "--timeout=3s")

    assert ran.code == 69, ran.out + ran.err
    assert all(each.cancels() == ONCE for each in reached.values())
