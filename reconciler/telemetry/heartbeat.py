"""Telling a watchdog elsewhere that a pass has ended: one GET, and whatever comes of it is no more than a log line.

Rules: that it is not heard is told once, and so is that it is heard again; it goes beside the loop and never before it:
while one is under way, none is added. Who knows the URL may use it at most watchdogs; only its host is logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from reconciler.errors import ProviderError
from reconciler.ports import Transport

WORD_MAX = 20
"""What is longer, or holds anything but letters, is no part of a path that a service names so, as `heartbeats` is."""


class Heartbeat:
    """A URL that is asked for after each pass, through a transport whose base is that URL."""

    def __init__(self, transport: Transport, complain: Callable[[str], None]) -> None:
        self._transport = transport
        self._complain = complain
        self._is_heard = True
        self._under_way: asyncio.Task[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether one has been sent and not been answered yet."""
        return self._under_way is not None and not self._under_way.done()

    def beat(self) -> None:
        """Tell it, soon."""
        if not self.is_under_way:
            self._under_way = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Abandon what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def _beat(self) -> None:
        problem = await self._ask()
        if problem is not None and self._is_heard:
            self._complain(f"the heartbeat was not heard: {problem}")
        if problem is None and not self._is_heard:
            self._complain("the heartbeat is heard again")
        self._is_heard = problem is None

    async def _ask(self) -> str | None:
        """Return why nobody heard, or None."""
        try:
            response = await self._transport.send("GET", "")
        except ProviderError as error:
            return str(error)
        return f"HTTP {response.status}" if response.status >= HTTPStatus.BAD_REQUEST else None


def check_url(url: str) -> None:
    """Raise ValueError where a URL has no scheme or host, or holds a user. The sentence does not repeat it."""
    msg = "a URL begins with http:// or https:// and a host, and holds no user and password"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        is_good = is_good and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(msg)


def secrets_of(url: str) -> list[str]:
    """Return the parts of a URL that nobody else should know: the path, and in it and in the query what is no word."""
    parts = urlsplit(url)
    values = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    return [parts.path, parts.query, *(each for each in values if not each.isalpha() or len(each) > WORD_MAX)]
