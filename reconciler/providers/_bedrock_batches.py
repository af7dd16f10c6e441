"""Bedrock's model invocation jobs (batch inference) in one region.

- A job is identified by its ARN or by the last part of its ARN, and not by its name.
- A stop of a job that has ended is refused with a `ValidationException`.
- The records that were processed before a stop are kept and charged.
- A job that exceeds its time limit is `PartiallyCompleted`, which counts as succeeded. A job that has not begun by then
  is `Expired`, which counts as failed.

Sources: botocore 1.44.8 `data/bedrock/2023-04-20/service-2.json`; docs.aws.amazon.com/bedrock, batch-inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from reconciler.plugin import (
    UNSET,
    Capabilities,
    JobCounts,
    JobError,
    ObservedJob,
    Phase,
)
from reconciler.plugin.answers import count, field, instant, name_of, text, word
from reconciler.providers._bedrock_collection import BedrockCollection

_NUMBER = r"[a-z0-9]{12}"
BATCH_ID_PATTERN = rf"(arn:aws[a-z-]{{0,16}}:bedrock:[a-z0-9-]{{1,20}}:[0-9]{{12}}:model-invocation-job/)?{_NUMBER}"
EXPIRED, PARTIAL = "Expired", "PartiallyCompleted"
STATUSES: Mapping[str, Phase] = MappingProxyType(
    {
        "Submitted": Phase.QUEUED,
        "Validating": Phase.VALIDATING_FILES,
        "Scheduled": Phase.QUEUED,
        "InProgress": Phase.RUNNING,
        "Completed": Phase.SUCCEEDED,
        PARTIAL: Phase.SUCCEEDED,
        "Failed": Phase.FAILED,
        EXPIRED: Phase.FAILED,
        "Stopping": Phase.CANCELLING,
        "Stopped": Phase.CANCELLED,
    }
)
CAPABILITIES = Capabilities(
    cancel_keeps="the records processed so far, in the output folder",
    cancel_costs="the processed tokens",
    page_size_max=1000,
    list_order="newest first",
    filters=("status", "name", "time of the submission"),
)


class BedrockBatches(BedrockCollection):
    """The model invocation jobs in one region."""

    list_path = "/model-invocation-jobs"
    job_root = "/model-invocation-job"
    rows = "invocationJobSummaries"

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        arn, status = name_of(row, "jobArn"), word(row.get("status"))
        self._check_account(arn)
        phase, number = STATUSES.get(status, Phase.UNKNOWN), bare_id(arn)
        counts = _counts(row) if "totalRecordCount" in row else None
        return ObservedJob(
            id=number,
            phase=phase,
            provider_status=status,
            model=field(row, "modelId", text),
            output_file=_output(row, number) if phase in {Phase.SUCCEEDED, Phase.CANCELLED} else None,
            created_at=field(row, "submitTime", instant),
            finished_at=field(row, "endTime", instant),
            expires_at=field(row, "jobExpirationTime", instant),
            counts=UNSET if counts is None else counts,
            error=_error(status, text(row.get("message"))),
            as_of=at,
        )


def bare_id(job_id: str) -> str:
    """Return the last part of an ARN, which is the id of a job. A bare id is returned unchanged."""
    return job_id.rpartition("/")[2]


def _counts(row: Mapping[str, Any]) -> JobCounts:
    return JobCounts(
        count(row.get("totalRecordCount")), count(row.get("successRecordCount")), count(row.get("errorRecordCount"))
    )


def _output(row: Mapping[str, Any], number: str) -> str | None:
    """Return the S3 URI of the results: a folder that the service names after the job. None if the row has none."""
    folder = field(row, "outputDataConfig.s3OutputDataConfig.s3Uri", text)
    return f"{folder.rstrip('/')}/{number}/" if isinstance(folder, str) else None


def _error(status: str, message: str | None) -> JobError | None:
    if status == EXPIRED:
        return JobError(code="expired", message="expired: it had not begun in time")
    if status == PARTIAL:
        return JobError(code=PARTIAL, message=f"not all were processed in time{f': {message}' if message else ''}")
    return JobError(message=message) if message and status == "Failed" else None
