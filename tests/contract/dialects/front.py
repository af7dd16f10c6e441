"""What turns the sandbox's OpenAI API into that of another service: it reads the request, and rewords the answer."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.sandbox.answers import ConnectionReset, Reset
from reconciler.testing.disturbed import Answer, answer_of

Json = dict[str, Any]
JOBS = "/fine_tuning/jobs"
INSIDE = f"/v1{JOBS}"


class Front(ABC):
    """An ASGI application before the sandbox's, whose key it knows."""

    def __init__(self, api: ASGIApp, secret: str) -> None:
        self._api = api
        self._secret = secret

    @abstractmethod
    def pass_on(self, request: Request, body: bytes) -> str | Response:
        """Return the path below the jobs' own that the sandbox is asked, or the refusal."""

    @abstractmethod
    def reword(self, status: int, body: Json, request: Request) -> tuple[int, Json]:
        """Return status and body as this service gives them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a broken connection inside is one outside."""
        request = Request(scope, receive)
        body = await request.body()
        path = self.pass_on(request, body)
        if isinstance(path, Response):
            await path(scope, receive, send)
            return
        try:
            answer = await answer_of(self._api, self._inside(scope, path), _again(body, receive))
        except ConnectionReset:
            await Reset()(scope, receive, send)
            raise
        await self._reworded(answer, request).send(send)

    def _inside(self, scope: Scope, path: str) -> Scope:
        key = (b"authorization", f"Bearer {self._secret}".encode())
        headers = [each for each in scope["headers"] if each[0] != b"authorization"]
        return {**scope, "path": INSIDE + path, "raw_path": (INSIDE + path).encode(), "headers": [*headers, key]}

    def _reworded(self, answer: Answer, request: Request) -> Answer:
        try:
            body = json.loads(answer.body)
        except ValueError:
            return answer  # half an answer, or a page of something in between
        status, reworded = self.reword(answer.status, body, request)
        return replace(answer, status=status, body=json.dumps(reworded).encode())


def each_job(body: Json, change: Mapping[str, str], **fields: object) -> Json:
    """Return a job, or a list of jobs, with other words for its status and other fields."""
    if body.get("object") == "list":
        return {**body, "data": [each_job(row, change, **fields) for row in body["data"]]}
    if "status" not in body:
        return body
    return {**body, **fields, "status": change.get(body["status"], body["status"])}


def complaint(status: int, **error: object) -> Response:
    """Return an error in the family's envelope."""
    return JSONResponse({"error": error}, status)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that has been read, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received
