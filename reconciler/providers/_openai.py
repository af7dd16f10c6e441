"""Fine-tuning jobs in OpenAI's API and in compatible APIs: list, retrieve, cancel, pause, resume, events.

Sources: openai/openai-openapi `openapi.yaml` (2.3.0); openai-python 3.54.0 `resources/fine_tuning/jobs/jobs.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import (
    TERMINAL,
    UNFINISHED,
    Accepted,
    AlreadyOver,
    JobCheckpoint,
    JobError,
    JobEvent,
    JobRef,
    ObservedJob,
    Phase,
    Response,
)
from reconciler.plugin.answers import (
    count,
    json_object,
    name_of,
    seconds,
    text,
    word,
)
from reconciler.plugin.answers import field as read
from reconciler.providers._json_api import job_path
from reconciler.providers._openai_collection import Dialect, OpenAICollection
from reconciler.providers._openai_errors import raise_unless_ok

STATUSES: Mapping[str, Phase] = {
    **{phase.value: phase for phase in sorted(UNFINISHED | TERMINAL)},
    "created": Phase.QUEUED,
}
"""OpenAI documents six status words, and also returns `pausing` and `paused`. `created` was the status of a new job
(alexrudall/ruby-openai, a recording of 2023-08-23). `cancelling` is accepted from compatible services."""
AZURE_STATUSES: Mapping[str, Phase] = {
    **STATUSES,
    "pending": Phase.QUEUED,
    "notRunning": Phase.QUEUED,
    "resuming": Phase.RUNNING,
    "canceling": Phase.CANCELLING,
    "canceled": Phase.CANCELLED,
}
"""OpenAI's words, and further words that Azure documents or its clients handle (litellm 1.109.1, Azure/azure-dev)."""


OPENAI_JOBS = Dialect(jobs_path="/fine_tuning/jobs", statuses=STATUSES)
"""OpenAI's own dialect for fine-tuning jobs."""


class OpenAIJobs(OpenAICollection):
    """A `JobController` for one account, which can also pause and resume jobs and list their events and checkpoints."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a pause.

        Return `AlreadyOver` if the job has ended, or if it is pausing or paused and the request was refused. Raises
        `PermanentError` for any other refusal, and `TransientError` for a temporary failure.
        """
        return await self._request_change(ref, "pause", TERMINAL | {Phase.PAUSING, Phase.PAUSED})

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a resume.

        Return `AlreadyOver` if the job has ended, or if it is validating files, queued or running and the request was
        refused. Raises `PermanentError` for any other refusal, and `TransientError` for a temporary failure.
        """
        return await self._request_change(
            ref, "resume", TERMINAL | {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
        )

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return at most `limit` events of the job, in the service's order: at OpenAI, the newest first.

        Raises `TransientError` or `PermanentError` if they cannot be read.
        """
        response = await self._send("GET", f"{job_path(ref)}/events", {"limit": str(limit)})
        raise_unless_ok(response, self._dialect.error_patterns)
        return tuple(map(_event, _rows(response)[:limit]))

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return at most `limit` checkpoints of the job, in the service's order: at OpenAI, the newest first.

        Raises `TransientError` or `PermanentError` if they cannot be read.
        """
        response = await self._send("GET", f"{job_path(ref)}/checkpoints", {"limit": str(limit)})
        raise_unless_ok(response, self._dialect.error_patterns)
        return tuple(map(_checkpoint, _rows(response)[:limit]))

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        status = row.get("status")
        return ObservedJob(
            id=name_of(row, "id"),
            phase=self._phase(status),
            provider_status=word(status),
            model=read(row, "model", text),
            fine_tuned_model=read(row, "fine_tuned_model", text),
            created_at=read(row, "created_at", seconds),
            started_at=read(row, "started_at", seconds),
            finished_at=read(row, "finished_at", seconds),
            estimated_finish_at=read(row, "estimated_finish", seconds),
            trained_tokens=read(row, "trained_tokens", count),
            error=read(row, "error", _error),
            as_of=at,
        )


def _error(value: Any) -> JobError | None:
    """Return the error of a job, or None. If a job has no error, OpenAI returns an object whose fields are null."""
    if not isinstance(value, dict):
        return JobError(message=text(value)) if value and isinstance(value, str) else None
    error = JobError(code=text(value.get("code")), message=text(value.get("message")), param=text(value.get("param")))
    return error if error.code or error.message else None


def _rows(response: Response) -> list[dict[str, Any]]:
    """Return the rows of a list of events or checkpoints. A row that is not an object is skipped."""
    rows = json_object(response).get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _checkpoint(row: Mapping[str, Any]) -> JobCheckpoint:
    return JobCheckpoint(
        at=seconds(row.get("created_at")),
        step=count(row.get("step_number")),
        model=text(row.get("fine_tuned_model_checkpoint")) or "",
    )


def _event(row: Mapping[str, Any]) -> JobEvent:
    return JobEvent(
        at=seconds(row.get("created_at")),
        level=text(row.get("level")) or "info",
        message=text(row.get("message")) or "",
    )
