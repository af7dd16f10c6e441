"""A transport with canned responses, which records the requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler.ports import Response, Sign, Transport

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def answer(body: object, status: int = 200, **headers: Any) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers={}, body=data, at=AT, **headers)


def complaint(status: int, **error: object) -> Response:
    return answer({"error": error}, status)


@dataclass
class CannedTransport:
    """Returns the responses in order, and records each request. `headers` are those of the last request only."""

    answers: list[Response]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    bodies: list[object] = field(default_factory=list)
    concealed: set[str] = field(default_factory=set)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Response:
        """Record the request, and return the next response. Raises `IndexError` if none is left."""
        self.bodies.append(json)
        self.asked.append((method, path, dict(query or {})))
        signature = {} if sign is None else sign(method, f"https://canned.example{path}", b"")
        self.headers = {**(headers or {}), **signature}
        return self.answers.pop(0)

    def conceal(self, *secrets: str) -> None:
        """Record the secrets, and leave the responses as they are."""
        self.concealed.update(secrets)

    def to_app(self, app: object) -> Transport:
        """Raise `NotImplementedError`, because a canned transport has no application."""
        raise NotImplementedError(app)
