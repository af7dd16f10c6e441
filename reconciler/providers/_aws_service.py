"""What the provider types for AWS share: their attributes, and how a job is retrieved and stopped."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import (
    TERMINAL,
    Accepted,
    AlreadyOver,
    JobError,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    Rate,
    Response,
    Unset,
)
from reconciler.plugin.answers import (
    already_over_or_raise,
    json_object,
    require_same_job,
    text,
    unknown_job,
)
from reconciler.providers._aws import AwsApi, AwsOptions
from reconciler.providers._aws_errors import error_text, raise_unless_ok
from reconciler.providers._json_api import change_outcome

STATUSES: Mapping[str, Phase] = {
    "InProgress": Phase.RUNNING,
    "Completed": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
    "Stopping": Phase.CANCELLING,
    "Stopped": Phase.CANCELLED,
}
_ARN = re.compile(r"arn:[a-z-]{3,24}:[a-z0-9-]{1,32}:(?P<region>[a-z0-9-]{0,32}):(?P<account>[0-9]{12}):")
DNS_SUFFIXES: Mapping[str, str] = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
    "eusc-": "amazonaws.eu",
}
"""The DNS suffixes of the partitions outside `amazonaws.com`, by the prefix of their regions."""
DUALSTACK_SUFFIXES: Mapping[str, str] = {"cn-": "api.amazonwebservices.com.cn", "eusc-": "api.amazonwebservices.eu"}
"""The suffixes of the dual-stack endpoints outside `api.aws` (botocore 1.44.8, `endpoint-rule-set-1.json`)."""


class AwsJobs(ABC):
    """The jobs of one service in one region.

    The response to a stop is empty, and the job stays `Stopping` for a while.

    The ARN of a job contains its AWS account. If it is not the AWS account in the options, `PermanentError(missing)` is
    raised.
    """

    def __init__(self, api: AwsApi, options: AwsOptions) -> None:
        self._api = api
        self._account_id = options.account_id

    def _check_account(self, arn: str | None | Unset) -> None:
        """Raise `PermanentError(missing)` if the ARN of a job names an AWS account that differs from the options."""
        found = account_of(arn) if isinstance(arn, str) else None
        if None not in {found, self._account_id} and found != self._account_id:
            msg = (
                f"the credential belongs to AWS account {found}, but options.accountId is {self._account_id}: correct "
                "one of them"
            )
            raise PermanentError(msg, kind=Kind.MISSING)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only if AWS reports that there is no such job.

        Raises `TransientError` or `PermanentError` if the job cannot be retrieved or belongs to another AWS account.
        """
        response = await self._retrieve(ref)
        if self._is_job_not_found(response):
            return None
        raise_unless_ok(response)
        return require_same_job(self._job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a stop.

        Return `AlreadyOver` if the response shows that the job has succeeded or failed, or if AWS refused the request
        and the job has ended or is stopping. Raises `PermanentError` for any other refusal, even if there is
        no such job, and `TransientError` for a temporary failure.
        """
        response = await self._stop(ref)
        if self._is_job_not_found(response):
            raise unknown_job(error_text(response))
        try:
            raise_unless_ok(response)
            return change_outcome(response, ref, self._job, TERMINAL - {Phase.CANCELLED})
        except PermanentError as refusal:
            return await already_over_or_raise(self, ref, refusal)

    @abstractmethod
    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page of jobs. Raises `TransientError` or `PermanentError` if it cannot be read."""

    @abstractmethod
    async def _retrieve(self, ref: JobRef) -> Response: ...

    @abstractmethod
    async def _stop(self, ref: JobRef) -> Response: ...

    @abstractmethod
    def _is_job_not_found(self, response: Response) -> bool: ...

    @abstractmethod
    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob: ...


def account_of(arn: str) -> str | None:
    """Return the AWS account in an ARN; None if the text is not an ARN."""
    found = _ARN.match(arn)
    return None if found is None else found["account"]


def job_error(value: Any) -> JobError | None:
    """Return the error of a job from AWS's failure message; None if there is no message."""
    message = text(value)
    return JobError(message=message) if message else None


class AwsType:
    """The attributes that all AWS provider types share. A type may override them."""

    options = AwsOptions
    key_variable = "AWS_ACCESS_KEY_ID"
    has_whole_key = False
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
            "useFipsEndpoint": ("AWS_USE_FIPS_ENDPOINT",),
            "useDualstackEndpoint": ("AWS_USE_DUALSTACK_ENDPOINT",),
        }
    )
    finds_credentials = True
    rate = Rate()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the id unchanged, because only a response shows that a name and an ARN identify the same job.

        Raises `ValueError` for an ARN in another region or AWS account.
        """
        own, found = AwsOptions.model_validate(options), _ARN.match(job_id)
        if found is not None and (found["region"] != own.region or own.account_id not in {None, found["account"]}):
            account = "" if own.account_id is None else f" and AWS account {own.account_id}"
            msg = (
                f"{job_id!r} belongs to AWS account {found['account']} in {found['region']}, but the options name "
                f"{own.region}{account}: correct one of them"
            )
            raise ValueError(msg)
        return job_id

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the region, and the AWS account if it is set. The endpoint options only change the address."""
        return tuple(sorted(options.model_dump(include={"region", "account_id"}, exclude_none=True).items()))


def dns_suffix(options: AwsOptions) -> str:
    """Return the DNS suffix of the endpoints in the region."""
    suffixes, default = (
        (DUALSTACK_SUFFIXES, "api.aws") if options.use_dualstack_endpoint else (DNS_SUFFIXES, "amazonaws.com")
    )
    return next((each for start, each in suffixes.items() if options.region.startswith(start)), default)
