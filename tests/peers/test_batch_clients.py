"""The simulated services' batches, and the adapters, checked by the vendors' own clients.

xAI's own client is not among them, because it speaks gRPC. LiteLLM reads xAI's batches over HTTP, as the adapter does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from reconciler.model.job import TERMINAL, UNSET, AlreadyOver, JobRef, ObservedJob, Phase
from reconciler.testing.calls import STOPPED, call, retrieved, walk
from tests.contract.batch_harness import BatchHarness
from tests.contract.harnesses import Served
from tests.peers.batch_clients import CLIENTS
from tests.peers.batch_clients.client import BatchClient, Shown

Met = tuple[BatchHarness, BatchClient]


@pytest.fixture(params=[pytest.param(name, marks=client.marks) for name, (client, _) in CLIENTS.items()])
def met(request: pytest.FixtureRequest, served: Served) -> Iterator[Met]:
    """Yield the batches of a service, and a client that is connected to them."""
    client_type, service = CLIENTS[request.param]
    stage = BatchHarness(served, service)
    with closing(client_type(stage)) as client:
        yield stage, client


def observed(job: ObservedJob, shown: Shown) -> Shown:
    """Return what an adapter shows of a batch under the names that a client has."""
    values: Mapping[str, Any] = {name: getattr(job, name) for name in shown}
    return {name: None if value is UNSET else value for name, value in values.items()}


def seen_by_both(met: Met, job_id: str) -> ObservedJob:
    """Return a batch that the client and the adapter show alike."""
    stage, client = met
    shown = client.shown(client.retrieve(job_id))
    job = retrieved(stage, JobRef(stage.account, job_id))
    assert observed(job, shown) == shown
    return job


def test_the_client_and_the_adapter_list_the_same_batches(met: Met) -> None:
    stage, client = met
    rows = [client.shown(row) for row in client.rows()]
    jobs = {job.id: job for job in call(stage, walk)}

    assert sorted(row["id"] for row in rows) == sorted(jobs) == sorted(stage.job_ids)
    assert [observed(jobs[row["id"]], row) for row in rows] == rows


def test_the_client_and_the_adapter_retrieve_the_same_batches(met: Met) -> None:
    stage, _ = met
    jobs = {job_id: seen_by_both(met, job_id) for job_id in stage.job_ids}

    assert len({job.phase for job in jobs.values()}) == len(jobs)


def test_the_adapter_observes_a_batch_that_the_client_created(met: Met) -> None:
    stage, client = met
    job_id = client.create()
    job = seen_by_both(met, job_id)

    assert job.phase in {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
    assert job_id in {row.id for row in call(stage, walk)}


def test_the_adapter_observes_a_batch_that_the_client_cancelled(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.RUNNING)
    client.cancel(ref.id)

    assert seen_by_both(met, ref.id).phase in STOPPED


def test_the_client_observes_a_batch_that_the_adapter_cancelled(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.RUNNING)
    before = client.shown(client.retrieve(ref.id))
    call(stage, lambda controller: controller.cancel_job(ref))

    assert seen_by_both(met, ref.id).phase in STOPPED
    assert client.shown(client.retrieve(ref.id)) != before


def test_the_client_and_the_adapter_recognize_a_missing_batch(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.ABSENT)
    with pytest.raises(client.error) as missing:
        client.retrieve(ref.id)

    assert client.status_of(missing.value) == 404
    assert call(stage, lambda controller: controller.get_job(ref)) is None


def test_a_cancel_of_a_batch_that_has_ended_is_rejected_for_the_client_and_the_adapter(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.SUCCEEDED)
    with pytest.raises(client.error) as rejected:
        client.cancel(ref.id)
    outcome = call(stage, lambda controller: controller.cancel_job(ref))

    assert client.status_of(rejected.value) in {400, 409}
    assert isinstance(outcome, AlreadyOver)
    assert outcome.job.phase in TERMINAL
