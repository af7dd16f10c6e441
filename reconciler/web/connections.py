"""Connections of the health port: few at a time, each for a short while and one request.

Rules: a new connection is always taken, so that a probe is answered; where there are too many, the oldest ends for it.
So a stranger who opens hundreds of them takes no descriptor that the watch needs, and keeps no probe out.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MAX = 32
ACCEPTED_AT_ONCE = 32
"""Of those that wait in the kernel: for one turn of the event loop they are descriptors beyond the number above."""
LASTS_AT_MOST_S = 15.0
"""For the request's head and body, and the answer: more than the 10 s after which Prometheus gives up."""
HEAD_MAX = 16 * 1024
"""Bytes of a request's head."""


class BoundedConnection(H11Protocol):
    """One connection of uvicorn's own protocol, with an end."""

    _made_at: float
    _timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take the connection, in the place of the oldest one if there are too many."""
        others = cast("set[BoundedConnection]", self.connections)
        live = [each for each in others if not each.transport.is_closing()]
        if len(live) >= CONNECTIONS_MAX:
            min(live, key=lambda each: each._made_at).transport.abort()  # noqa: SLF001  of its own kind
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._made_at = loop.time()
        self._timer = loop.call_later(LASTS_AT_MOST_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._timer.cancel()
        super().connection_lost(exc)
