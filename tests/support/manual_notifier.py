"""A waker that a test rings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class ManualNotifier:
    """The `ChangeNotifier` of a test."""

    is_alive: bool = True
    drops_changes: bool = False
    """Whether what is rung meanwhile is lost."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Tell of a change."""
        if not self.drops_changes:
            self._changed.set()

    def recover(self) -> None:
        """Work from now on, as it should."""
        self.is_alive, self.drops_changes = True, False

    async def wait(self) -> None:
        """Return once it was rung."""
        await self._changed.wait()
        self._changed.clear()
