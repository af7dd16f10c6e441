"""A change notifier that a test triggers by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class ManualNotifier:
    """A `ChangeNotifier` without files: `notify` reports a change."""

    is_alive: bool = True
    drops_changes: bool = False
    """Whether reported changes are dropped."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _paths: frozenset[str] | None = frozenset()

    def notify(self, paths: Iterable[str] | None = None) -> None:
        """Report a change of these paths to the watch. None means that the paths are not known."""
        if not self.drops_changes:
            self._paths = None if paths is None or self._paths is None else self._paths.union(paths)
            self._changed.set()

    def recover(self) -> None:
        """Report changes again, after they were dropped."""
        self.is_alive, self.drops_changes = True, False

    async def wait(self) -> frozenset[str] | None:
        """Return the changed paths once a change was reported, or None if the paths are not known."""
        await self._changed.wait()
        self._changed.clear()
        paths, self._paths = self._paths, frozenset()
        return paths
