"""What the AWS services that train have in common: how a job is looked at and stopped, and what is true of a type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import JobError, JobPage, JobRef, ListQuery, ObservedJob, Permanent, Phase, Rate, Response
from reconciler.plugin.answers import asked_for, json_object, text, unknown_job, unless_moot
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_errors import check_accepted, error_words, raise_unless_ok

STATUSES: Mapping[str, Phase] = {
    "InProgress": Phase.RUNNING,
    "Completed": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
    "Stopping": Phase.CANCELLING,
    "Stopped": Phase.CANCELLED,
}
DNS_SUFFIXES: Mapping[str, str] = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
    "eusc-": "amazonaws.eu",
}
"""The partitions that are not under `amazonaws.com`, by how their regions begin."""


class AwsJobs(ABC):
    """The jobs of one service in one region. A stop is answered with nothing, and goes by way of `Stopping`."""

    def __init__(self, api: AwsApi) -> None:
        self._api = api

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for AWS's own words that it has no such job."""
        response = await self._retrieve(ref)
        if self._says_there_is_no_job(response):
            return None
        raise_unless_ok(response)
        return asked_for(self._job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a stop; quiet if the job is over or stopping."""
        response = await self._stop(ref)
        if self._says_there_is_no_job(response):
            raise unknown_job(error_words(response))
        try:
            check_accepted(response)
        except Permanent as refusal:
            return await unless_moot(self, ref, refusal)
        return None

    @abstractmethod
    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page."""

    @abstractmethod
    async def _retrieve(self, ref: JobRef) -> Response: ...

    @abstractmethod
    async def _stop(self, ref: JobRef) -> Response: ...

    @abstractmethod
    def _says_there_is_no_job(self, response: Response) -> bool: ...

    @abstractmethod
    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob: ...


def failure_of(value: Any) -> JobError | None:
    """Read the sentence that AWS gives for why a job failed."""
    message = text(value)
    return JobError(message=message) if message else None


class AwsType:
    """What is true of every AWS service before an account is opened."""

    options = AwsOptions
    key_variable = "AWS_ACCESS_KEY_ID"
    finds_credentials = True
    rate = Rate()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id as it is: of a name and an ARN, only an answer tells that they are of one job."""
        return job_id

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the region, and the AWS account where it is given."""
        return tuple(sorted(options.model_dump(exclude_none=True).items()))


def service_url(prefix: str, options: BaseModel) -> str:
    """Return a service's own address in a region, such as `https://bedrock.us-east-1.amazonaws.com`."""
    region = AwsOptions.model_validate(options).region
    suffix = next((each for start, each in DNS_SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
    return f"https://{prefix}.{region}.{suffix}"
