"""The connections of the port: few at a time, each short-lived and for one request, and some for streams of events.

A new connection is always accepted, so that a probe gets a response. If `CONNECTIONS_MAX` are open, the oldest is
closed. Therefore, a client that opens hundreds of connections cannot exhaust the file descriptors of the watch.

Streams have a limit of their own. Therefore, open pages take no connection from probes, and a new connection never
closes the stream of a page. A connection becomes a stream once the application has accepted its request for events.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 32
"""The maximum number of open connections that are not streams."""
ACCEPTED_AT_ONCE = 32
"""The backlog of the socket. uvicorn accepts the whole backlog at once, in addition to `CONNECTIONS_MAX`."""
LIFETIME_MAX_S = 15.0
"""The time limit for a request and its response, in seconds. It exceeds Prometheus's default scrape timeout, 10 s."""
STREAMS_MAX = 16
"""The maximum number of open streams."""
STREAM_LIFETIME_MAX_S = 600.0
"""The time limit for a stream, in seconds. After it, the page opens another stream."""
HEAD_MAX = 16 * 1024
"""The maximum size of the headers of a request, in bytes."""
CONNECTION = "connection"
"""The key of the connection in the state of a request."""


class BoundedConnection(H11Protocol):
    """A uvicorn connection that is closed after its time limit, or earlier if there are too many connections."""

    _made_at: float
    _timer: asyncio.TimerHandle
    _is_stream = False

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, {**app_state, CONNECTION: self}, _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Accept the connection, and close the oldest one if there are too many."""
        live = [each for each in self._all() if each.is_open and not each._is_stream]  # noqa: SLF001  an instance of this class
        if len(live) >= CONNECTIONS_MAX:
            min(live, key=lambda each: each._made_at).transport.abort()  # noqa: SLF001  as above
        super().connection_made(transport)
        self._made_at = asyncio.get_running_loop().time()
        self._end_after(LIFETIME_MAX_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer that would close the connection."""
        self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection because the server stops: a stream at once, and a response once it is complete."""
        if self._is_stream:
            self.transport.close()
        super().shutdown()

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return not self.transport.is_closing()

    def become_stream(self) -> bool:
        """Extend the time limit to that of a stream. Return False instead if `STREAMS_MAX` streams are open."""
        if sum(each._is_stream for each in self._all()) >= STREAMS_MAX:  # noqa: SLF001  an instance of this class
            return False
        self._is_stream = True
        self._timer.cancel()
        self._end_after(STREAM_LIFETIME_MAX_S)
        return True

    def _all(self) -> set[BoundedConnection]:
        return cast("set[BoundedConnection]", self.connections)

    def _end_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)
