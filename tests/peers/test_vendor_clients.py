"""The simulated services and the adapters, checked by the vendors' own clients.

xAI's own client is not among them, because it uses gRPC. LiteLLM reads xAI's batches over HTTP, as the adapter does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from reconciler.model.job import TERMINAL, UNSET, AlreadyOver, JobRef, ObservedJob, Phase
from reconciler.ports import SupportsEvents
from reconciler.testing.calls import STOPPED, call, retrieved, walk
from tests.contract.batch_harness import BatchHarness, BatchService
from tests.contract.dialects.services import TOGETHER
from tests.contract.harnesses import Served, ServedHarness
from tests.peers.vendor_clients import CLIENTS
from tests.peers.vendor_clients.client import JobClient, Shown

Met = tuple[ServedHarness, JobClient]


@pytest.fixture(params=[pytest.param(name, marks=client.marks) for name, (client, _) in CLIENTS.items()])
def met(request: pytest.FixtureRequest, served: Served) -> Iterator[Met]:
    """Yield the jobs of a service, and a client that is connected to them."""
    client_type, service = CLIENTS[request.param]
    stage = BatchHarness(served, service) if isinstance(service, BatchService) else ServedHarness(served, service)
    with closing(client_type(stage)) as client:
        yield stage, client


def observed(job: ObservedJob, shown: Shown) -> Shown:
    """Return the adapter's values of the fields that a client shows. An unset field is None."""
    values: Mapping[str, Any] = {name: getattr(job, name) for name in shown}
    return {name: None if value is UNSET else value for name, value in values.items()}


def seen_by_both(met: Met, job_id: str) -> ObservedJob:
    """Return a job. The test fails if the client and the adapter show it differently."""
    stage, client = met
    shown = client.shown(client.retrieve(job_id))
    job = retrieved(stage, JobRef(stage.account, job_id))
    assert observed(job, shown) == shown
    return job


def test_the_client_and_the_adapter_list_the_same_jobs(met: Met) -> None:
    stage, client = met
    rows = [client.shown(row) for row in client.rows()]
    jobs = {job.id: job for job in call(stage, walk)}

    assert sorted(row["id"] for row in rows) == sorted(jobs) == sorted(stage.job_ids)
    assert [observed(jobs[row["id"]], row) for row in rows] == rows


def test_the_client_and_the_adapter_retrieve_the_same_jobs(met: Met) -> None:
    stage, _ = met
    jobs = {job_id: seen_by_both(met, job_id) for job_id in stage.job_ids}

    for phase in (Phase.RUNNING, *TERMINAL):
        assert jobs[stage.id_of(phase)].phase is phase


def test_the_adapter_observes_a_job_that_the_client_created(met: Met) -> None:
    stage, client = met
    job_id = client.create()
    job = seen_by_both(met, job_id)

    assert job.phase in {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
    assert job_id in {row.id for row in call(stage, walk)}


def test_the_adapter_observes_a_job_that_the_client_cancelled(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.RUNNING)
    client.cancel(ref.id)

    assert seen_by_both(met, ref.id).phase in STOPPED


def test_the_client_observes_a_job_that_the_adapter_cancelled(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.RUNNING)
    before = client.shown(client.retrieve(ref.id))
    call(stage, lambda controller: controller.cancel_job(ref))

    assert seen_by_both(met, ref.id).phase in STOPPED
    assert client.shown(client.retrieve(ref.id)) != before


def test_the_client_and_the_adapter_recognize_a_missing_job(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.ABSENT)
    with pytest.raises(client.error) as missing:
        client.retrieve(ref.id)

    assert client.status_of(missing.value) == 404
    assert call(stage, lambda controller: controller.get_job(ref)) is None


def test_a_cancel_of_a_job_that_has_ended_is_rejected_for_the_client_and_the_adapter(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.SUCCEEDED)
    with pytest.raises(client.error) as rejected:
        client.cancel(ref.id)
    outcome = call(stage, lambda controller: controller.cancel_job(ref))

    assert client.status_of(rejected.value) in {400, 409}
    assert isinstance(outcome, AlreadyOver)
    assert outcome.job.phase in TERMINAL


def test_the_client_of_together_and_the_adapter_show_the_same_events(served: Served) -> None:
    stage = ServedHarness(served, TOGETHER)
    ref = stage.job_in(Phase.SUCCEEDED)

    async def messages(controller: object) -> set[str]:
        assert isinstance(controller, SupportsEvents)
        return {each.message for each in await controller.list_events(ref, 100)}

    sdk = pytest.importorskip("together", reason="pip install together")
    with sdk.Together(base_url=stage.account.base_url, api_key=stage.secret, max_retries=0) as client:
        shown = {event.message for event in client.fine_tuning.list_events(ref.id).data}
        checkpoints = client.fine_tuning.list_checkpoints(ref.id).data

    assert call(stage, messages) == shown
    assert len(checkpoints) > 0
