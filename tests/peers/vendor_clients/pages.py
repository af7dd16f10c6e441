"""The clients whose caller requests each page of a list: those of Cohere and Mistral, and LiteLLM for xAI's batches."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from reconciler.model.job import JobCounts, JobError, Phase
from tests.contract.harnesses import ServedHarness
from tests.peers.vendor_clients.client import PAGE_SIZE, JobClient, Shown, moment


class CohereBatches(JobClient):
    """Cohere's client."""

    package, module = "cohere", "cohere"

    def connect(self, sdk: Any) -> None:
        """Connect without retries."""
        self.error = pytest.importorskip("cohere.core.api_error").ApiError
        client = sdk.ClientV2(api_key=self._stage.secret, base_url=self._stage.account.base_url, max_retries=0)
        self._jobs = self._opened.enter_context(client).batches

    def create(self) -> str:
        """Create a batch from a data set."""
        asked = {"name": "nightly", "input_dataset_id": "dataset-in", "model": "batch-command"}
        return str(self._jobs.create(request=asked).batch.id)

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages, and request one page after another."""
        page = self._jobs.list(page_size=PAGE_SIZE)
        yield from page.batches
        while page.next_page_token:
            page = self._jobs.list(page_size=PAGE_SIZE, page_token=page.next_page_token)
            yield from page.batches

    def retrieve(self, job_id: str) -> Any:
        """Return a `Batch`."""
        return self._jobs.retrieve(job_id).batch

    def cancel(self, job_id: str) -> None:
        """Cancel a batch."""
        self._jobs.cancel(job_id)

    def shown(self, row: Any) -> Shown:
        """Read a `Batch`."""
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "output_file": row.output_dataset_id or None,
            "created_at": row.created_at,
            "counts": JobCounts(row.num_records, row.num_successful_records, row.num_failed_records),
            "tokens": int(row.input_tokens) + int(row.output_tokens),
            "error": JobError(message=row.status_reason) if row.status_reason else None,
        }


class MistralBatches(JobClient):
    """Mistral's client."""

    package, module = "mistralai", "mistralai.client"

    def connect(self, sdk: Any) -> None:
        """Connect without retries, which is the default."""
        self.error = sdk.errors.MistralError
        client = sdk.Mistral(api_key=self._stage.secret, server_url=self._stage.account.base_url)
        self._jobs = self._opened.enter_context(client).batch.jobs

    def create(self) -> str:
        """Create a job from a file."""
        made = self._jobs.create(endpoint="/v1/chat/completions", input_files=["file-in"], model="mistral-m")
        return str(made.id)

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages, and request one page after another."""
        total, found = 1, 0
        while found < total:
            page = self._jobs.list(page=found // PAGE_SIZE, page_size=PAGE_SIZE)
            yield from page.data
            total, found = page.total, found + PAGE_SIZE

    def retrieve(self, job_id: str) -> Any:
        """Return a `BatchJob`."""
        return self._jobs.get(job_id=job_id)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._jobs.cancel(job_id=job_id)

    def shown(self, row: Any) -> Shown:
        """Read a `BatchJob`."""
        return {
            "id": row.id,
            "provider_status": row.status,
            "model": row.model,
            "output_file": row.output_file,
            "created_at": moment(row.created_at),
            "started_at": moment(row.started_at),
            "finished_at": moment(row.completed_at),
            "counts": JobCounts(row.total_requests, row.succeeded_requests, row.failed_requests),
            "error": JobError(message=row.errors[0].message) if row.errors else None,
        }


class XAIBatches(JobClient):
    """LiteLLM, which reads xAI's batches over HTTP; xAI's own client uses gRPC only."""

    package, module = "litellm", "litellm"
    marks = (
        pytest.mark.filterwarnings("ignore:.*on TypedDict class .*`ReadOnly`:UserWarning"),
        pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    )

    PHASES: ClassVar[Mapping[str, Phase]] = {
        "validating": Phase.VALIDATING_FILES,
        "in_progress": Phase.RUNNING,
        "completed": Phase.SUCCEEDED,
        "failed": Phase.FAILED,
    }
    """The phases of LiteLLM's words, without `cancelled`, which it reports as soon as a cancel is requested."""

    def __init__(self, stage: ServedHarness) -> None:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its import must not need a network
        super().__init__(stage)

    def connect(self, sdk: Any) -> None:
        """Store the arguments with which each call connects."""
        llms = sdk.llms
        self.error = (
            llms.base_llm.chat.transformation.BaseLLMException,
            llms.custom_httpx.http_handler.MaskedHTTPStatusError,
        )
        self._sdk = sdk
        self._where = {
            "custom_llm_provider": "xai",
            "api_base": self._stage.account.base_url,
            "api_key": self._stage.secret,
        }

    def close(self) -> None:
        """Free the connections that LiteLLM does not close, so that no later test reports them."""
        super().close()
        gc.collect()

    def create(self) -> str:
        """Create a batch from a file."""
        made = self._sdk.create_batch(
            completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-in", **self._where
        )
        return str(made.id)

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages, and request one page after another."""
        page = self._sdk.list_batches(limit=PAGE_SIZE, **self._where)
        yield from page.data
        while page.has_more:
            page = self._sdk.list_batches(limit=PAGE_SIZE, after=page.next_page_token, **self._where)
            yield from page.data

    def retrieve(self, job_id: str) -> Any:
        """Return a `LiteLLMBatch`."""
        return self._sdk.retrieve_batch(batch_id=job_id, **self._where)

    def cancel(self, job_id: str) -> None:
        """Cancel a batch."""
        self._sdk.cancel_batch(batch_id=job_id, **self._where)

    def shown(self, row: Any) -> Shown:
        """Read a `LiteLLMBatch`, without its counts: it counts a cancelled request as failed."""
        phase = {"phase": self.PHASES[row.status]} if row.status in self.PHASES else {}
        return phase | {
            "id": row.id,
            "error": JobError(message=row.errors.data[0].message) if row.errors else None,
        }
