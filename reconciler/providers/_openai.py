"""The fine-tuning dialect that OpenAI made and others speak: list, retrieve, cancel, pause, resume, events.

Rules: it reports and obeys. Unknown words, nulls and missing fields pass through as such; a field of a wrong type
counts as null; what is not a job at all is an error, never an absence. Every word of the provider is cleaned, and the
key is struck out of every answer before anything else reads it. `Dialect` holds what differs between services.

Sources: openai/openai-openapi `openapi.yaml` (2.3.0); openai-python 3.54.0 `resources/fine_tuning/jobs/jobs.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from reconciler.plugin import (
    TERMINAL,
    UNFINISHED,
    UNSET,
    Credentials,
    Delivered,
    JobError,
    JobEvent,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    Permanent,
    Phase,
    ProviderError,
    Response,
    Transient,
    Transport,
    Unset,
    clean,
    failure,
    redact,
)

STATUSES: Mapping[str, Phase] = {phase.value: phase for phase in sorted(UNFINISHED | TERMINAL)}
"""The published six, and `pausing` and `paused`, which the service also returns: our phases are its words."""

_WORD_MAX = 64
_YEAR_10000 = 253_402_300_800
_JOB_NOT_FOUND = re.compile(r"(\w*(fine|tun|job)\w*_)?not_?found", re.IGNORECASE)
_WRONG_URL = re.compile(r"(invalid|unknown)( request)? url", re.IGNORECASE)
_BILLING = re.compile(r"insufficient_quota|credit_balance_exhausted|\w*_(spend|usage)_limit_exceeded")
"""Codes of a 429 that no waiting cures (learn.microsoft.com, dev-proxy, "openai-insufficient-quota")."""


T = TypeVar("T")


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that carries a key as OpenAI wants it."""
    return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What differs between the services that speak it."""

    jobs_path: str = "/fine_tuning/jobs"
    statuses: Mapping[str, Phase] = field(default_factory=lambda: STATUSES)
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    authorise: Callable[[str], Mapping[str, str]] = bearer


class OpenAIJobs:
    """The jobs of one account: a `JobController` that can also pause, resume and list events."""

    def __init__(self, transport: Transport, credentials: Credentials, dialect: Dialect) -> None:
        self._transport = transport
        self._credentials = credentials
        self._dialect = dialect

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page. What makes the list doubtful is an error, never its end."""
        window = {"limit": str(query.page_size)} | ({} if cursor is None else {"after": cursor})
        response = await self._send("GET", "", window)
        _raise_unless_ok(response)
        body = _object(response)
        rows = body.get("data")
        if not isinstance(rows, list):
            msg = "the answer is not a list of jobs: this is not the API that was expected"
            raise Permanent(msg, kind=Kind.INVALID)
        jobs = tuple(self._job(row, response.at) for row in rows)
        has_more = body.get("has_more")
        if jobs and has_more is not False:  # left out it says nothing: the official client asks on, too
            return JobPage(jobs, jobs[-1].id)
        if has_more is True:
            msg = "the list says that it goes on after an empty page, so it is not whole"
            raise Transient(msg, delivered=Delivered.NO)
        return JobPage(jobs, None)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for the provider's own words that it has no such job."""
        response = await self._send("GET", _path(ref))
        if _says_there_is_no_job(response, ref):
            return None
        _raise_unless_ok(response)
        return self._asked_for(response, ref)

    async def cancel_job(self, ref: JobRef) -> ObservedJob:
        """Ask for a cancel; quiet if the job is already over."""
        return await self._ask(ref, "cancel", TERMINAL)

    async def pause_job(self, ref: JobRef) -> ObservedJob:
        """Ask for a pause; quiet if it is already paused, or over."""
        return await self._ask(ref, "pause", TERMINAL | {Phase.PAUSING, Phase.PAUSED})

    async def resume_job(self, ref: JobRef) -> ObservedJob:
        """Ask for a resume; quiet if it already goes on, or is over."""
        return await self._ask(ref, "resume", TERMINAL | {Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING})

    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        """Return the newest lines of the job's log, newest first."""
        response = await self._send("GET", f"{_path(ref)}/events", {"limit": str(limit)})
        _raise_unless_ok(response)
        rows = _object(response).get("data")
        return tuple(_event(row) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()

    async def _ask(self, ref: JobRef, verb: str, moot: frozenset[Phase]) -> ObservedJob:
        response = await self._send("POST", f"{_path(ref)}/{verb}")
        if _says_there_is_no_job(response, ref):
            msg = f"the provider does not know this job: {_words(response)}"
            raise Permanent(msg, kind=Kind.REFUSED)
        try:
            _raise_unless_ok(response)
        except Permanent as refusal:
            if refusal.kind is not Kind.REFUSED or response.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
            job = await self._look_again(ref)
            if job is None or job.phase not in moot:
                raise
            return job
        return self._asked_for(response, ref)

    async def _look_again(self, ref: JobRef) -> ObservedJob | None:
        """Return the job as it stands after a refusal; None if it cannot be seen, for then the refusal is the news."""
        try:
            return await self.get_job(ref)
        except ProviderError:
            return None

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        token = await self._credentials.token()
        response = await self._transport.send(
            method,
            self._dialect.jobs_path + path,
            query={**self._dialect.query, **(query or {})},
            headers={
                "accept": "application/json",
                **self._dialect.headers,
                **(self._dialect.authorise(token) if token else {}),
            },
        )
        return replace(response, body=redact(response.body.decode(errors="replace"), [token]).encode())

    def _asked_for(self, response: Response, ref: JobRef) -> ObservedJob:
        job = self._job(_object(response), response.at)
        if job.id != ref.id:
            msg = "the provider answered with another job than the one that was asked for"
            raise Permanent(msg, kind=Kind.INVALID)
        return job

    def _job(self, row: Any, at: datetime | None) -> ObservedJob:
        job_id = row.get("id") if isinstance(row, dict) else None
        if not isinstance(job_id, str) or not job_id or not job_id.isprintable():
            msg = "the provider gave something in place of a job that is none: it has no id"
            raise Permanent(msg, kind=Kind.INVALID)
        status = row.get("status")
        word = status if isinstance(status, str) else json.dumps(status)
        return ObservedJob(
            id=job_id,
            phase=self._dialect.statuses.get(word, Phase.UNKNOWN),
            provider_status=clean(word, _WORD_MAX),
            model=_read(row, "model", _text),
            fine_tuned_model=_read(row, "fine_tuned_model", _text),
            created_at=_read(row, "created_at", _moment),
            started_at=_read(row, "started_at", _moment),
            finished_at=_read(row, "finished_at", _moment),
            estimated_finish_at=_read(row, "estimated_finish", _moment),
            trained_tokens=_read(row, "trained_tokens", _count),
            error=_read(row, "error", _error),
            as_of=at,
        )


def _path(ref: JobRef) -> str:
    return f"/{quote(ref.id, safe='')}"


def _read(row: Mapping[str, Any], key: str, reader: Callable[[Any], T | None]) -> T | None | Unset:
    return reader(row[key]) if key in row else UNSET


def _text(value: Any) -> str | None:
    return clean(value) if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _moment(value: Any) -> datetime | None:
    """Read unix seconds; what no job can have (zero, negative, past the year 9999, not a number) is None."""
    if type(value) not in (int, float) or not 0 < value < _YEAR_10000:
        return None
    return datetime.fromtimestamp(value, UTC)


def _error(value: Any) -> JobError | None:
    """Read a job's error; healthy jobs carry one too, with nothing but nulls in it."""
    if not isinstance(value, dict):
        return JobError(message=_text(value)) if value and isinstance(value, str) else None
    error = JobError(
        code=_text(value.get("code")), message=_text(value.get("message")), param=_text(value.get("param"))
    )
    return error if error.code or error.message else None


def _event(row: Mapping[str, Any]) -> JobEvent:
    return JobEvent(
        at=_moment(row.get("created_at")),
        level=_text(row.get("level")) or "info",
        message=_text(row.get("message")) or "",
    )


def _object(response: Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        msg = f"the answer (HTTP {response.status}) is not a JSON object: this is not the API that was expected"
        raise Permanent(msg, kind=Kind.INVALID)
    return body


def _complaint(response: Response) -> Mapping[str, Any] | None:
    """Return what stands in the dialect's own error envelope, `{"error": {...}}`; None if the answer has none."""
    try:
        error = _object(response).get("error")
    except Permanent:
        return None
    return error if isinstance(error, dict) else None


def _words(response: Response) -> str:
    complaint = _complaint(response) or {}
    said = _text(complaint.get("message")) or _text(complaint.get("code"))
    return f"HTTP {response.status}: {said}" if said else f"HTTP {response.status}"


def _says_there_is_no_job(response: Response, ref: JobRef) -> bool:
    """Whether this is the provider's own not-found answer for this job.

    No captured body is known, so it is read with care: a code that speaks of a job, or no code and a message that names
    the id. A 404 about a URL, a project or a model, or from something in between, is not one.
    """
    complaint = _complaint(response) if response.status == HTTPStatus.NOT_FOUND else None
    if complaint is None:
        return False
    code, message = complaint.get("code"), str(complaint.get("message"))
    if _WRONG_URL.search(message):
        return False
    if isinstance(code, str):
        return _JOB_NOT_FOUND.fullmatch(code) is not None
    return code is None and complaint.get("type") == "invalid_request_error" and ref.id in message


def _raise_unless_ok(response: Response) -> None:
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    said = _words(response)
    if response.status == HTTPStatus.NOT_FOUND:
        msg = f"this is not the answer of the API that was expected ({said}): check the base URL"
        raise Permanent(msg, kind=Kind.INVALID)
    complaint = _complaint(response) or {}
    is_billing = any(_BILLING.fullmatch(str(complaint.get(key))) for key in ("code", "type"))
    if response.status == HTTPStatus.TOO_MANY_REQUESTS and is_billing:
        msg = f"the provider account has no credit left or is at a limit of its own ({said}): waiting does not help"
        raise Permanent(msg, kind=Kind.REFUSED)
    error = failure(response, f"the provider refused this ({said})")
    if isinstance(error, Transient):
        # Its words hold counters and request ids, so that the same trouble would look like news each time.
        error = failure(response, f"the provider answered HTTP {response.status}")
    raise error
