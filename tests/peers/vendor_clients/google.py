"""Google's client, with the batches of the Gemini API, and the batches and tuning jobs of Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from reconciler.model.job import JobCounts, JobError
from tests.contract.dialects import vertex
from tests.peers.vendor_clients.client import PAGE_SIZE, JobClient, Shown


class GeminiBatches(JobClient):
    """Google's client for the Gemini API. It does not read the counts."""

    package, module = "google-genai", "google.genai"
    resource: ClassVar[str] = "batches"
    """The name of the client's attribute with the methods for jobs."""
    source: ClassVar[str] = "files/in"

    def connect(self, sdk: Any) -> None:
        """Connect with a key or a token."""
        self.error = sdk.errors.APIError
        client = self.client(sdk, self._stage.account.base_url)
        self._opened.callback(client.close)
        self._jobs = getattr(client, self.resource)
        self._types = sdk.types

    def client(self, sdk: Any, url: str) -> Any:
        """Return a client with a key."""
        return sdk.Client(api_key=self._stage.secret, http_options=sdk.types.HttpOptions(base_url=url))

    def create(self) -> str:
        """Create a batch from a file."""
        return self.id_of(self._jobs.create(model="gemini-m", src=self.source))

    def id_of(self, row: Any) -> str:
        """Return the last part of a job's name."""
        return str(row.name.rpartition("/")[2])

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages. The client requests the pages itself."""
        yield from self._jobs.list(config={"page_size": PAGE_SIZE})

    def retrieve(self, job_id: str) -> Any:
        """Return a job."""
        return self._jobs.get(name=self.name_of(job_id))

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._jobs.cancel(name=self.name_of(job_id))

    def name_of(self, job_id: str) -> str:
        """Return the name by which the client identifies a job."""
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


class VertexBatches(GeminiBatches):
    """Google's client for Vertex AI."""

    source = "gs://bucket/in.jsonl"
    collection: ClassVar[str] = "batchPredictionJobs"

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
        """Return the resource name of a job."""
        return f"{vertex.PARENT}/{self.collection}/{job_id}"

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


class VertexJobs(VertexBatches):
    """Google's client for Vertex AI, with tuning jobs."""

    marks = (pytest.mark.filterwarnings("ignore:The SDK's tuning implementation is experimental"),)
    resource = "tunings"
    collection = "tuningJobs"

    def create(self) -> str:
        """Create a job from a file."""
        data = self._types.TuningDataset(gcs_uri=self.source)
        return self.id_of(self._jobs.tune(base_model="gemini-m", training_dataset=data))

    def shown(self, row: Any) -> Shown:
        """Read a `TuningJob`."""
        return {
            "id": self.id_of(row),
            "provider_status": row.state.value,
            "model": row.base_model,
            "fine_tuned_model": row.tuned_model and row.tuned_model.model,
            "created_at": row.create_time,
            "finished_at": row.end_time,
            "error": row.error and JobError(code=str(row.error.code), message=row.error.message),
        }
