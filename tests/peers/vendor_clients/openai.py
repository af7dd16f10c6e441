"""OpenAI's clients, for OpenAI and for the services and gateways with the same API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from reconciler.model.job import JobCounts, JobError
from tests.contract.dialects import azure
from tests.contract.dialects.litellm import UPSTREAM
from tests.peers.vendor_clients.client import Shown, moment
from tests.peers.vendor_clients.stainless import StainlessClient


class OpenAIBatches(StainlessClient):
    """OpenAI's client, with batches."""

    package, module = "openai", "openai"

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the key."""
        return sdk.OpenAI(base_url=self._stage.account.base_url, api_key=self._stage.secret, **options)

    def create(self) -> str:
        """Create a batch from a file."""
        made = self._jobs.create(
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


class OpenAIJobs(OpenAIBatches):
    """OpenAI's client, with fine-tuning jobs. Its types allow neither the status `paused` nor Azure's null fields."""

    resource = "fine_tuning.jobs"
    is_strict = False

    def create(self) -> str:
        """Create a job from a file."""
        return str(self._jobs.create(model="gpt-m", training_file="file-in", **self.asks).id)

    def shown(self, row: Any) -> Shown:
        """Read a `FineTuningJob`."""
        failure = row.error if row.error and row.error.code else None
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "fine_tuned_model": row.fine_tuned_model,
            "created_at": moment(row.created_at),
            "finished_at": moment(row.finished_at),
            "estimated_finish_at": moment(row.estimated_finish),
            "trained_tokens": row.trained_tokens,
            "error": failure and JobError(code=failure.code, message=failure.message, param=failure.param),
        }


class AzureClassic(OpenAIBatches):
    """OpenAI's client for Azure, which names a version of the API in each request."""

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the resource's key."""
        url, key = self._stage.account.base_url, self._stage.secret
        return sdk.AzureOpenAI(azure_endpoint=url, api_version=azure.API_VERSION, api_key=key, **options)


class AzureClassicToken(OpenAIBatches):
    """OpenAI's client for Azure, with a token."""

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with a token of Microsoft Entra."""
        url = self._stage.account.base_url
        return sdk.AzureOpenAI(azure_endpoint=url, api_version=azure.API_VERSION, azure_ad_token=azure.TOKEN, **options)


class AzureV1(OpenAIBatches):
    """OpenAI's client at Azure's path without a version."""

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with a token of Microsoft Entra."""
        return sdk.OpenAI(base_url=f"{self._stage.account.base_url}/openai/v1/", api_key=azure.TOKEN, **options)


class PassThrough(OpenAIBatches):
    """OpenAI's client at the pass-through of LiteLLM."""

    root: ClassVar[str] = "openai_passthrough"

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the proxy's key."""
        url = f"{self._stage.account.base_url}/{self.root}/v1"
        return sdk.OpenAI(base_url=url, api_key=self._stage.secret, **options)


class AzureClassicJobs(AzureClassic, OpenAIJobs):
    """`AzureClassic` with fine-tuning jobs."""


class AzureClassicTokenJobs(AzureClassicToken, OpenAIJobs):
    """`AzureClassicToken` with fine-tuning jobs."""


class AzureV1Jobs(AzureV1, OpenAIJobs):
    """`AzureV1` with fine-tuning jobs."""


class PassThroughJobs(PassThrough, OpenAIJobs):
    """`PassThrough` with fine-tuning jobs."""

    root = "openai"


class LiteLLMJobs(OpenAIJobs):
    """OpenAI's client at LiteLLM's own routes, which read the upstream from the query or the body."""

    asks: ClassVar[Mapping[str, Any]] = {"extra_body": {"custom_llm_provider": UPSTREAM}}

    def client(self, sdk: Any, **options: Any) -> Any:
        """Return a client with the proxy's key."""
        url, upstream = f"{self._stage.account.base_url}/v1", {"custom_llm_provider": UPSTREAM}
        return sdk.OpenAI(base_url=url, api_key=self._stage.secret, default_query=upstream, **options)
