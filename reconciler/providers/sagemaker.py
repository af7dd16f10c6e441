"""SageMaker's training jobs in one region.

- Every request is a POST to `/` (JSON 1.1) with the operation in a header.
- A job is identified by its name. A request for a missing job and a stop of a finished job both return HTTP 400.
- A page can be empty and still have a next page.
- A job that ran out of time also ends as `Stopped`. It is reported as failed, because it was not cancelled.
- A serverless job of the type `Evaluation` only evaluates a model, so it is not a fine-tuning job. Only a retrieved job
  shows that.
- `Deleting` is reported as unknown, because it does not show how the job ended.

Sources: botocore 1.44.5 `data/sagemaker/2017-07-24/service-2.json`; awslabs/benchmark-ai#928 (a refused stop);
aws-samples/serverless-sagemaker-orchestration#2 (timeouts); moto 5.2.5.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import (
    UNSET,
    AccountConfig,
    Capabilities,
    Credentials,
    JobError,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
    Phase,
    ProviderType,
    Response,
    Transport,
)
from reconciler.plugin.answers import count, cursor, field, jobs_of, json_object, name_of, seconds, text, word
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_errors import error_code, error_text, raise_unless_ok
from reconciler.providers._aws_service import STATUSES, AwsJobs, AwsType, dns_suffix, job_error

_BEFORE_TRAINING = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack"})
_OUT_OF_TIME = frozenset({"MaxRuntimeExceeded", "MaxWaitTimeExceeded"})
_EVALUATION = "Evaluation"
"""The type of a serverless training job that only evaluates a model."""
_SERVERLESS_SINCE = datetime(2025, 12, 1, tzinfo=UTC)
"""No older job is serverless: botocore 1.42.1 of 2025-12-02 had no such jobs yet."""
_NO_SUCH_JOB = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)


class SageMakerJobs(AwsJobs):
    """The training jobs in one region."""

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page, which may be empty. The list ends at a page without a `NextToken`."""
        window = {"MaxResults": query.page_size, "SortBy": "CreationTime", "SortOrder": "Descending"}
        if cursor_ is not None:
            window["NextToken"] = cursor_
        response = await self._call("ListTrainingJobs", window)
        raise_unless_ok(response)
        body = json_object(response)
        jobs, garbled = jobs_of(body, "TrainingJobSummaries", lambda row: self._row(row, response.at))
        return JobPage(jobs, cursor(body.get("NextToken")), garbled)

    async def _retrieve(self, ref: JobRef) -> Response:
        return await self._call("DescribeTrainingJob", {"TrainingJobName": ref.id})

    async def _stop(self, ref: JobRef) -> Response:
        return await self._call("StopTrainingJob", {"TrainingJobName": ref.id})

    async def _call(self, operation: str, body: Mapping[str, object]) -> Response:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{operation}"}
        return await self._api.send("POST", "/", json=body, headers=headers)

    def _is_job_not_found(self, response: Response) -> bool:
        """Return whether the job does not exist. The service's actual error code differs from the one in its model."""
        match error_code(response):
            case "ResourceNotFound" | "ResourceNotFoundException":
                return True
            case "ValidationException":
                return _NO_SUCH_JOB.search(error_text(response)) is not None
            case _:
                return False

    def _row(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        job = self._job(row, at)
        is_of_kind = isinstance(job.created_at, datetime) and job.created_at < _SERVERLESS_SINCE
        return replace(job, is_of_kind=is_of_kind or UNSET)

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        self._check_account(field(row, "TrainingJobArn", text))
        status, detail = word(row.get("TrainingJobStatus")), field(row, "SecondaryStatus", text)
        phase = STATUSES.get(status, Phase.UNKNOWN)
        error = field(row, "FailureReason", job_error)
        if phase is Phase.RUNNING and detail in _BEFORE_TRAINING:
            phase = Phase.QUEUED
        if phase is Phase.CANCELLED and isinstance(detail, str) and detail in _OUT_OF_TIME:
            phase, status, error = Phase.FAILED, f"{status} ({detail})", JobError(code=detail)
        model = field(row, "ModelArtifacts.S3ModelArtifacts", text)
        package = field(row, "OutputModelPackageArn", text)
        return ObservedJob(
            id=name_of(row, "TrainingJobName"),
            phase=phase,
            provider_status=status,
            model=field(row, "ServerlessJobConfig.BaseModelArn", text),
            fine_tuned_model=package if isinstance(package, str) else model,
            created_at=field(row, "CreationTime", seconds),
            started_at=field(row, "TrainingStartTime", seconds),
            finished_at=field(row, "TrainingEndTime", seconds),
            trained_tokens=field(row, "BillableTokenCount", count),
            error=error,
            as_of=at,
            is_of_kind=field(row, "ServerlessJobConfig.JobType", text) != _EVALUATION,
        )


class SageMakerType(AwsType):
    """The provider type of SageMaker."""

    name = "sagemaker"
    id_pattern = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
    url_variables = ("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL")
    capabilities = Capabilities(
        cancel_loses="what the algorithm does not save within 120 s",
        page_size_max=100,
        list_order="newest first",
        filters=("status (after paging)", "name", "creation time", "time of the last change"),
    )

    def own_url(self, options: BaseModel) -> str:
        """Return the AWS endpoint for the region."""
        own = AwsOptions.model_validate(options)
        suffix = dns_suffix(own)
        if not own.use_fips_endpoint:
            return f"https://api.sagemaker.{own.region}.{suffix}"
        service = "api-fips.sagemaker" if suffix == "amazonaws.com" else "api.sagemaker-fips"
        return f"https://{service}.{own.region}.{suffix}"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[SageMakerJobs]:
        """Open one account. Without a credential in the document, botocore's chain is used."""
        options = AwsOptions.model_validate(config.options)
        yield SageMakerJobs(AwsApi("sagemaker", options, transport, credentials), options)


SAGEMAKER: ProviderType = SageMakerType()
