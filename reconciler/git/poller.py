"""Asking a Git remote again and again where its branch is, which is how a watch of a remote wakes.

Rules: it asks off the event loop; that the remote does not answer is a piece of news like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reconciler.git.remote import RemoteSpecs
from reconciler.local.file_watcher import running


@dataclass(slots=True)
class RemotePoller:
    """The `ChangeNotifier` of a remote: asks it every few seconds."""

    specs: RemoteSpecs
    every_s: float
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _follower: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the remote is asked at all; that it does not answer is no fault of the watch."""
        return self._follower is not None and not self._follower.done()

    async def wait(self) -> None:
        """Return after the branch has moved, or the remote has gone away or come back."""
        await self._changed.wait()
        self._changed.clear()

    async def follow(self) -> None:
        """Ask for ever."""
        self._follower = asyncio.current_task()
        while True:
            await asyncio.sleep(self.every_s)
            was_away = self.specs.away
            if await asyncio.to_thread(self.specs.poll) or (was_away is None) != (self.specs.away is None):
                self._changed.set()


@asynccontextmanager
async def polling(specs: RemoteSpecs, every_s: float) -> AsyncIterator[RemotePoller]:
    """Ask the remote every few seconds while the body runs."""
    poller = RemotePoller(specs, every_s)
    async with running(poller.follow()):
        yield poller
