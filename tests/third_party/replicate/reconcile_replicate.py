"""Replicate's trainings: an example of a provider type in a package of its own.

Rules: Replicate's pages have up to 100 rows, whatever size is requested, so the adapter divides them into pages of that
size. The adapter uses only the cursor in the address of the next page, so that the key is not sent to another host.

Sources: replicate 1.0.7 `training.py`, `pagination.py`, `client.py`, `exceptions.py`; the HTTP reference for the order
and the length of a list; replicate/replicate-python, issues 47 and 352, for the errors. Not confirmed: whether an
unknown address has the same error as a missing training, and the response to a cancel of a training that has ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import BaseModel

from reconciler.plugin import (
    Accepted,
    AccountConfig,
    AlreadyOver,
    Capabilities,
    Credentials,
    Document,
    JobError,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    ProviderType,
    Rate,
    Response,
    Transport,
    failure,
)
from reconciler.plugin.answers import (
    acceptance,
    already_over_or_raise,
    field,
    instant,
    jobs_of,
    json_object,
    name_of,
    require_same_job,
    text,
    unknown_job,
    word,
)

TRAININGS = "/v1/trainings"
NOT_FOUND = "The requested resource could not be found"
STATUSES: Mapping[str, Phase] = {
    "starting": Phase.QUEUED,
    "processing": Phase.RUNNING,
    "succeeded": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "canceled": Phase.CANCELLED,
}


class ReplicateOptions(Document):
    """Replicate has no options: the key identifies the account."""


class ReplicateJobs:
    """The trainings of one account."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page. A cursor contains the index of the page's first row, and Replicate's own cursor.

        Raises `TransientError` or `PermanentError` if the page cannot be read.
        """
        start, _, token = (cursor or "0 ").partition(" ")
        body = json_object(_ok(await self._send("GET", "", {"cursor": token} if token else None)))
        rows, stop = body.get("results"), int(start) + query.page_size
        part = rows[int(start) : stop] if isinstance(rows, list) else None
        jobs, garbled = jobs_of({"results": part}, "results", lambda row: _job(row, None))
        if isinstance(rows, list) and stop < len(rows):
            return JobPage(jobs, f"{stop} {token}", garbled)
        following = body.get("next")
        return JobPage(jobs, None if following is None else f"0 {_token_in(following)}", garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the training, or None for Replicate's own not-found error.

        Raises `TransientError` or `PermanentError` if the training cannot be retrieved.
        """
        response = await self._send("GET", f"/{quote(ref.id, safe='')}")
        if _is_not_found(response):
            return None
        return require_same_job(_job(json_object(_ok(response)), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel. Return `AlreadyOver` if it was refused and the training has ended.

        Raises `PermanentError` for any other refusal, even if there is no such training, and `TransientError` for a
        temporary failure.
        """
        response = await self._send("POST", f"/{quote(ref.id, safe='')}/cancel")
        if _is_not_found(response):
            raise unknown_job(_error_text(response))
        try:
            return acceptance(_ok(response))
        except PermanentError as refusal:
            return await already_over_or_raise(self, ref, refusal)

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        headers = {"accept": "application/json", "authorization": f"Bearer {await self._credentials.token()}"}
        return await self._transport.send(method, TRAININGS + path, query=query, headers=headers)


def _token_in(following: object) -> str:
    """Return the cursor in the address of the next page. Raises `PermanentError`, so that no list seems complete."""
    found = parse_qs(urlsplit(following).query).get("cursor") if isinstance(following, str) else None
    if not found:
        msg = "the list is incomplete: the address of its next page contains no cursor"
        raise PermanentError(msg, kind=Kind.INVALID)
    return found[0]


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status = word(row.get("status"))
    error = text(row.get("error"))
    return ObservedJob(
        id=name_of(row, "id"),
        phase=STATUSES.get(status, Phase.UNKNOWN),
        provider_status=status,
        model=field(row, "model", text),
        fine_tuned_model=field(row, "output.version", text),
        created_at=field(row, "created_at", instant),
        started_at=field(row, "started_at", instant),
        finished_at=field(row, "completed_at", instant),
        error=JobError(message=error) if error else None,
        as_of=at,
    )


def _problem(response: Response) -> Mapping[str, Any]:
    """Return the body of an error, which has the format of RFC 7807; empty if the response has another one."""
    try:
        body = json_object(response)
    except PermanentError:
        return {}
    return body if body.get("status") == response.status else {}


def _is_not_found(response: Response) -> bool:
    detail = _problem(response).get("detail")
    return response.status == 404 and isinstance(detail, str) and detail.rstrip(".") == NOT_FOUND


def _error_text(response: Response) -> str:
    detail = text(_problem(response).get("detail"))
    return f"HTTP {response.status}: {detail}" if detail else f"HTTP {response.status}"


def _ok(response: Response) -> Response:
    """Return the response. Raises `TransientError` or `PermanentError` if its status is 400 or more."""
    if response.status < 400:
        return response
    if response.status == 404:
        msg = f"this response is not from Replicate's API ({_error_text(response)}): check the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    raise failure(response, f"Replicate refused the request ({_error_text(response)})")


class ReplicateType:
    """The provider type `replicate`: the trainings of one account."""

    name = "replicate"
    options = ReplicateOptions
    id_pattern = r"[a-z0-9]{1,64}"
    key_variable = "REPLICATE_API_TOKEN"
    has_whole_key = True
    url_variables = ("REPLICATE_BASE_URL",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    finds_credentials = False
    capabilities = Capabilities(page_size_max=100, list_order="newest first")
    rate = Rate()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id unchanged, because a training has only one."""
        return job_id

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the port's signature
        """Return an empty scope, because the key identifies the account."""
        return ()

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the default base URL of the service."""
        return "https://api.replicate.com"

    @asynccontextmanager
    async def open(
        self,
        config: AccountConfig,  # noqa: ARG002 - the port's signature
        transport: Transport,
        credentials: Credentials,
    ) -> AsyncIterator[ReplicateJobs]:
        """Yield the adapter for the trainings of the account."""
        yield ReplicateJobs(transport, credentials)


REPLICATE: ProviderType = ReplicateType()
