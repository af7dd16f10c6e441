"""The clients of Anthropic, Together AI and Fireworks AI, whose methods have the same names as those of OpenAI."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, ClassVar

from reconciler.model.job import JobCounts, JobError
from tests.contract.dialects import fireworks
from tests.peers.vendor_clients.client import PAGE_SIZE, JobClient, Shown


class StainlessClient(JobClient):
    """A client with a context manager and an exception for each HTTP status. It does not retry."""

    resource: ClassVar[str] = "batches"
    """The dotted path of the client's attribute with the methods for jobs."""
    page: ClassVar[Mapping[str, int]] = {"limit": PAGE_SIZE}
    asks: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of a create and of a cancel."""
    is_strict: ClassVar[bool] = True
    """Whether a response that differs from the client's types is an error."""

    def connect(self, sdk: Any) -> None:
        """Connect to the base URL of the account."""
        self.error = sdk.APIStatusError
        client = self.client(sdk, max_retries=0, _strict_response_validation=self.is_strict)
        self._jobs = attrgetter(self.resource)(self._opened.enter_context(client))

    @abstractmethod
    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the key."""

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages. The client requests the pages itself."""
        yield from self._jobs.list(**self.page)

    def retrieve(self, job_id: str) -> Any:
        """Return a job."""
        return self._jobs.retrieve(job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._jobs.cancel(job_id, **self.asks)


class AnthropicBatches(StainlessClient):
    """Anthropic's client."""

    package, module = "anthropic", "anthropic"
    resource = "messages.batches"

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the key."""
        return sdk.Anthropic(base_url=self._stage.account.base_url, api_key=self._stage.secret, **options)

    def create(self) -> str:
        """Create a batch of one message."""
        params = {"model": "model-1", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        return str(self._jobs.create(requests=[{"custom_id": "one", "params": params}]).id)

    def shown(self, row: Any) -> Shown:
        """Read a `MessageBatch`. Its counts are known once it has ended."""
        counts = row.request_counts
        total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
        ended = JobCounts(total, counts.succeeded, counts.errored + counts.expired)
        return {
            "id": row.id,
            "provider_status": row.processing_status,
            "output_file": row.results_url,
            "created_at": row.created_at,
            "finished_at": row.ended_at,
            "expires_at": row.expires_at,
            "counts": ended if row.processing_status == "ended" else JobCounts(total),
        }


class TogetherBatches(StainlessClient):
    """Together AI's client, with batches. A list has no pages."""

    package, module = "together", "together"
    page: ClassVar[Mapping[str, int]] = {}

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the key."""
        return sdk.Together(base_url=self._stage.account.base_url, api_key=self._stage.secret, **options)

    def create(self) -> str:
        """Create a batch from a file."""
        return str(self._jobs.create(endpoint="/v1/chat/completions", input_file_id="file-in").job.id)

    def shown(self, row: Any) -> Shown:
        """Read a `BatchJob`."""
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.x_model_id,
            "output_file": row.output_file_id,
            "created_at": row.created_at,
            "finished_at": row.completed_at,
            "expires_at": row.job_deadline,
            "error": JobError(message=row.error) if row.error else None,
        }


class TogetherJobs(TogetherBatches):
    """Together AI's client, with fine-tuning jobs."""

    resource = "fine_tuning"

    def rows(self) -> Iterator[Any]:
        """Return the rows of the only page."""
        yield from self._jobs.list().data

    def create(self) -> str:
        """Create a job from a file. The client first requests the limits of the model and the price."""
        return str(self._jobs.create(model="m", training_file="file-in").id)

    def shown(self, row: Any) -> Shown:
        """Read a `FinetuneResponse`, or a row of the list."""
        tokens = {"trained_tokens": row.token_count} if hasattr(row, "events") and row.events else {}
        return tokens | {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "fine_tuned_model": row.x_model_output_name if row.status == "completed" else None,
            "created_at": row.created_at,
        }


class FireworksJobs(StainlessClient):
    """Fireworks' client, which has a resource for each collection."""

    package, module = "fireworks-ai", "fireworks"
    resource = "supervised_fine_tuning_jobs"
    page: ClassVar[Mapping[str, int]] = {"page_size": PAGE_SIZE}
    resources: ClassVar[Mapping[str, str]] = {
        "supervisedFineTuningJobs": resource,
        "dpoJobs": "dpo_jobs",
        "reinforcementFineTuningJobs": "reinforcement_fine_tuning_jobs",
        "rlorTrainerJobs": "reinforcement_fine_tuning_steps",
    }

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the key."""
        url, key = self._stage.account.base_url, self._stage.secret
        self._client = sdk.Fireworks(base_url=url, api_key=key, account_id=fireworks.ACCOUNT, **options)
        return self._client

    def create(self) -> str:
        """Create a supervised job from a data set."""
        return self.id_of(self._jobs.create(dataset=f"accounts/{fireworks.ACCOUNT}/datasets/d", base_model="m"))

    def id_of(self, row: Any) -> str:
        """Return the part of a job's name that identifies it within the account."""
        return str(row.name.removeprefix(f"accounts/{fireworks.ACCOUNT}/"))

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages of each collection."""
        for resource in self.resources.values():
            yield from getattr(self._client, resource).list(**self.page)

    def retrieve(self, job_id: str) -> Any:
        """Return a job of any collection."""
        jobs, bare_id = self._collection(job_id)
        return jobs.get(bare_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job of any collection."""
        jobs, bare_id = self._collection(job_id)
        jobs.cancel(bare_id, body={})

    def shown(self, row: Any) -> Shown:
        """Read a job of any collection. Unlike other jobs, a supervised one has no inner object with its models."""
        config = getattr(row, "training_config", None) or row
        return {
            "id": self.id_of(row),
            "provider_status": row.state,
            "model": config.base_model,
            "fine_tuned_model": config.output_model if row.state == "JOB_STATE_COMPLETED" else None,
            "created_at": row.create_time,
            "finished_at": row.completed_time,
        }

    def _collection(self, job_id: str) -> tuple[Any, str]:
        collection, _, bare_id = job_id.partition("/")
        return getattr(self._client, self.resources[collection]), bare_id
