"""Wakes the watch when something below the specs directory changes.

Rules: it says that, never what: Kubernetes swaps a whole volume by one symbolic link, editors write beside and rename,
and a snapshot by content sorts it out. What we write ourselves, below the status directory, wakes nobody. Where the
directory cannot be watched (it is gone, or there are no watches left) `is_alive` says so, and it is tried again; the
scan at every interval goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles import Change, awatch

STEP_MS = 5
"""How long it must be quiet before a change is told: this, and not the debounce, is the delay of one saved file."""
DEBOUNCE_MS = 50
"""How long a stream of changes may go on before it is told in part."""
AGAIN_S = 5.0


@dataclass(slots=True)
class FileWaker:
    """The `Waker` of a directory. Use `watching`, which runs it."""

    root: Path
    not_ours: Path
    is_alive: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Return after the next change, or at once after one that nobody has waited for yet."""
        await self._changed.wait()
        self._changed.clear()

    async def follow(self) -> None:
        """Watch for ever, and begin again where watching ended."""
        while True:
            with suppress(OSError, RuntimeError):  # watchfiles raises RuntimeError for what the system refuses
                await self._follow_once()
            self.is_alive = False
            await asyncio.sleep(AGAIN_S)

    async def _follow_once(self) -> None:
        watched = awatch(
            self.root,
            watch_filter=self._is_ours,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=1_000,
            yield_on_timeout=True,
            recursive=True,
        )
        async for changes in watched:
            self.is_alive = True
            if changes:
                self._changed.set()
            elif not await asyncio.to_thread(self.root.is_dir):
                return

    def _is_ours(self, _: Change, path: str) -> bool:
        return not Path(path).is_relative_to(self.not_ours)


@asynccontextmanager
async def watching(root: Path, not_ours: Path) -> AsyncIterator[FileWaker]:
    """Watch a directory while the body runs; both paths are resolved."""
    waker = FileWaker(root, not_ours)
    async with running(waker.follow()):
        yield waker


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let some work go on while the body runs, and end it with the body."""
    going_on = asyncio.create_task(work)
    try:
        yield
    finally:
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
