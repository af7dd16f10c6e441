"""Mistral's batch jobs. Mistral's fine-tuning API is not used: it is deprecated, and its client no longer offers it.

- Pages are numbered. A new job shifts the rows, so one row may be on two pages.
- A job that exceeds its time limit is `TIMEOUT_EXCEEDED`, which counts as failed. Mistral keeps the results so far.
- An id is a UUID. A spec may contain capital letters in it, but Mistral returns lower-case letters.

Sources: mistralai 3.7.0 `client/batch_jobs.py`, `client/models/{batchjob,batchjobstatus}.py`. Not confirmed against the
service: the error for a missing job, and for a cancel of a job that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import BATCH_JOB, Capabilities, JobCounts, JobError, JobRef, ObservedJob, Phase, ProviderType
from reconciler.plugin.answers import count, field, name_of, seconds, text, word
from reconciler.providers._json_api import bearer
from reconciler.providers._not_found import says_missing
from reconciler.providers._rest_jobs import RestApi
from reconciler.providers._rest_service import RestCollection, RestService

TIMED_OUT = "TIMEOUT_EXCEEDED"
STATUSES: Mapping[str, Phase] = {
    "QUEUED": Phase.QUEUED,
    "RUNNING": Phase.RUNNING,
    "SUCCESS": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    TIMED_OUT: Phase.FAILED,
    "CANCELLATION_REQUESTED": Phase.CANCELLING,
    "CANCELLED": Phase.CANCELLED,
}


def _window(size: int, cursor: str | None) -> Mapping[str, str]:
    return {"page": cursor or "0", "page_size": str(size), "order_by": "-created"}


def _next_cursor(body: Mapping[str, Any], jobs: tuple[ObservedJob, ...], size: int, cursor: str | None) -> str | None:
    following, total = int(cursor or 0) + 1, count(body.get("total"))
    is_last = len(jobs) < size if total is None else following * size >= total
    if is_last:
        return None
    # After an empty page, the cursor of that page is returned again, so that the list does not seem complete.
    return str(following) if jobs else cursor or "0"


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    counts = JobCounts(
        count(row.get("total_requests")), count(row.get("succeeded_requests")), count(row.get("failed_requests"))
    )
    return ObservedJob(
        id=name_of(row, "id"),
        phase=STATUSES.get(status, Phase.UNKNOWN),
        provider_status=status,
        model=field(row, "model", text),
        output_file=field(row, "output_file", text),
        created_at=field(row, "created_at", seconds),
        started_at=field(row, "started_at", seconds),
        finished_at=field(row, "completed_at", seconds),
        counts=counts,
        error=_error(status, counts, row.get("errors")),
        as_of=at,
    )


def _error(status: str, counts: JobCounts, errors: Any) -> JobError | None:
    if status == TIMED_OUT:
        return JobError(code="expired", message=f"expired: {str(counts) or 'not completed in time'}")
    first = errors[0] if isinstance(errors, list) and errors else None
    message = text(first.get("message")) if isinstance(first, dict) else None
    return JobError(message=message) if message and STATUSES.get(status) is Phase.FAILED else None


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    message = body.get("detail") or body.get("message")
    return isinstance(message, str) and says_missing(message, ref, "(batch )?job")


MISTRAL: ProviderType = RestService(
    name="mistral",
    key_variable="MISTRAL_API_KEY",
    url_variables=(),
    address="https://api.mistral.ai",
    collections={
        BATCH_JOB: RestCollection(
            api=RestApi(
                path="/v1/batch/jobs",
                rows="data",
                headers=bearer,
                window=_window,
                next_cursor=_next_cursor,
                job=_job,
                is_missing=_is_missing,
            ),
            id_pattern=r"[0-9A-Fa-f-]{8,64}",
            bare_id=str.lower,
            capabilities=Capabilities(
                cancel_keeps="the results of the finished requests, in the output file",
                has_whole_rows=True,
                page_size_max=100,
                list_order="newest first",
                filters=("status", "model", "metadata", "creation time"),
            ),
        )
    },
)
