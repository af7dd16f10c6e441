"""A collection of jobs in OpenAI's API or in a compatible API: list, retrieve and cancel.

Rules:

- The adapter reports what the provider returns, and makes no decisions. Unknown status words, nulls and missing fields
  pass through. An optional field of a wrong type is read as null.
- A response that is not a job is an error. It does not show that the job is absent.
- All text from the provider is cleaned. The transport has already redacted the key in every response.
- `Dialect` describes the differences between the services, and between the collections of one service.

Sources: openai/openai-openapi `openapi.yaml` (2.3.0); openai-python 3.57.0 `resources/fine_tuning/jobs/jobs.py`,
`resources/batches.py` and `types/model.py`; developers.openai.com/api/docs/deprecations for `shutdown_date`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from typing import Any

from reconciler.plugin import (
    TERMINAL,
    Accepted,
    AlreadyOver,
    Credentials,
    Delivered,
    JobPage,
    JobRef,
    ListQuery,
    ModelEnd,
    ObservedJob,
    PermanentError,
    Phase,
    Response,
    TransientError,
    Transport,
)
from reconciler.plugin.answers import (
    MOOT_FOR_A_CANCEL,
    already_over_or_raise,
    jobs_of,
    json_object,
    require_same_job,
    text,
    unknown_job,
)
from reconciler.providers._json_api import bearer, change_outcome, job_path
from reconciler.providers._openai_errors import JOB_WORDS, ErrorPattern, error_text, is_job_not_found, raise_unless_ok

MODELS = "/models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The differences between compatible services.

    Args:
        jobs_path: the path of the list, relative to the base URL.
        statuses: the phase of each status word. Any other word has the phase unknown.
        job_words: a code such as `fine_tune_not_found` names a job if it contains one of these substrings.
        headers: headers that are sent with every request.
        query: a query that is sent with every request.
        change_body: the JSON body of a request that changes a job, or None if it has no body.
        authorise: returns the headers that authorise a request with a secret.
        error_patterns: the errors whose HTTP status is misleading.
    """

    jobs_path: str
    statuses: Mapping[str, Phase]
    job_words: tuple[str, ...] = JOB_WORDS
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    change_body: Mapping[str, str] | None = None
    authorise: Callable[[str], Mapping[str, str]] = bearer
    error_patterns: tuple[ErrorPattern, ...] = ()


class OpenAICollection(ABC):
    """A `JobController` for the jobs of one kind in an account."""

    def __init__(self, transport: Transport, credentials: Credentials, dialect: Dialect) -> None:
        self._transport = transport
        self._credentials = credentials
        self._dialect = dialect

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page. If a page does not contain `has_more`, the list ends at the next empty page.

        Raises `TransientError` or `PermanentError` if the page cannot be read, and `TransientError` for an empty page
        whose `has_more` is true, because such a list is incomplete.
        """
        window = {"limit": str(query.page_size)} | ({} if cursor is None else {"after": cursor})
        response = await self._send("GET", "", window)
        raise_unless_ok(response, self._dialect.error_patterns)
        body = json_object(response)
        jobs, garbled = jobs_of(body, "data", lambda row: self._job(row, response.at))
        has_more = body.get("has_more")
        if jobs and has_more is not False:  # without `has_more` the official client requests the next page too
            return JobPage(jobs, jobs[-1].id, garbled)
        if has_more is True:
            msg = "the list is incomplete: a page is empty, but has_more is true"
            raise TransientError(msg, delivered=Delivered.NO)
        return JobPage(jobs, None, garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None if the provider itself reports that it does not exist.

        Raises `TransientError` or `PermanentError` if the job cannot be retrieved.
        """
        response = await self._send("GET", job_path(ref))
        if is_job_not_found(response, ref, self._dialect.job_words):
            return None
        raise_unless_ok(response, self._dialect.error_patterns, is_of_job=True)
        return require_same_job(self._job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel.

        Return `AlreadyOver` if the response shows that the job has succeeded or failed, or if the request was refused
        and the job has ended or is being cancelled. Raises `PermanentError` for any other refusal, and `TransientError`
        for a temporary failure.
        """
        return await self._request_change(ref, "cancel", MOOT_FOR_A_CANCEL, TERMINAL - {Phase.CANCELLED})

    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        """Return the models with a `shutdown_date`. A row that cannot be read is skipped.

        Raises `TransientError` or `PermanentError` if the list cannot be read.
        """
        response = await self._request("GET", MODELS)
        raise_unless_ok(response, self._dialect.error_patterns)
        rows = json_object(response).get("data")
        ends = (_model_end(row) for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict))
        return tuple(end for end in ends if end is not None)

    async def _request_change(
        self, ref: JobRef, verb: str, moot: frozenset[Phase], without_effect: frozenset[Phase] = TERMINAL
    ) -> Accepted | AlreadyOver:
        """Request a change.

        Args:
            ref: the job.
            verb: the operation, which is the last part of the path.
            moot: the phases in which the request would have no effect, so that its refusal is not an error.
            without_effect: the phases in a 2xx response that show that the request had no effect.

        Raises `PermanentError` for any other refusal, including that of an unknown job.
        """
        response = await self._send("POST", f"{job_path(ref)}/{verb}", body=self._dialect.change_body)
        if is_job_not_found(response, ref, self._dialect.job_words):
            raise unknown_job(error_text(response))
        try:
            raise_unless_ok(response, self._dialect.error_patterns, is_of_job=True)
            return change_outcome(response, ref, self._job, without_effect)
        except PermanentError as refusal:
            if response.status == HTTPStatus.TOO_MANY_REQUESTS:  # the account has no credit; the job is not the cause
                raise
            return await already_over_or_raise(self, ref, refusal, moot)

    async def _send(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Response:
        return await self._request(method, self._dialect.jobs_path + path, query, body)

    async def _request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Response:
        token = await self._credentials.token()
        return await self._transport.send(
            method,
            path,
            query={**self._dialect.query, **(query or {})},
            json=body,
            headers={
                "accept": "application/json",
                **self._dialect.headers,
                **(self._dialect.authorise(token) if token else {}),
            },
        )

    @abstractmethod
    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        """Return the job in a row of the list or in a response. `at` is the time of the provider's clock, or None."""

    def _phase(self, status: object) -> Phase:
        return self._dialect.statuses.get(status, Phase.UNKNOWN) if isinstance(status, str) else Phase.UNKNOWN


def _model_end(row: Mapping[str, Any]) -> ModelEnd | None:
    """Return when a model is shut down; None if no date is announced. The date is a string such as `2027-01-14`."""
    model, on = text(row.get("id")), row.get("shutdown_date")
    try:
        return ModelEnd(model, date.fromisoformat(on)) if model and isinstance(on, str) else None
    except ValueError:
        return None
