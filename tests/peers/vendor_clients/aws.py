"""AWS's client, with the batches of Bedrock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.model.job import JobCounts
from tests.contract.dialects import bedrock
from tests.peers.vendor_clients.client import PAGE_SIZE, JobClient, Shown


class BedrockBatches(JobClient):
    """AWS's client botocore, on which boto3 is built."""

    package, module = "botocore", "botocore.session"

    def connect(self, sdk: Any) -> None:
        """Connect without retries."""
        self.error = pytest.importorskip("botocore.exceptions").ClientError
        config = pytest.importorskip("botocore.config").Config(retries={"total_max_attempts": 1})
        self._client = sdk.Session().create_client(
            "bedrock",
            region_name=bedrock.REGION,
            endpoint_url=self._stage.account.base_url,
            aws_access_key_id=bedrock.ACCESS_KEY,
            aws_secret_access_key=self._stage.secret,
            config=config,
        )
        self._opened.callback(self._client.close)

    def create(self) -> str:
        """Create a job from a file."""
        made = self._client.create_model_invocation_job(
            jobName="nightly",
            roleArn="arn:aws:iam::123456789012:role/r",
            modelId="amazon.nova-lite-v1:0",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://b/in.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://b/out/"}},
        )
        return str(made["jobArn"].rpartition("/")[2])

    def rows(self) -> Iterator[Any]:
        """Yield the rows of all pages. The client requests the pages itself."""
        pages = self._client.get_paginator("list_model_invocation_jobs")
        for page in pages.paginate(PaginationConfig={"PageSize": PAGE_SIZE}):
            yield from page["invocationJobSummaries"]

    def retrieve(self, job_id: str) -> Any:
        """Return a `GetModelInvocationJobResponse`."""
        return self._client.get_model_invocation_job(jobIdentifier=job_id)

    def cancel(self, job_id: str) -> None:
        """Stop a job."""
        self._client.stop_model_invocation_job(jobIdentifier=job_id)

    def shown(self, row: Any) -> Shown:
        """Read a response or a row. A row has no counts."""
        names = ("totalRecordCount", "successRecordCount", "errorRecordCount")
        counts = {"counts": JobCounts(*(row[name] for name in names))} if names[0] in row else {}
        return counts | {
            "id": row["jobArn"].rpartition("/")[2],
            "provider_status": row["status"],
            "model": row["modelId"],
            "created_at": row["submitTime"],
            "finished_at": row.get("endTime"),
            "expires_at": row["jobExpirationTime"],
        }

    def status_of(self, error: Any) -> int:
        """Return the HTTP status in the metadata of the response."""
        status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status
