"""Jobs of services whose API is JSON over HTTP with a key in a header: list, retrieve and cancel.

Rules: `RestApi` describes the API for one collection of jobs. A not-found error shows that a job is absent only if it
is in the service's own format and is about that job, not about an address. A response that is not a job is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from reconciler.plugin import (
    TERMINAL,
    Accepted,
    AlreadyOver,
    Credentials,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    Response,
    Transport,
)
from reconciler.plugin.answers import (
    already_over_or_raise,
    gateway_message,
    jobs_of,
    json_object,
    require_same_job,
    unknown_job,
)
from reconciler.plugin.answers import cursor as cursor_of
from reconciler.providers._json_api import change_outcome, error_line, job_path, not_found, refusal

NextCursor = Callable[[Mapping[str, Any], tuple[ObservedJob, ...], int, str | None], str | None]
Window = Callable[[int, str | None], Mapping[str, str]]


def window_of(size: str, cursor: str, **more: str) -> Window:
    """Return the `RestApi.window` of a service, from the names of its parameters for the size and the cursor of a page.

    `more` contains further parameters of each page.
    """
    return lambda size_, cursor_: {size: str(size_), **more} | ({} if cursor_ is None else {cursor: cursor_})


def cursor_in(key: str) -> NextCursor:
    """Return the `RestApi.next_cursor` of a service whose pages contain the next cursor under a key."""
    return lambda page, _jobs, _size, _cursor: cursor_of(page.get(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class RestApi:
    """The API for one collection of jobs of a service.

    Args:
        path: the path of the list.
        rows: the key of the rows in a list.
        headers: returns the headers of a request, for a key.
        window: returns the query of a page, for its size and its cursor. The cursor of the first page is None. By
            default the query is empty, for a service without pages.
        next_cursor: returns the cursor of the next page, from a page, its jobs, and the size and cursor of that page,
            or None after the last page. If this field itself is None, `RestJobs.list_page` takes each response for the
            whole list, and divides that list into pages.
        job: returns the job in a row of a list, or in the body of the response to a retrieve or a cancel. If only some
            of them contain the job in an inner object, the function accepts both forms. Its second argument is the time
            of the provider's clock, or None.
        is_missing: returns whether the body of a response with HTTP status 404 means that this job does not exist. For
            most services it checks the format of the error, and passes its message to `_not_found.says_missing`.
        cancel: the suffix that makes the path of a job the path of its cancel.
        cancel_body: the JSON body of a cancel, or None if it has no body.
        path_of: returns the path of a job, relative to the path of the list.
        may_omit_rows: whether the service omits the key `rows` if the list is empty.
        may_be_array: whether a list may be the array of its rows, without an object around it.
        is_denied: returns whether the body of an error response, whatever its status, means that the key is not valid.
    """

    path: str
    rows: str
    headers: Callable[[str], Mapping[str, str]]
    job: Callable[[Mapping[str, Any], datetime | None], ObservedJob]
    is_missing: Callable[[Mapping[str, Any], JobRef], bool]
    window: Window = lambda _size, _cursor: {}
    next_cursor: NextCursor | None = None
    cancel: str = "/cancel"
    cancel_body: Mapping[str, object] | None = None
    path_of: Callable[[JobRef], str] = job_path
    may_omit_rows: bool = False
    may_be_array: bool = False
    is_denied: Callable[[Mapping[str, Any]], bool] = lambda _: False


class RestJobs:
    """A `JobController` for one collection of jobs in an account."""

    def __init__(self, transport: Transport, credentials: Credentials, api: RestApi) -> None:
        self._transport = transport
        self._credentials = credentials
        self._api = api

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page. Raises `TransientError` or `PermanentError` if it cannot be read."""
        api = self._api
        response = await self._send("GET", "", api.window(query.page_size, cursor))
        self._raise_unless_ok(response)
        body = _page_of(response, api)
        following = None
        if api.next_cursor is None:
            body, following = _part_of(body, api.rows, query.page_size, cursor)
        jobs, garbled = jobs_of(body, api.rows, lambda row: api.job(row, response.at))
        if api.next_cursor is not None:
            following = api.next_cursor(body, jobs, query.page_size, cursor)
        return JobPage(jobs, following, garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None if the provider itself reports that it does not exist.

        Raises `TransientError` or `PermanentError` if the job cannot be retrieved.
        """
        response = await self._send("GET", self._api.path_of(ref))
        if self._is_missing(response, ref):
            return None
        self._raise_unless_ok(response, is_of_job=True)
        return require_same_job(self._api.job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel.

        Return `AlreadyOver` if the response shows that the job has succeeded or failed, or if the request was refused
        and the job has ended or is being cancelled. Raises `PermanentError` for any other refusal, and `TransientError`
        for a temporary failure.
        """
        path = f"{self._api.path_of(ref)}{self._api.cancel}"
        response = await self._send("POST", path, body=self._api.cancel_body)
        if self._is_missing(response, ref):
            raise unknown_job(error_text(response))
        try:
            self._raise_unless_ok(response, is_of_job=True)
            return change_outcome(response, ref, self._api.job, TERMINAL - {Phase.CANCELLED})
        except PermanentError as refused:
            return await already_over_or_raise(self, ref, refused)

    async def rows_of(self, ref: JobRef, path: str) -> list[Mapping[str, Any]]:
        """Return the rows of a list that belongs to a job, such as its events. A row that is not an object is skipped.

        Raises `TransientError` or `PermanentError` if the status is 400 or more, or the response is not a JSON object.
        """
        response = await self._send("GET", f"{self._api.path_of(ref)}{path}")
        self._raise_unless_ok(response, is_of_job=True)
        rows = json_object(response).get(self._api.rows)
        return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []

    def _is_missing(self, response: Response, ref: JobRef) -> bool:
        return response.status == HTTPStatus.NOT_FOUND and self._says(
            response, lambda body: self._api.is_missing(body, ref)
        )

    def _says(self, response: Response, check: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Return whether the body of a response passes a check. A body that is not a JSON object fails every check."""
        try:
            return check(json_object(response))
        except PermanentError:
            return False

    def _raise_unless_ok(self, response: Response, *, is_of_job: bool = False) -> None:
        """Raise `TransientError` or `PermanentError` if the status of the response is 400 or more.

        `is_of_job` is whether the request was about one job.
        """
        if response.status < HTTPStatus.BAD_REQUEST:
            return
        details = error_text(response)
        if self._says(response, self._api.is_denied):
            msg = f"the provider refused the key ({details}): check the key"
            raise PermanentError(msg, kind=Kind.DENIED)
        if response.status == HTTPStatus.NOT_FOUND:
            raise not_found(details, is_of_job=is_of_job)
        raise refusal(response, details)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Response:
        token = await self._credentials.token()
        headers = {"accept": "application/json", **self._api.headers(token)}
        return await self._transport.send(method, f"{self._api.path}{path}", query=query, json=body, headers=headers)


def _page_of(response: Response, api: RestApi) -> Mapping[str, Any]:
    """Return a page as an object. Raises `PermanentError(invalid)` if it is neither an object nor an accepted array."""
    body = response.json()
    if api.may_be_array and isinstance(body, list):
        return {api.rows: body}
    return {api.rows: [], **json_object(response)} if api.may_omit_rows else json_object(response)


def _part_of(body: Mapping[str, Any], rows: str, size: int, cursor: str | None) -> tuple[Mapping[str, Any], str | None]:
    """Return a part of a whole list as a page, and the cursor of the next page, or None after the last page.

    A cursor is the number of rows before its page.
    """
    whole, start = body.get(rows), int(cursor or 0)
    if not isinstance(whole, list):
        return body, None
    stop = start + size
    return {rows: whole[start:stop]}, str(stop) if stop < len(whole) else None


def error_text(response: Response) -> str:
    """Return the status and the message of an error as one line."""
    return error_line(response, gateway_message(response))
