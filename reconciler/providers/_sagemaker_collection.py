"""A collection of SageMaker's jobs in one region: list, retrieve and stop.

- Every request is a POST to `/` (JSON 1.1) with the operation in a header.
- A job is identified by its name. A request for a missing job and a stop of a finished job both return HTTP 400.
- A page can be empty and still have a next page.

Sources: botocore 1.44.8 `data/sagemaker/2017-07-24/service-2.json`; awslabs/benchmark-ai#928 (a refused stop).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from reconciler.plugin import JobError, JobPage, JobRef, ListQuery, ObservedJob, Phase, Response, Unset
from reconciler.plugin.answers import cursor, field, jobs_of, json_object, name_of, text, word
from reconciler.providers._aws_errors import error_code, error_text, raise_unless_ok
from reconciler.providers._aws_service import STATUSES, AwsJobs

_OUT_OF_TIME = frozenset({"MaxRuntimeExceeded", "MaxWaitTimeExceeded"})
_NO_SUCH_JOB = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)


class SageMakerCollection(AwsJobs):
    """The jobs of one collection. The id of a job is `prefix`, followed by its name."""

    noun: ClassVar[str]
    """The word for a job in the names of operations and fields."""
    order: ClassVar[Mapping[str, object]] = {"SortBy": "CreationTime", "SortOrder": "Descending"}
    """The part of a list request that requests the order of the rows."""
    prefix = ""
    common: Mapping[str, object] = {}
    """The fields that every request contains."""

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page, which may be empty. The list ends at a page without a `NextToken`.

        Raises `TransientError` or `PermanentError` if the page cannot be read.
        """
        window = {"MaxResults": query.page_size, **self.order}
        if cursor_ is not None:
            window["NextToken"] = cursor_
        response = await self._call(f"List{self.noun}s", window)
        raise_unless_ok(response)
        body = json_object(response)
        jobs, garbled = jobs_of(body, f"{self.noun}Summaries", lambda row: self._row(row, response.at))
        return JobPage(jobs, cursor(body.get("NextToken")), garbled)

    async def _retrieve(self, ref: JobRef) -> Response:
        return await self._call(f"Describe{self.noun}", self._name(ref))

    async def _stop(self, ref: JobRef) -> Response:
        return await self._call(f"Stop{self.noun}", self._name(ref))

    def _name(self, ref: JobRef) -> Mapping[str, object]:
        return {f"{self.noun}Name": ref.id.removeprefix(self.prefix)}

    async def _call(self, operation: str, body: Mapping[str, object]) -> Response:
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"SageMaker.{operation}"}
        return await self._api.send("POST", "/", json={**self.common, **body}, headers=headers)

    def _is_job_not_found(self, response: Response) -> bool:
        """Return whether the job does not exist. The service's actual error code differs from the code in its model."""
        match error_code(response):
            case "ResourceNotFound" | "ResourceNotFoundException":
                return True
            case "ValidationException":
                return _NO_SUCH_JOB.search(error_text(response)) is not None
            case _:
                return False

    def _row(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        """Return the job in a row of a list."""
        return self._job(row, at)

    def _id(self, row: Mapping[str, Any]) -> str:
        """Return the id of the job in a row. Raises `PermanentError(missing)` if it belongs to another AWS account."""
        self._check_account(field(row, f"{self.noun}Arn", text))
        return f"{self.prefix}{name_of(row, f'{self.noun}Name')}"


def phase_of(status: Any, detail: str | None | Unset, before: frozenset[str]) -> tuple[Phase, str, JobError | None]:
    """Return the phase and the status word of a job, and an error if the job ran out of time, otherwise None.

    A job that ran out of time also ends as `Stopped`. It has failed, because it was not cancelled.

    Args:
        status: the value of its status.
        detail: its secondary status, or None or `UNSET` if the response does not contain one.
        before: the secondary statuses of a job that has not begun.
    """
    said = word(status)
    phase = STATUSES.get(said, Phase.UNKNOWN)
    if phase is Phase.RUNNING and detail in before:
        return Phase.QUEUED, said, None
    if phase is Phase.CANCELLED and isinstance(detail, str) and detail in _OUT_OF_TIME:
        return Phase.FAILED, f"{said} ({detail})", JobError(code=detail)
    return phase, said, None
