"""A receiver of notifications on a loopback socket. It records each request, and responds as a test determines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconciler.testing import served

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  not a secret of anything real
"""A signing key, from the examples of Standard Webhooks."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The idempotency key of a signed webhook."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Receiver:
    """The receiver. `status`, `text` and `headers` are what its next responses contain."""

    url: str = ""
    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def once(self) -> dict[str, Any]:
        """Return the content of each signed webhook by its id, as a receiver that remembers ids keeps them."""
        return {each.id: each.content for each in self.received}

    def at(self, path: str) -> list[Received]:
        """Return the requests that arrived at a path, in order."""
        return [each for each in self.received if each.path == path]

    def types(self) -> list[str]:
        """Return the type of each signed webhook, in the order in which their ids first arrived."""
        return [each["type"] for each in self.once().values()]

    async def receive(self, request: Request) -> Response:
        """Record a request, and respond."""
        body = await request.body()
        self.received.append(Received(request.url.path, dict(request.headers), body))
        return Response(self.text, self.status, self.headers)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a receiver while the body runs."""
    receiver = Receiver()
    with served(Starlette(routes=[Route("/{path:path}", receiver.receive, methods=["POST"])])) as url:
        receiver.url = url
        yield receiver
