"""The simulated fine-tuning jobs of Together AI and Fireworks AI, and the adapters, checked by the vendors' clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import pytest

from reconciler.model.job import UNSET, AlreadyOver, JobRef, ObservedJob, Phase
from reconciler.ports import SupportsEvents
from reconciler.testing.calls import STOPPED, call, retrieved, walk
from tests.contract.dialects.services import FIREWORKS, TOGETHER, Service
from tests.contract.harnesses import Served, ServedHarness

STRICT = {"max_retries": 0, "_strict_response_validation": True}
"""The client does not retry, and a response that differs from its types is an error."""
Shown = dict[str, Any]
"""What a client shows of a job, under the names of the attributes of `ObservedJob`."""


class FineTuningClient(ABC):
    """A vendor's client, connected to a simulated service."""

    package: ClassVar[str]
    """The name of its distribution."""
    module: ClassVar[str]
    service: ClassVar[Service]

    def __init__(self, stage: ServedHarness) -> None:
        self._stage = stage
        sdk = pytest.importorskip(self.module, reason=f"pip install {self.package}")
        self.error: type[Exception] = sdk.APIStatusError
        self._client = self.client(sdk)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @abstractmethod
    def client(self, sdk: Any) -> Any:
        """Return a client with the key, at the address of the service."""

    @abstractmethod
    def rows(self) -> Iterator[Any]:
        """Yield the jobs of all pages of the list."""

    @abstractmethod
    def retrieve(self, job_id: str) -> Any:
        """Return a job."""

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """Cancel a job."""

    @abstractmethod
    def shown(self, row: Any) -> Shown:
        """Return what the client shows of a job, in a list or by itself."""


class TogetherClient(FineTuningClient):
    """Together AI's client."""

    package, module = "together", "together"
    service = TOGETHER

    def client(self, sdk: Any) -> Any:
        """Return a client with the key, at the address of the service."""
        return sdk.Together(base_url=self._stage.account.base_url, api_key=self._stage.secret, **STRICT)

    def rows(self) -> Iterator[Any]:
        """Yield the jobs of the only page."""
        yield from self._client.fine_tuning.list().data

    def retrieve(self, job_id: str) -> Any:
        """Return a job."""
        return self._client.fine_tuning.retrieve(job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._client.fine_tuning.cancel(job_id)

    def shown(self, row: Any) -> Shown:
        """Read a `FinetuneResponse`. The name of the model is known before there is one."""
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "fine_tuned_model": row.x_model_output_name if row.status == "completed" else None,
            "created_at": row.created_at,
        }


class FireworksClient(FineTuningClient):
    """Fireworks' client, which has a resource for each collection."""

    package, module = "fireworks-ai", "fireworks"
    service = FIREWORKS
    resources: ClassVar[Mapping[str, str]] = {
        "supervisedFineTuningJobs": "supervised_fine_tuning_jobs",
        "dpoJobs": "dpo_jobs",
        "reinforcementFineTuningJobs": "reinforcement_fine_tuning_jobs",
        "rlorTrainerJobs": "reinforcement_fine_tuning_steps",
    }

    def client(self, sdk: Any) -> Any:
        """Return a client with the key, at the address of the service."""
        account, address = self.service.options["account"], self._stage.account.base_url
        return sdk.Fireworks(base_url=address, api_key=self._stage.secret, account_id=account, **STRICT)

    def rows(self) -> Iterator[Any]:
        """Yield the jobs of all pages of each collection."""
        for resource in self.resources.values():
            yield from getattr(self._client, resource).list(page_size=2)

    def retrieve(self, job_id: str) -> Any:
        """Return a job."""
        resource, bare_id = self._resource(job_id)
        return resource.get(bare_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        resource, bare_id = self._resource(job_id)
        resource.cancel(bare_id, body={})

    def shown(self, row: Any) -> Shown:
        """Read a job of any collection. Supervised jobs have no configuration of their own."""
        config = getattr(row, "training_config", None) or row
        return {
            "id": row.name.removeprefix(f"accounts/{self.service.options['account']}/"),
            "provider_status": row.state,
            "model": config.base_model,
            "fine_tuned_model": config.output_model if row.state == "JOB_STATE_COMPLETED" else None,
            "created_at": row.create_time,
            "finished_at": row.completed_time,
        }

    def _resource(self, job_id: str) -> tuple[Any, str]:
        collection, _, bare_id = job_id.partition("/")
        return getattr(self._client, self.resources[collection]), bare_id


Met = tuple[ServedHarness, FineTuningClient]


@pytest.fixture(params=[TogetherClient, FireworksClient], ids=lambda client: client.module)
def met(request: pytest.FixtureRequest, served: Served) -> Iterator[Met]:
    """Yield the jobs of a service, and a client that is connected to them."""
    stage = ServedHarness(served, request.param.service)
    with closing(request.param(stage)) as client:
        yield stage, client


def observed(job: ObservedJob, shown: Shown) -> Shown:
    """Return what an adapter shows of a job under the names that a client has."""
    values: Mapping[str, Any] = {name: getattr(job, name) for name in shown}
    return {name: None if value is UNSET else value for name, value in values.items()}


def seen_by_both(met: Met, job_id: str) -> ObservedJob:
    """Return a job that the client and the adapter show alike."""
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

    assert {Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED} <= {job.phase for job in jobs.values()}


def test_each_of_client_and_adapter_observes_the_cancel_of_the_other(met: Met) -> None:
    stage, client = met
    running, queued = stage.job_in(Phase.RUNNING), stage.job_in(Phase.QUEUED)
    client.cancel(running.id)
    call(stage, lambda controller: controller.cancel_job(queued))

    assert {seen_by_both(met, ref.id).phase for ref in (running, queued)} <= STOPPED


def test_the_client_and_the_adapter_recognize_a_missing_job(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.ABSENT)
    with pytest.raises(client.error) as missing:
        client.retrieve(ref.id)

    assert getattr(missing.value, "status_code", None) == 404
    assert call(stage, lambda controller: controller.get_job(ref)) is None


def test_a_cancel_of_a_job_that_has_ended_is_rejected_for_the_client_and_the_adapter(met: Met) -> None:
    stage, client = met
    ref = stage.job_in(Phase.SUCCEEDED)
    with pytest.raises(client.error) as rejected:
        client.cancel(ref.id)
    outcome = call(stage, lambda controller: controller.cancel_job(ref))

    assert getattr(rejected.value, "status_code", None) == 400
    assert isinstance(outcome, AlreadyOver)


def test_the_client_of_together_and_the_adapter_show_the_same_events(served: Served) -> None:
    stage = ServedHarness(served, TOGETHER)
    ref = stage.job_in(Phase.SUCCEEDED)

    async def messages(controller: object) -> set[str]:
        assert isinstance(controller, SupportsEvents)
        return {each.message for each in await controller.list_events(ref, 100)}

    sdk = pytest.importorskip("together", reason="pip install together")
    with sdk.Together(base_url=stage.account.base_url, api_key=stage.secret, **STRICT) as client:
        shown = {event.message for event in client.fine_tuning.list_events(ref.id).data}
        checkpoints = client.fine_tuning.list_checkpoints(ref.id).data

    assert call(stage, messages) == shown
    assert len(checkpoints) > 0
