"""A waker that a test rings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bell:
    """The `Waker` of a test."""

    is_alive: bool = True
    _rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Tell of a change."""
        self._rung.set()

    async def wait(self) -> None:
        """Return once it was rung."""
        await self._rung.wait()
        self._rung.clear()
