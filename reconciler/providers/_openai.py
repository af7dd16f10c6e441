"""Adapter for OpenAI's fine-tuning API and compatible services: list, retrieve, cancel, pause, resume, events.

Rules:

- The adapter reports what the provider returns, and makes no decisions. Unknown status words, nulls and missing fields
  pass through. A field of a wrong type is read as null.
- A response that is not a job is an error. It does not show that the job is absent.
- All text from the provider is cleaned. The transport has already redacted the key in every response.
- `Dialect` describes the differences between the services.

Sources: openai/openai-openapi `openapi.yaml` (2.3.0); openai-python 3.54.0 `resources/fine_tuning/jobs/jobs.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from reconciler.plugin import (
    TERMINAL,
    UNFINISHED,
    Accepted,
    AlreadyOver,
    Credentials,
    Delivered,
    JobCheckpoint,
    JobError,
    JobEvent,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    Response,
    TransientError,
    Transport,
)
from reconciler.plugin.answers import (
    MOOT_FOR_A_CANCEL,
    acceptance,
    already_over_or_raise,
    count,
    jobs_of,
    json_object,
    name_of,
    require_same_job,
    seconds,
    text,
    unknown_job,
    word,
)
from reconciler.plugin.answers import field as read
from reconciler.providers._openai_errors import ErrorPattern, error_text, is_job_not_found, raise_unless_ok

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
"""The words that Azure OpenAI documents, and those that its clients handle (litellm 1.109.1, Azure/azure-dev)."""


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that authorises a request with a key or token."""
    return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The differences between compatible services.

    `query` is sent with every request, and `change_body` with requests that change a job.
    """

    jobs_path: str = "/fine_tuning/jobs"
    statuses: Mapping[str, Phase] = field(default_factory=lambda: STATUSES)
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    change_body: Mapping[str, str] | None = None
    authorise: Callable[[str], Mapping[str, str]] = bearer
    error_patterns: tuple[ErrorPattern, ...] = ()


class OpenAIJobs:
    """A `JobController` for one account, which can also pause and resume jobs and list their events and checkpoints."""

    def __init__(self, transport: Transport, credentials: Credentials, dialect: Dialect) -> None:
        self._transport = transport
        self._credentials = credentials
        self._dialect = dialect

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page. Raises `TransientError` for an empty page with `has_more`: the list is incomplete."""
        window = {"limit": str(query.page_size)} | ({} if cursor is None else {"after": cursor})
        response = await self._send("GET", "", window)
        raise_unless_ok(response, self._dialect.error_patterns)
        body = json_object(response)
        jobs, garbled = jobs_of(body, "data", lambda row: self._job(row, response.at))
        has_more = body.get("has_more")
        if jobs and has_more is not False:  # without `has_more` the official client also requests the next page
            return JobPage(jobs, jobs[-1].id, garbled)
        if has_more is True:
            msg = "the list is incomplete: a page is empty, but has_more is true"
            raise TransientError(msg, delivered=Delivered.NO)
        return JobPage(jobs, None, garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only if the provider itself reports that there is no such job."""
        response = await self._send("GET", _path(ref))
        if is_job_not_found(response, ref):
            return None
        raise_unless_ok(response, self._dialect.error_patterns)
        return require_same_job(self._job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel.

        Return `AlreadyOver` if the job has ended, or if it is being cancelled and the request was refused.
        """
        return await self._request_change(ref, "cancel", MOOT_FOR_A_CANCEL, TERMINAL - {Phase.CANCELLED})

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a pause.

        Return `AlreadyOver` if the job has ended, or if it is pausing or paused and the request was refused.
        """
        return await self._request_change(ref, "pause", TERMINAL | {Phase.PAUSING, Phase.PAUSED})

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a resume.

        Return `AlreadyOver` if the job has ended, or if it is queued or running and the request was refused.
        """
        return await self._request_change(
            ref, "resume", TERMINAL | {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING}
        )

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the newest lines of the job's log, newest first."""
        response = await self._send("GET", f"{_path(ref)}/events", {"limit": str(limit)})
        raise_unless_ok(response, self._dialect.error_patterns)
        return tuple(map(_event, _rows(response)))

    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        """Return the newest checkpoints of the job, newest first."""
        response = await self._send("GET", f"{_path(ref)}/checkpoints", {"limit": str(limit)})
        raise_unless_ok(response, self._dialect.error_patterns)
        return tuple(map(_checkpoint, _rows(response)))

    async def _request_change(
        self, ref: JobRef, verb: str, moot: frozenset[Phase], without_effect: frozenset[Phase] = TERMINAL
    ) -> Accepted | AlreadyOver:
        """Request a change.

        Args:
            ref: the job.
            verb: the operation, which is the last part of the path.
            moot: the phases in which a refused request had nothing left to change.
            without_effect: the phases in a 2xx response that show that the request had no effect.
        """
        response = await self._send("POST", f"{_path(ref)}/{verb}", body=self._dialect.change_body)
        if is_job_not_found(response, ref):
            raise unknown_job(error_text(response))
        try:
            raise_unless_ok(response, self._dialect.error_patterns)
            job = self._job_in(response, ref)
            if job is None:
                return acceptance(response)
            return AlreadyOver(job) if job.phase in without_effect else Accepted()
        except PermanentError as refusal:
            if response.status == HTTPStatus.TOO_MANY_REQUESTS:  # no credit left, for any job of the account
                raise
            return await already_over_or_raise(self, ref, refusal, moot)

    def _job_in(self, response: Response, ref: JobRef) -> ObservedJob | None:
        """Return the job in the response to a change request; None if the response does not contain that job."""
        try:
            return require_same_job(self._job(json_object(response), response.at), ref)
        except PermanentError:
            return None

    async def _send(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Response:
        token = await self._credentials.token()
        return await self._transport.send(
            method,
            self._dialect.jobs_path + path,
            query={**self._dialect.query, **(query or {})},
            json=body,
            headers={
                "accept": "application/json",
                **self._dialect.headers,
                **(self._dialect.authorise(token) if token else {}),
            },
        )

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        status = row.get("status")
        return ObservedJob(
            id=name_of(row, "id"),
            phase=self._dialect.statuses.get(status, Phase.UNKNOWN) if isinstance(status, str) else Phase.UNKNOWN,
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


def _path(ref: JobRef) -> str:
    return f"/{quote(ref.id, safe='')}"


def _error(value: Any) -> JobError | None:
    """Return the error of a job, or None. For a job without one, OpenAI returns an object whose fields are null."""
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
