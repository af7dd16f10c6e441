"""Google's client, with the batches of the Gemini API and of Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from reconciler.model.job import JobCounts
from tests.contract.dialects import vertex
from tests.peers.batch_clients.client import PAGE_SIZE, BatchClient, Shown


class GeminiClient(BatchClient):
    """Google's client for the Gemini API. It does not read the counts."""

    package, module = "google-genai", "google.genai"
    source: ClassVar[str] = "files/in"

    def connect(self, sdk: Any) -> None:
        """Connect with a key or a token."""
        self.error = sdk.errors.APIError
        client = self.client(sdk, self._stage.account.base_url)
        self._opened.callback(client.close)
        self._batches = client.batches

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with a key."""
        return sdk.Client(api_key=self._stage.secret, http_options=sdk.types.HttpOptions(base_url=url))

    def create(self) -> str:
        """Create a batch from a file."""
        return self.id_of(self._batches.create(model="gemini-m", src=self.source))

    def id_of(self, row: Any) -> str:
        """Return the last part of a batch's name."""
        return str(row.name.rpartition("/")[2])

    def rows(self) -> Iterator[Any]:
        """Iterate over the pages, as the client does by itself."""
        yield from self._batches.list(config={"page_size": PAGE_SIZE})

    def retrieve(self, job_id: str) -> Any:
        """Return a `BatchJob`."""
        return self._batches.get(name=self.name_of(job_id))

    def cancel(self, job_id: str) -> None:
        """Cancel a batch."""
        self._batches.cancel(name=self.name_of(job_id))

    def name_of(self, job_id: str) -> str:
        """Return the name that the client wants."""
        return f"batches/{job_id}"

    def shown(self, row: Any) -> Shown:
        """Read a `BatchJob`. The client renames the states of the Gemini API."""
        return {
            "id": self.id_of(row),
            "provider_status": row.state.value.replace("JOB_", "BATCH_"),
            "model": row.model,
            "created_at": row.create_time,
            "finished_at": row.end_time,
        }

    def status_of(self, error: Any) -> int:
        """Return the code of the error."""
        status: int = error.code
        return status


class VertexClient(GeminiClient):
    """Google's client for Vertex AI."""

    source = "gs://bucket/in.jsonl"

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with a token."""
        credentials = pytest.importorskip("google.oauth2.credentials", reason="pip install google-auth")
        return sdk.Client(
            vertexai=True,
            project=vertex.PROJECT,
            location=vertex.LOCATION,
            credentials=credentials.Credentials(token=self._stage.secret),
            http_options=sdk.types.HttpOptions(base_url=url),
        )

    def name_of(self, job_id: str) -> str:
        """Return the resource's name."""
        return f"{vertex.PARENT}/batchPredictionJobs/{job_id}"

    def shown(self, row: Any) -> Shown:
        """Read a `BatchJob`."""
        stats, output = row.completion_stats, row.output_info
        done, failed = stats.successful_count, stats.failed_count or 0
        return super().shown(row) | {
            "provider_status": row.state.value,
            "started_at": row.start_time,
            "counts": JobCounts(done + failed + stats.incomplete_count, done, failed),
            "output_file": output and output.gcs_output_directory,
        }
