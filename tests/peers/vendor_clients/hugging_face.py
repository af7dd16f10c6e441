"""Hugging Face's client, with the jobs of a namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.model.job import JobError
from tests.contract.dialects import hf_jobs
from tests.peers.vendor_clients.client import JobClient, Shown


class HuggingFaceJobs(JobClient):
    """Hugging Face's client."""

    package, module = "huggingface_hub", "huggingface_hub"

    def connect(self, sdk: Any) -> None:
        """Connect with a token."""
        self.error = pytest.importorskip("huggingface_hub.errors").HfHubHTTPError
        self._api = sdk.HfApi(endpoint=self._stage.account.base_url, token=self._stage.secret)

    def create(self) -> str:
        """Run a job in a container."""
        made = self._api.run_job(image="python:3.12", command=["python", "train.py"], namespace=hf_jobs.NAMESPACE)
        return str(made.id)

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages. The service chooses the size of a page."""
        label, _, value = hf_jobs.LABEL.partition("=")
        yield from self._api.list_jobs(namespace=hf_jobs.NAMESPACE, labels={label: value})

    def retrieve(self, job_id: str) -> Any:
        """Return a `JobInfo`."""
        return self._api.inspect_job(job_id=job_id, namespace=hf_jobs.NAMESPACE)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._api.cancel_job(job_id=job_id, namespace=hf_jobs.NAMESPACE)

    def shown(self, row: Any) -> Shown:
        """Read a `JobInfo`."""
        message = row.status.message
        return {
            "id": row.id,
            "provider_status": row.status.stage,
            "created_at": row.created_at,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "error": JobError(message=message) if message else None,
        }

    def status_of(self, error: Any) -> int:
        """Return the status of the response."""
        status: int = error.response.status_code
        return status
