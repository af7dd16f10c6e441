"""Telling a watchdog elsewhere that a pass has ended: one GET, and whatever comes of it is no more than a log line.

Rules: that it is not heard is told once, and so is that it is heard again; it goes beside the loop and never before it:
while one is under way, none is added.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from reconciler.errors import ProviderError
from reconciler.ports import Transport


class Heartbeat:
    """A URL that is asked for after each pass, through a transport whose base is the URL's origin."""

    def __init__(self, url: str, transport: Transport, complain: Callable[[str], None]) -> None:
        self._path = urlsplit(url).path or "/"
        self._query = dict(parse_qsl(urlsplit(url).query))
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
            response = await self._transport.send("GET", self._path, query=self._query)
        except ProviderError as error:
            return str(error)
        return f"HTTP {response.status}" if response.status >= HTTPStatus.BAD_REQUEST else None


def origin_of(url: str) -> str:
    """Return the scheme and host of a URL. Raises ValueError where it has none, or holds a user."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        msg = "a URL begins with http:// or https:// and a host"
        raise ValueError(msg)
    return f"{parts.scheme}://{parts.netloc}"
