"""Translates the sandbox's OpenAI API into that of another service: it reads a request, and rewrites the response.

Rules: every request that the service supports is sent to the sandbox, even one with a wrong key, so that the sandbox
records it and its faults affect all dialects equally. A response that is not the sandbox's own (half a body, a page of
a proxy) is not changed.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.sandbox.requests import LIMIT_MAX
from reconciler.sandbox.responses import ConnectionResetByFaultError, Reset
from reconciler.testing.transport_faults import HttpResponse, response_of

Json = dict[str, Any]
JOBS = "/fine_tuning/jobs"
INSIDE = f"/v1{JOBS}"
_TIME_MAX = 2**33
_TELLS_ALL = frozenset({401, 403, 429, 500})


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """The request to the sandbox: a path below its jobs, and other differences from the original request.

    The method, the query or the body is unchanged if it is None.
    """

    path: str
    method: str | None = None
    query: Mapping[str, str] | None = None
    body: Json | None = None
    refusal: Response | None = None
    """The response to a request without a valid key."""


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """A response in the service's own format. If `body` is None, the response has no body."""

    status: int
    body: Json | None
    headers: Mapping[str, str] = field(default_factory=dict)


class TranslatingApp(ABC):
    """An ASGI application in front of the sandbox, with the sandbox's key."""

    inside: ClassVar[str] = INSIDE
    """The path of the sandbox's list of jobs."""
    hides: ClassVar[Mapping[str, str]] = {}
    """Phases of the sandbox that this service shows as other phases."""

    def __init__(self, api: ASGIApp, secret: str) -> None:
        self._api = api
        self._secret = secret

    @abstractmethod
    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Return the request to the sandbox, or the response to a request that this service does not support."""

    @abstractmethod
    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:
        """Return a response of the sandbox in the format of this service."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. If the sandbox breaks the connection, this application breaks it too."""
        request = Request(scope, receive)
        body = await request.body()
        question = self.pass_on(request, body)
        if isinstance(question, Response):
            await question(scope, receive, send)
            return
        try:
            inner_body = body if question.body is None else json.dumps(question.body).encode()
            answer = await response_of(self._api, self._inside(scope, question), _again(inner_body, receive))
        except ConnectionResetByFaultError:
            await Reset()(scope, receive, send)
            raise
        if question.refusal is not None:
            await question.refusal(scope, receive, send)
        else:
            await self._reworded(answer, request, question).send(send)

    def _inside(self, scope: Scope, question: SandboxRequest) -> Scope:
        key = self._secret if question.refusal is None else "another key"
        headers = [each for each in scope["headers"] if each[0] != b"authorization"]
        inside = {
            **scope,
            "path": self.inside + question.path,
            "raw_path": (self.inside + question.path).encode(),
            "headers": [*headers, (b"authorization", f"Bearer {key}".encode())],
            "method": question.method or scope["method"],
        }
        if question.query is not None:
            inside["query_string"] = urlencode(question.query).encode()
        return inside

    def _reworded(self, answer: HttpResponse, request: Request, question: SandboxRequest) -> HttpResponse:
        try:
            body = json.loads(answer.body)
        except ValueError:
            return answer  # half a body, or a page of a proxy
        if "object" not in body and not isinstance(body.get("error"), dict):
            return answer
        if answer.status in _TELLS_ALL:
            body["error"]["message"] += f" A careless provider says it all: {dict(request.headers)}"
        said = self.reword(ServiceResponse(answer.status, body), question)
        headers = [(name.encode(), value.encode()) for name, value in said.headers.items()]
        text = b"" if said.body is None else json.dumps(said.body).encode()
        return replace(answer, status=said.status, headers=(*answer.headers, *headers), body=text)


class Why(Enum):
    """The reason for a refusal, for a service with an error format of its own."""

    WRONG_KEY = auto()
    FORBIDDEN = auto()
    THROTTLED = auto()
    BROKEN = auto()
    NO_SUCH_JOB = auto()
    REFUSED = auto()


def why(said: ServiceResponse) -> Why:
    """Return the reason for the sandbox's error."""
    error = said.body["error"] if said.body is not None else {}
    # A fault with HTTP status 404 says nothing about a job.
    if error.get("code") == "fine_tune_not_found" or str(error.get("message")).startswith("No batch found"):
        return Why.NO_SUCH_JOB
    known = {401: Why.WRONG_KEY, 403: Why.FORBIDDEN, 429: Why.THROTTLED}
    return known.get(said.status, Why.BROKEN if said.status >= 500 else Why.REFUSED)


class ForeignApi(TranslatingApp):
    """A service whose API differs from OpenAI's: each response is made from the sandbox's response.

    A dialect implements `pass_on`, `job`, `page` and `refusal`. It overrides `row` or `created` if a row of a list or
    the response to a create differs from the response to a retrieve, and `taken` or `accepted` if the response to a
    cancel has a body. The service refuses a second cancel while the first one is in progress.
    """

    def __init__(self, api: ASGIApp, secret: str) -> None:
        super().__init__(api, secret)
        self._cancelling: set[str] = set()

    @abstractmethod
    def job(self, row: Json) -> Json:
        """Return a job in the format of a retrieve."""

    def row(self, row: Json) -> Json:
        """Return a job in the format of a list row."""
        return self.job(row)

    @abstractmethod
    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page of a list."""

    @abstractmethod
    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in the service's format."""

    def created(self, row: Json) -> Json:
        """Return the body of the response to a create of a job."""
        return self.job(row)

    taken: ClassVar[Json | None] = None
    """The body of the response to an accepted cancel, or None for an empty body."""

    def accepted(self, row: Json) -> Json | None:  # noqa: ARG002  some services return the job
        """Return the body of the response to an accepted cancel of a job."""
        return self.taken

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:
        """Return the response of the sandbox in the service's format."""
        body = said.body or {}
        if "error" in body and body.get("object") is None:
            return self.refusal(why(said), said.status, body["error"]["message"])
        if body["object"] == "list":
            rows = body["data"]
            last = next((row["id"] for row in reversed(rows) if is_row(row)), None)
            token = f"behind/{last}" if body["has_more"] and last is not None else None
            return ServiceResponse(200, self.page([self.row(row) if is_row(row) else row for row in rows], token))
        if not question.path.endswith("/cancel"):
            return ServiceResponse(200, self.job(body) if question.path else self.created(body))
        if body["id"] in self._cancelling and body["status"] == "cancelling":
            return self.refusal(Why.REFUSED, 400, f"The job {body['id']} is being cancelled.")
        if body["status"] == "cancelling":
            self._cancelling.add(body["id"])
        return ServiceResponse(200, self.accepted(body))


def is_row(row: object) -> bool:
    """Return whether a row of a list is a job, and not garbled."""
    return isinstance(row, dict) and "created_at" in row


def listing(token: str | None, limit: int) -> Mapping[str, str]:
    """Return the sandbox's query for a page that the service identifies by a token."""
    after = {} if token is None else {"after": token.removeprefix("behind/")}
    return {"limit": str(min(limit, LIMIT_MAX)), **after}


def moment(value: object, written: Callable[[datetime], object]) -> object:
    """Return a time in the service's format. A value that is not a time is not changed."""
    if type(value) is not int or not 0 < value < _TIME_MAX:
        return value
    return written(datetime.fromtimestamp(value, UTC))


def each_job(body: Json, change: Mapping[str, str], **fields: object) -> Json:
    """Return a job or a list of jobs with replaced status words and fields."""
    if body.get("object") == "list":
        rows = [each_job(row, change, **fields) if is_row(row) else row for row in body["data"]]
        return {**body, "data": rows}
    if "status" not in body:
        return body
    return {**body, **fields, "status": change.get(body["status"], body["status"])}


def complaint(status: int, **error: object) -> Response:
    """Return an error in the format of OpenAI and compatible services."""
    return JSONResponse({"error": error}, status)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` function that repeats the body that was read, and then continues."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
