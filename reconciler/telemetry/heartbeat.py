"""Heartbeat: a GET request to an external watchdog service after a pass.

Rules:

- A failed heartbeat is only logged: once when heartbeats begin to fail, and once when they work again.
- A heartbeat is sent in a separate task. While one is in progress, no other is sent.
- Most watchdog services treat the URL as a secret, so only its host is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from reconciler.errors import ProviderError
from reconciler.ports import Transport

WORD_MAX = 20
"""The maximum number of letters in a part of a URL that is not redacted, such as `heartbeats`."""


class Heartbeat:
    """A sender of heartbeats, through a transport whose base URL is the URL of the watchdog.

    `warn` logs a message: when heartbeats begin to fail, and when they work again.
    """

    def __init__(self, transport: Transport, warn: Callable[[str], None]) -> None:
        self._transport = transport
        self._warn = warn
        self._is_received = True
        self._request: asyncio.Task[None] | None = None

    @property
    def is_sending(self) -> bool:
        """Whether a heartbeat is in progress."""
        return self._request is not None and not self._request.done()

    def send(self) -> None:
        """Start sending a heartbeat in a task, unless one is in progress."""
        if not self.is_sending:
            self._request = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """Cancel the heartbeat in progress, if any."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.gather(self._request, return_exceptions=True)

    async def _send(self) -> None:
        problem = await self._problem_of_request()
        if problem is not None and self._is_received:
            self._warn(f"the heartbeat to --heartbeat-url failed: {problem}")
        if problem is None and not self._is_received:
            self._warn("heartbeats are received again")
        self._is_received = problem is None

    async def _problem_of_request(self) -> str | None:
        """Send the request, and return why it failed, or None if it succeeded."""
        try:
            response = await self._transport.send("GET", "")
        except ProviderError as error:
            return str(error)
        return f"HTTP {response.status}" if response.status >= HTTPStatus.BAD_REQUEST else None


def check_url(url: str) -> None:
    """Raise `ValueError` if a URL cannot be used for heartbeats. The message does not contain the URL."""
    msg = "it must start with http:// or https:// and a host, and must not contain a user or password"
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        is_valid = is_valid and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(msg)


def secrets_of(url: str) -> list[str]:
    """Return the parts of a URL to redact: its path, its query, and each part of these that is not a short word."""
    parts = urlsplit(url)
    values = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    return [parts.path, parts.query, *(each for each in values if not each.isalpha() or len(each) > WORD_MAX)]
