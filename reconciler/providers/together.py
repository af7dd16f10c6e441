"""Together AI's batches.

- A list has no pages: each response is the whole list, as an array.
- The API has no status for a batch that is being cancelled, so an accepted cancel is repeated only after half an hour.
- A batch that exceeds its deadline is `EXPIRED`, which is a failure here.

Sources: together 3.1.1 `resources/batches.py`, `types/batch_job.py`; the documentation of the Batch API. Not confirmed
against the service: the error for a missing batch, and for a cancel of one that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.plugin import Capabilities, JobError, JobRef, ObservedJob, Phase, ProviderType
from reconciler.plugin.answers import field, instant, name_of, text, word
from reconciler.providers._json_api import bearer
from reconciler.providers._rest_batches import BatchApi, BatchOnlyService

EXPIRED = "EXPIRED"
STATUSES: Mapping[str, Phase] = {
    "VALIDATING": Phase.VALIDATING_FILES,
    "IN_PROGRESS": Phase.RUNNING,
    "COMPLETED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    EXPIRED: Phase.FAILED,
    "CANCELLED": Phase.CANCELLED,
}


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    return ObservedJob(
        id=name_of(row, "id"),
        phase=STATUSES.get(status, Phase.UNKNOWN),
        provider_status=status,
        model=field(row, "model_id", text),
        output_file=field(row, "output_file_id", text),
        created_at=field(row, "created_at", instant),
        finished_at=field(row, "completed_at", instant),
        expires_at=field(row, "job_deadline", instant),
        error=_error(status, text(row.get("error"))),
        as_of=at,
    )


def _error(status: str, message: str | None) -> JobError | None:
    if status == EXPIRED:
        return JobError(code="expired", message=f"expired: {message or 'not completed in time'}")
    return JobError(message=message) if message else None


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    error = body.get("error")
    message = str(error.get("message")) if isinstance(error, dict) else ""
    return ref.id in message or "batch" in message.lower()


TOGETHER: ProviderType = BatchOnlyService(
    name="together",
    key_variable="TOGETHER_API_KEY",
    url_variables=(),
    address="https://api.together.xyz",
    id_pattern=r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}",
    api=BatchApi(
        path="/v1/batches",
        rows="data",
        headers=bearer,
        window=lambda _size, _cursor: {},
        next_cursor=None,
        job=_job,
        is_missing=_is_missing,
    ),
    capabilities=Capabilities(has_whole_rows=True, page_size_max=1000, cancel_takes=timedelta(minutes=30)),
)
