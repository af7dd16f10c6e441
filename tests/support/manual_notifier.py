"""A change notifier that a test triggers by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class ManualNotifier:
    """A `ChangeNotifier` without files: `notify` reports a change."""

    is_alive: bool = True
    drops_changes: bool = False
    """Whether reported changes are dropped."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Report a change to the watch."""
        if not self.drops_changes:
            self._changed.set()

    def recover(self) -> None:
        """Report changes again, after they were dropped."""
        self.is_alive, self.drops_changes = True, False

    async def wait(self) -> None:
        """Return once a change was reported."""
        await self._changed.wait()
        self._changed.clear()
