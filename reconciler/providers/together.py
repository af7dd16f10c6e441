"""Together AI: its fine-tuning jobs, and its batches.

Fine-tuning jobs:

- A list has no pages. Its rows, and the response to a cancel, lack some fields of a retrieved job.
- `model_output_name` is set before the training, so the adapter reports it only for a job that has succeeded.
- The start and the end of a job are not reported: `started_at` is the start of the current stage, and the API has no
  end time.
- A job has no error field. The adapter reports the message of its last event of the type `job_error` or
  `job_user_error`. The client has two lists of these types: one with lower-case and one with upper-case names.

Batches:

- A list has no pages: each response is the whole list, as an array.
- The API has no status for a batch that is being cancelled. Therefore an accepted cancel without a visible effect is
  repeated only after half an hour.
- A batch that exceeds its deadline is `EXPIRED`, which counts as failed.

Sources: together 3.1.1 `resources/fine_tuning.py`, `lib/types/fine_tuning.py`, `types/{finetune_response,
finetune_event,fine_tuning_list_response,fine_tuning_list_checkpoints_response}.py`, `resources/batches.py`,
`types/batch_job.py`; togethercomputer/openapi `openapi.yaml` (2026-04-28) for the errors of fine-tuning jobs;
support.together.ai, article 2318504656, for what a cancel costs; the documentation of the Batch API. Not confirmed
against the service: the errors for a missing job or batch, and for a cancel of a job or batch that has ended; the order
of events and checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    Capabilities,
    JobCheckpoint,
    JobError,
    JobEvent,
    JobRef,
    ObservedJob,
    Phase,
    ProviderType,
)
from reconciler.plugin.answers import count, field, instant, name_of, text, word
from reconciler.providers._json_api import bearer
from reconciler.providers._not_found import BATCH, FINE_TUNE, says_missing
from reconciler.providers._rest_jobs import RestApi, RestJobs
from reconciler.providers._rest_service import RestCollection, RestService

STATUSES: Mapping[str, Phase] = {
    "pending": Phase.QUEUED,
    "queued": Phase.QUEUED,
    "running": Phase.RUNNING,
    "compressing": Phase.RUNNING,
    "uploading": Phase.RUNNING,
    "cancel_requested": Phase.CANCELLING,
    "completed": Phase.SUCCEEDED,
    "error": Phase.FAILED,
    "user_error": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}
EXPIRED = "EXPIRED"
BATCH_STATUSES: Mapping[str, Phase] = {
    "VALIDATING": Phase.VALIDATING_FILES,
    "IN_PROGRESS": Phase.RUNNING,
    "COMPLETED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    EXPIRED: Phase.FAILED,
    "CANCELLED": Phase.CANCELLED,
}
_FAILURES = frozenset({"job_error", "job_user_error"})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class FineTunes(RestJobs):
    """The fine-tuning jobs of one account, with their events and checkpoints."""

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the newest events of the job, at most `limit`, newest first. Raises the errors of `rows_of`."""
        events = [_event(row) for row in await self.rows_of(ref, "/events")]
        return tuple(sorted(events, key=_time, reverse=True)[:limit])

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return the newest checkpoints of the job, at most `limit`, newest first. Raises the errors of `rows_of`."""
        found = [_checkpoint(row) for row in await self.rows_of(ref, "/checkpoints")]
        return tuple(sorted(found, key=lambda each: (_time(each), each.step or 0), reverse=True)[:limit])


def _time(logged: JobEvent | JobCheckpoint) -> datetime:
    return logged.at or _LONG_AGO


def _event(row: Mapping[str, Any]) -> JobEvent:
    return JobEvent(
        at=instant(row.get("created_at")),
        level=text(row.get("level")) or "info",
        message=text(row.get("message")) or "",
    )


def _checkpoint(row: Mapping[str, Any]) -> JobCheckpoint:
    return JobCheckpoint(
        at=instant(row.get("created_at")),
        step=count(row.get("step")),
        model=text(row.get("object_name")) or text(row.get("path")) or "",
    )


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    phase = STATUSES.get(status, Phase.UNKNOWN)
    return ObservedJob(
        id=name_of(row, "id"),
        phase=phase,
        provider_status=status,
        model=field(row, "model", text),
        fine_tuned_model=field(row, "model_output_name", text) if phase is Phase.SUCCEEDED else None,
        created_at=field(row, "created_at", instant),
        trained_tokens=field(row, "token_count", count),
        error=field(row, "events", _failure) if phase is Phase.FAILED else None,
        as_of=at,
    )


def _failure(events: Any) -> JobError | None:
    """Return the message of the newest event about a failure as an error. None if there is no such message."""
    rows = [each for each in events if isinstance(each, dict)] if isinstance(events, list) else []
    failures = [_event(row) for row in rows if str(row.get("type")).lower() in _FAILURES]
    message = max(failures, key=_time).message if failures else ""
    return JobError(message=message) if message else None


def _is_missing_job(body: Mapping[str, Any], ref: JobRef) -> bool:
    return says_missing(_message(body), ref, FINE_TUNE)


def _batch(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    return ObservedJob(
        id=name_of(row, "id"),
        phase=BATCH_STATUSES.get(status, Phase.UNKNOWN),
        provider_status=status,
        model=field(row, "model_id", text),
        output_file=field(row, "output_file_id", text),
        created_at=field(row, "created_at", instant),
        finished_at=field(row, "completed_at", instant),
        expires_at=field(row, "job_deadline", instant),
        error=_batch_error(status, text(row.get("error"))),
        as_of=at,
    )


def _batch_error(status: str, message: str | None) -> JobError | None:
    if status == EXPIRED:
        return JobError(code="expired", message=f"expired: {message or 'not completed in time'}")
    return JobError(message=message) if message else None


def _is_missing_batch(body: Mapping[str, Any], ref: JobRef) -> bool:
    return says_missing(_message(body), ref, BATCH)


def _message(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return str(error.get("message")) if isinstance(error, dict) else ""


FINE_TUNES = RestApi(
    path="/v1/fine-tunes",
    rows="data",
    headers=bearer,
    job=_job,
    is_missing=_is_missing_job,
)
BATCHES = RestApi(
    path="/v1/batches",
    rows="data",
    headers=bearer,
    job=_batch,
    is_missing=_is_missing_batch,
    may_be_array=True,
)
TOGETHER: ProviderType = RestService(
    name="together",
    key_variable="TOGETHER_API_KEY",
    url_variables=(),  # `TOGETHER_BASE_URL` ends with `/v1` in some versions of the client, and without it in others
    address="https://api.together.ai",
    collections={
        FINE_TUNING_JOB: RestCollection(
            api=FINE_TUNES,
            id_pattern=r"ft-[A-Za-z0-9][A-Za-z0-9-]{0,124}",
            capabilities=Capabilities(
                cancel_loses="the job: it cannot be resumed, but a new one can start from its last checkpoint",
                cancel_costs="the finished steps",
                can_list_events=True,
                can_list_checkpoints=True,
                page_size_max=1000,
            ),
            jobs=FineTunes,
        ),
        BATCH_JOB: RestCollection(
            api=BATCHES,
            id_pattern=r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}",
            capabilities=Capabilities(has_whole_rows=True, page_size_max=1000, cancel_takes=timedelta(minutes=30)),
        ),
    },
)
