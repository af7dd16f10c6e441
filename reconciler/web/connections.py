"""The connections of the health port: few at a time, each short-lived and for one request.

If `CONNECTIONS_MAX` connections are open, a new one is accepted and the oldest one is closed. Therefore a probe gets a
response, and a client that opens hundreds of connections cannot exhaust the file descriptors of the watch.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 32
ACCEPTED_AT_ONCE = 32
"""The backlog of the socket. uvicorn accepts the whole backlog at once, in addition to `CONNECTIONS_MAX`."""
LIFETIME_MAX_S = 15.0
"""The time limit for a request and its response, in seconds. It exceeds Prometheus's default scrape timeout, 10 s."""
HEAD_MAX = 16 * 1024
"""The maximum size of the headers of a request, in bytes."""


class BoundedConnection(H11Protocol):
    """A uvicorn connection that is closed after `LIFETIME_MAX_S`, or earlier if there are too many connections."""

    _made_at: float
    _timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, and close the oldest one if there are too many."""
        others = cast("set[BoundedConnection]", self.connections)
        live = [each for each in others if not each.transport.is_closing()]
        if len(live) >= CONNECTIONS_MAX:
            min(live, key=lambda each: each._made_at).transport.abort()  # noqa: SLF001  an instance of this class
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._made_at = loop.time()
        self._timer = loop.call_later(LIFETIME_MAX_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer that would close the connection."""
        self._timer.cancel()
        super().connection_lost(exc)
