"""Bedrock's model customization jobs in one region. Its model invocation jobs are in `_bedrock_batches`.

- A spec identifies a job by its name or its ARN. Neither can be computed from the other, so a job is reported with
  both: one as its id, the other as an alias.
- A stop of a job that has ended is refused with a `ConflictException` and HTTP 400.
- There is no queued status. `statusDetails` shows the steps before training.

Sources: botocore 1.44.5 `data/bedrock/2023-04-20/service-2.json`; docs.aws.amazon.com/bedrock,
API_StopModelCustomizationJob and userguide/model-customization-stop; moto 5.2.5, which returns HTTP 400 for a missing
job, although the service model declares HTTP 404.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    AccountConfig,
    Capabilities,
    Credentials,
    JobsOfKind,
    ObservedJob,
    Phase,
    ProviderType,
    Transport,
)
from reconciler.plugin.answers import field, instant, name_of, text, word
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_service import STATUSES, AwsJobs, AwsType, dns_suffix, job_error
from reconciler.providers._bedrock_batches import BATCH_ID_PATTERN, CAPABILITIES, BedrockBatches, bare_id
from reconciler.providers._bedrock_collection import BedrockCollection

_NAME = r"[A-Za-z0-9][A-Za-z0-9+.-]{0,62}"
_ARN = r"arn:aws[a-z-]{0,16}:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-customization-job/[a-z0-9.:-]{1,255}/[a-z0-9]{12}"


class BedrockJobs(BedrockCollection):
    """The model customization jobs in one region."""

    list_path = job_root = "/model-customization-jobs"
    rows = "modelCustomizationJobSummaries"

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        status, arn = word(row.get("status")), field(row, "jobArn", text)
        self._check_account(arn)
        phase = STATUSES.get(status, Phase.UNKNOWN)
        # A retrieved job has the first key, and a row of a list the second.
        model_key = "outputModelArn" if "outputModelArn" in row else "customModelArn"
        return ObservedJob(
            id=name_of(row, "jobName"),
            phase=_before_training(row) or phase if phase is Phase.RUNNING else phase,
            provider_status=status,
            model=field(row, "baseModelArn", text),
            fine_tuned_model=field(row, model_key, text),
            created_at=field(row, "creationTime", instant),
            started_at=field(row, "statusDetails.trainingDetails.creationTime", instant),
            finished_at=field(row, "endTime", instant),
            error=field(row, "failureMessage", job_error),
            as_of=at,
            aliases=(arn,) if isinstance(arn, str) else (),
        )


def _before_training(row: Mapping[str, Any]) -> Phase | None:
    """Return the phase of a job whose training has not started; None if it has started, or if that is unknown."""
    if field(row, "statusDetails.trainingDetails.status", text) != "NotStarted":
        return None
    is_validating = field(row, "statusDetails.validationDetails.status", text) == "InProgress"
    return Phase.VALIDATING_FILES if is_validating else Phase.QUEUED


class BedrockType(AwsType):
    """The provider type `bedrock`: the customization jobs and the batches of one region."""

    name = "bedrock"
    id_pattern = f"{_NAME}|{_ARN}"
    url_variables = ("AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL")
    capabilities = Capabilities(
        cancel_loses="everything: the job cannot be resumed, and leaves no model",
        page_size_max=1000,
        list_order="newest first",
        filters=("status", "name", "creation time"),
    )

    @property
    def kinds(self) -> Mapping[str, JobsOfKind]:
        """Return the kinds of job: customization jobs, and model invocation jobs."""
        jobs = JobsOfKind(id_pattern=self.id_pattern, capabilities=self.capabilities, canonical_id=self.canonical_id)
        batches = JobsOfKind(
            id_pattern=BATCH_ID_PATTERN,
            capabilities=CAPABILITIES,
            canonical_id=lambda job_id, options: bare_id(self.canonical_id(job_id, options)),
        )
        return {FINE_TUNING_JOB: jobs, BATCH_JOB: batches}

    def own_url(self, options: BaseModel) -> str:
        """Return the AWS endpoint for the region."""
        own = AwsOptions.model_validate(options)
        service = "bedrock-fips" if own.use_fips_endpoint else "bedrock"
        return f"https://{service}.{own.region}.{dns_suffix(own)}"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[AwsJobs]:
        """Yield the adapter for the jobs of the kind `config.account.kind`.

        Without a credential in the Provider document, botocore's chain is used.
        """
        options = AwsOptions.model_validate(config.options)
        jobs_type = BedrockBatches if config.account.kind == BATCH_JOB else BedrockJobs
        yield jobs_type(AwsApi("bedrock", options, transport, credentials), options)


BEDROCK: ProviderType = BedrockType()
