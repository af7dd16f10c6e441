"""The clients of OpenAI, Anthropic and Together AI, whose methods have the same names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from reconciler.model.job import JobCounts, JobError
from tests.contract.dialects import azure
from tests.peers.batch_clients.client import PAGE_SIZE, BatchClient, Shown, moment

STRICT = {"max_retries": 0, "_strict_response_validation": True}
"""The client does not retry, and a response that differs from its types is an error."""


class StainlessClient(BatchClient):
    """A client with a context manager and an exception for each HTTP status."""

    page: ClassVar[dict[str, int]] = {"limit": PAGE_SIZE}

    def connect(self, sdk: Any) -> None:
        """Connect to the base URL of the account."""
        self.error = sdk.APIStatusError
        self._client = self._opened.enter_context(self.client(sdk, self._stage.account.base_url))

    @abstractmethod
    def client(self, sdk: Any, url: str) -> Any:
        """Return a client for a base URL."""

    @property
    def batches(self) -> Any:
        """Return the batches of the client."""
        return self._client.batches

    def rows(self) -> Iterator[Any]:
        """Iterate over the pages, as the client does by itself."""
        yield from self.batches.list(**self.page)

    def retrieve(self, job_id: str) -> Any:
        """Return a batch."""
        return self.batches.retrieve(job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a batch."""
        self.batches.cancel(job_id)


class OpenAIClient(StainlessClient):
    """OpenAI's client."""

    package, module = "openai", "openai"

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with the key."""
        return sdk.OpenAI(base_url=url, api_key=self._stage.secret, **STRICT)

    def create(self) -> str:
        """Create a batch from a file."""
        made = self.batches.create(
            input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h", metadata={"team": "a"}
        )
        return str(made.id)

    def shown(self, row: Any) -> Shown:
        """Read a `Batch`."""
        failure = row.errors.data[0] if row.errors else None
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "output_file": row.output_file_id,
            "created_at": moment(row.created_at),
            "started_at": moment(row.in_progress_at),
            "finished_at": moment(row.completed_at or row.failed_at or row.expired_at or row.cancelled_at),
            "expires_at": moment(row.expires_at),
            "counts": JobCounts(row.request_counts.total, row.request_counts.completed, row.request_counts.failed),
            "tokens": row.usage.total_tokens,
            "error": failure and JobError(code=failure.code, message=failure.message, param=failure.param),
        }


class AzureClient(OpenAIClient):
    """OpenAI's client for Azure, which asks for a version of the API."""

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with the resource's key."""
        return sdk.AzureOpenAI(azure_endpoint=url, api_version=azure.API_VERSION, api_key=self._stage.secret, **STRICT)


class AzureV1Client(OpenAIClient):
    """OpenAI's client at Azure's path without a version."""

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with a token of Microsoft Entra."""
        return sdk.OpenAI(base_url=f"{url}/openai/v1/", api_key=azure.TOKEN, **STRICT)


class PassThroughClient(OpenAIClient):
    """OpenAI's client at the pass-through of LiteLLM."""

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with the proxy's key."""
        return super().client(sdk, f"{url}/openai_passthrough/v1")


class AnthropicClient(StainlessClient):
    """Anthropic's client."""

    package, module = "anthropic", "anthropic"

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with the key."""
        return sdk.Anthropic(base_url=url, api_key=self._stage.secret, **STRICT)

    @property
    def batches(self) -> Any:
        """Return the batches, which are below the messages."""
        return self._client.messages.batches

    def create(self) -> str:
        """Create a batch of one message."""
        params = {"model": "claude-m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        return str(self.batches.create(requests=[{"custom_id": "one", "params": params}]).id)

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


class TogetherClient(StainlessClient):
    """Together AI's client."""

    package, module = "together", "together"

    page: ClassVar[dict[str, int]] = {}  # it has none

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with the key."""
        return sdk.Together(base_url=url, api_key=self._stage.secret, **STRICT)

    def create(self) -> str:
        """Create a batch from a file."""
        return str(self.batches.create(endpoint="/v1/chat/completions", input_file_id="file-in").job.id)

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
