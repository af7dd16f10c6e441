"""Bedrock's model customization jobs, of one region.

Rules: a spec names a job by its name or by its ARN, of which neither tells the other: each is an alias of the other in
what is reported. A stop is answered with nothing, and goes by way of `Stopping`; one that comes too late is a Conflict,
with HTTP 400. There is no queue to be seen, but what `statusDetails` tells of the steps before training.

Sources: botocore 1.44.5 `data/bedrock/2023-04-20/service-2.json`; docs.aws.amazon.com/bedrock,
API_StopModelCustomizationJob and userguide/model-customization-stop; moto 5.2.5, whose missing job is a 400 where the
service model says 404.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from reconciler.plugin import (
    AccountConfig,
    Capabilities,
    Credentials,
    JobError,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    Permanent,
    Phase,
    ProviderType,
    Response,
    Transport,
)
from reconciler.providers._answers import cursor, field, instant, json_object, name_of, rows_of, text, unless_moot, word
from reconciler.providers._aws import (
    AwsApi,
    AwsOptions,
    AwsType,
    check_accepted,
    error_code,
    error_words,
    raise_unless_ok,
    service_url,
)

STATUSES: Mapping[str, Phase] = {
    "InProgress": Phase.RUNNING,
    "Completed": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
    "Stopping": Phase.CANCELLING,
    "Stopped": Phase.CANCELLED,
}
_JOBS = "/model-customization-jobs"
_NAME = r"[A-Za-z0-9][A-Za-z0-9+.-]{0,62}"
_ARN = r"arn:aws[a-z-]{0,16}:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:model-customization-job/[a-z0-9.:-]{1,255}/[a-z0-9]{12}"


class BedrockJobs:
    """The model customization jobs of one region."""

    def __init__(self, api: AwsApi) -> None:
        self._api = api

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page; only a missing token ends the list."""
        window = {"maxResults": str(query.page_size), "sortBy": "CreationTime", "sortOrder": "Descending"}
        if cursor_ is not None:
            window["nextToken"] = cursor_
        response = await self._api.send("GET", _JOBS, query=window)
        raise_unless_ok(response)
        body = json_object(response)
        rows = rows_of(body, "modelCustomizationJobSummaries")
        jobs = tuple(_job(row, name_of(row, "jobName"), "customModelArn", response.at) for row in rows)
        return JobPage(jobs, cursor(body.get("nextToken")))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for AWS's own words that it has no such job."""
        response = await self._api.send("GET", _path(ref))
        if _says_there_is_no_job(response):
            return None
        raise_unless_ok(response)
        row = json_object(response)
        job = _job(row, ref.id, "outputModelArn", response.at)
        if ref.id not in _names(row):
            msg = "the provider answered with another job than the one that was asked for"
            raise Permanent(msg, kind=Kind.INVALID)
        return job

    async def cancel_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a stop; quiet if the job is over or stopping."""
        response = await self._api.send("POST", f"{_path(ref)}/stop")
        if _says_there_is_no_job(response):
            msg = f"the provider does not know this job: {error_words(response)}"
            raise Permanent(msg, kind=Kind.REFUSED)
        try:
            check_accepted(response)
        except Permanent as refusal:
            return await unless_moot(self, ref, refusal)
        return None


def _path(ref: JobRef) -> str:
    return f"{_JOBS}/{quote(ref.id, safe='')}"


def _says_there_is_no_job(response: Response) -> bool:
    return error_code(response) == "ResourceNotFoundException"


def _job(row: Mapping[str, Any], job_id: str, model_key: str, at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    phase = STATUSES.get(status, Phase.UNKNOWN)
    return ObservedJob(
        id=job_id,
        phase=_before_training(row) or phase if phase is Phase.RUNNING else phase,
        provider_status=status,
        model=field(row, "baseModelArn", text),
        fine_tuned_model=field(row, model_key, text),
        created_at=field(row, "creationTime", instant),
        started_at=field(row, "statusDetails.trainingDetails.creationTime", instant),
        finished_at=field(row, "endTime", instant),
        error=field(row, "failureMessage", _error),
        as_of=at,
        aliases=tuple(name for name in _names(row) if name != job_id),
    )


def _names(row: Mapping[str, Any]) -> tuple[str, ...]:
    arn = field(row, "jobArn", text)
    return (name_of(row, "jobName"), *([arn] if isinstance(arn, str) else []))


def _before_training(row: Mapping[str, Any]) -> Phase | None:
    """Return where a job in progress stands before it trains; None where it trains, or nothing tells."""
    if field(row, "statusDetails.trainingDetails.status", text) != "NotStarted":
        return None
    is_validating = field(row, "statusDetails.validationDetails.status", text) == "InProgress"
    return Phase.VALIDATING_FILES if is_validating else Phase.QUEUED


def _error(value: Any) -> JobError | None:
    message = text(value)
    return JobError(message=message) if message else None


class BedrockType(AwsType):
    """Everything that is true of Bedrock before an account is opened."""

    name = "bedrock"
    id_pattern = f"{_NAME}|{_ARN}"
    url_variable = "AWS_ENDPOINT_URL_BEDROCK"
    capabilities = Capabilities(
        cancel_loses="everything: it cannot be resumed, and leaves no model",
        page_size_max=1000,
        list_order="newest first",
        filters=("status", "name", "creation time"),
    )

    def own_url(self, options: BaseModel) -> str:
        """Return the region's own host at AWS."""
        return service_url("bedrock", options)

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[BedrockJobs]:
        """Open one account; without credentials of its own it uses what botocore finds."""
        options = AwsOptions.model_validate(config.options)
        yield BedrockJobs(AwsApi("bedrock", options, transport, credentials))


BEDROCK: ProviderType = BedrockType()
