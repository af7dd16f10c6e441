"""A waker that a test rings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bell:
    """The `ChangeNotifier` of a test."""

    is_alive: bool = True
    is_deaf: bool = False
    """Whether what is rung meanwhile is lost."""
    _rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Tell of a change."""
        if not self.is_deaf:
            self._rung.set()

    def hear(self) -> None:
        """Work from now on, as it should."""
        self.is_alive, self.is_deaf = True, False

    async def wait(self) -> None:
        """Return once it was rung."""
        await self._rung.wait()
        self._rung.clear()
