"""Poll the branch of a Git remote, and notify the watch when the branch moves.

Rules: Git runs outside the event loop. The watch is also notified when the remote becomes unreachable, or reachable
again.
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
    """A `ChangeNotifier` that polls a remote every `every_s` seconds."""

    specs: RemoteSpecs
    every_s: float
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _follower: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether polling continues. It continues while the remote is unreachable."""
        return self._follower is not None and not self._follower.done()

    async def wait(self) -> None:
        """Return once the branch has moved, or the remote has become unreachable or reachable again.

        The changed paths are not known.
        """
        await self._changed.wait()
        self._changed.clear()

    async def follow(self) -> None:
        """Poll the remote every `every_s` seconds, until cancelled."""
        self._follower = asyncio.current_task()
        seen = self._state()
        while True:
            await asyncio.sleep(self.every_s)
            await asyncio.to_thread(self.specs.poll)
            # Compared with the last state that was seen here, because a publication of statuses polls too.
            if (now := self._state()) != seen:
                seen = now
                self._changed.set()

    def _state(self) -> tuple[str | None, bool]:
        return self.specs.head, self.specs.unreachable is None


@asynccontextmanager
async def polling(specs: RemoteSpecs, every_s: float) -> AsyncIterator[RemotePoller]:
    """Poll the remote every `every_s` seconds while the body runs."""
    poller = RemotePoller(specs, every_s)
    async with running(poller.follow()):
        yield poller
