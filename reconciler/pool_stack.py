"""The connection pools of an account, each used for one request at a time.

A pool of httpcore examines each of its connections at the beginning and end of each request, so a pool with many
connections is slow. Here, each pool has at most one connection. The throttle limits how many are in use.

Times are those of the event loop.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

KEPT_S = 5.0
"""How long an unused pool keeps its connection, in seconds."""


class Closable(Protocol):
    """A connection pool."""

    def aclose(self) -> Awaitable[None]:
        """Close the connections of the pool."""
        ...


P = TypeVar("P", bound=Closable)


class PoolStack(Generic[P]):
    """The unused pools. The pool that was used last is used first, so that the others become old and are closed.

    Args:
        new_pool: creates a pool. It is called once by the constructor, so that settings that it refuses are found then.
    """

    def __init__(self, new_pool: Callable[[], P]) -> None:
        self._new_pool = new_pool
        self._unused: deque[tuple[float, P]] = deque([(-math.inf, new_pool())])
        """Each unused pool with the time of its last use. The times increase."""

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[P]:
        """Provide a pool for one request. After the request, the pool is kept for later requests."""
        clock = asyncio.get_running_loop().time
        pool = self._unused.pop()[1] if self._unused else self._new_pool()
        try:
            while self._unused and self._unused[0][0] < clock() - KEPT_S:
                await self._unused.popleft()[1].aclose()
            yield pool
        finally:
            self._unused.append((clock(), pool))

    async def aclose(self) -> None:
        """Close every unused pool."""
        while self._unused:
            await self._unused.pop()[1].aclose()
