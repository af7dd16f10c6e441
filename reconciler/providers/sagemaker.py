"""SageMaker: one collection of its jobs in one region. `_sagemaker_jobs` contains the other collections.

- A serverless training job of the type `Evaluation` only evaluates a model, so it is not a fine-tuning job. Only a
  retrieved job shows that.
- A training job that ran out of time also ends as `Stopped`. It is reported as failed, because it was not cancelled.
- `Deleting` is reported as unknown, because it does not show how the job ended.
- Jobs of two collections can have the same name. Therefore the id of a job that is not a training job begins with the
  name of its collection, as in its ARN.

Sources: botocore 1.44.8 `data/sagemaker/2017-07-24/service-2.json`; aws-samples/serverless-sagemaker-orchestration#2
(timeouts); moto 5.2.5.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from reconciler.plugin import (
    UNSET,
    AccountConfig,
    Capabilities,
    Credentials,
    ObservedJob,
    ProviderType,
    Transport,
)
from reconciler.plugin.answers import count, field, seconds, text
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_service import AwsType, dns_suffix, job_error
from reconciler.providers._sagemaker_collection import SageMakerCollection, phase_of
from reconciler.providers._sagemaker_jobs import CustomizationJobs, TrainingSessions

_BEFORE_TRAINING = frozenset({"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack"})
_EVALUATION = "Evaluation"
"""The type of a serverless training job that only evaluates a model."""
_SERVERLESS_SINCE = datetime(2025, 12, 1, tzinfo=UTC)
"""No older job is serverless: botocore 1.42.1 of 2025-12-02 had no such jobs yet."""

TRAINING_JOBS: Final = "trainingJobs"
SESSIONS: Final = "trainingSessions"
CATEGORY = "jobs/"
Collection = Literal[
    "trainingJobs",
    "trainingSessions",
    "jobs/AgentRFT",
    "jobs/AgentRFTEvaluation",
    "jobs/DataQualityEvaluation",
    "jobs/DataTransformation",
    "jobs/SyntheticDataGeneration",
]
_NAME = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_ARN = r"arn:aws[a-z-]{0,16}:sagemaker:[a-z0-9-]{1,32}:[0-9]{12}:"


class SageMakerOptions(AwsOptions):
    """The region, the AWS account and the collection of the jobs."""

    collection: Collection = Field(
        TRAINING_JOBS,
        description="Which of SageMaker's jobs: training jobs, training sessions, or customization jobs of one "
        "category. Only customization jobs of the category AgentRFT are listed as fine-tuning jobs.",
    )


class TrainingJobs(SageMakerCollection):
    """The training jobs in one region."""

    noun = "TrainingJob"

    def _row(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        job = self._job(row, at)
        is_of_kind = isinstance(job.created_at, datetime) and job.created_at < _SERVERLESS_SINCE
        return replace(job, is_of_kind=is_of_kind or UNSET)

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        detail = field(row, "SecondaryStatus", text)
        phase, status, error = phase_of(row.get("TrainingJobStatus"), detail, _BEFORE_TRAINING)
        model = field(row, "ModelArtifacts.S3ModelArtifacts", text)
        package = field(row, "OutputModelPackageArn", text)
        return ObservedJob(
            id=self._id(row),
            phase=phase,
            provider_status=status,
            model=field(row, "ServerlessJobConfig.BaseModelArn", text),
            fine_tuned_model=package if isinstance(package, str) else model,
            created_at=field(row, "CreationTime", seconds),
            started_at=field(row, "TrainingStartTime", seconds),
            finished_at=field(row, "TrainingEndTime", seconds),
            trained_tokens=field(row, "BillableTokenCount", count),
            error=error or field(row, "FailureReason", job_error),
            as_of=at,
            is_of_kind=field(row, "ServerlessJobConfig.JobType", text) != _EVALUATION,
        )


class SageMakerType(AwsType):
    """The provider type `sagemaker`: the jobs of one collection in one region."""

    name = "sagemaker"
    options = SageMakerOptions
    id_pattern = rf"(({_ARN})?(training-job|training-session|job/[A-Za-z0-9]{{1,64}})/)?{_NAME}"
    url_variables = ("AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL")
    capabilities = Capabilities(
        cancel_loses="unsaved work; the algorithm of a training job gets 120 s to save it",
        page_size_max=100,
        list_order="newest first, except training sessions",
        filters=("status (after paging)", "name", "creation time", "time of the last change"),
    )

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the name of a training job. For another job, return the resource in its ARN: `training-session/NAME`.

        Raises `ValueError` for a job in another collection, region or AWS account.
        """
        own = SageMakerOptions.model_validate(options)
        resource = super().canonical_id(job_id, own).rpartition(":")[2]
        collection, _, name = resource.rpartition("/")
        expected = _resource_type(own.collection)
        if collection not in {"", expected}:
            msg = (
                f"{job_id!r} is not in {own.collection}, the collection in the provider's options: correct one of them"
            )
            raise ValueError(msg)
        return name if own.collection == TRAINING_JOBS else f"{expected}/{name}"

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the region, the AWS account if it is set, and the collection unless it is that of training jobs."""
        own = SageMakerOptions.model_validate(options)
        more = [] if own.collection == TRAINING_JOBS else [("collection", own.collection)]
        return tuple(sorted([*super().scope(own), *more]))

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
    ) -> AsyncIterator[SageMakerCollection]:
        """Yield the adapter for the collection in the options.

        Without a credential in the Provider document, botocore's chain is used.
        """
        options = SageMakerOptions.model_validate(config.options)
        api = AwsApi("sagemaker", options, transport, credentials)
        if options.collection == TRAINING_JOBS:
            yield TrainingJobs(api, options)
        elif options.collection == SESSIONS:
            yield TrainingSessions(api, options)
        else:
            yield CustomizationJobs(api, options, options.collection.removeprefix(CATEGORY))


def _resource_type(collection: str) -> str:
    """Return the part of an ARN's resource that precedes the name of the job."""
    fixed = {TRAINING_JOBS: "training-job", SESSIONS: "training-session"}
    return fixed.get(collection) or f"job/{collection.removeprefix(CATEGORY)}"


SAGEMAKER: ProviderType = SageMakerType()
