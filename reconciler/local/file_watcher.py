"""Wakes the watch when something below the specs directory changes.

Rules: it says that, never what: Kubernetes swaps a whole volume by one symbolic link, editors write beside and rename,
and a snapshot sorts it out. It says so when it begins to watch, too, for nobody knows what changed before. What we
write ourselves, below the status directory, wakes nobody. Where the directory cannot be watched (it is gone, or there
are no watches left) `is_alive` says so, and it is tried again; the scan at every interval goes on meanwhile. Where the
system tells nothing (a network mount, some bind mounts), the variables of watchfiles ask for polling; it is done here,
because that of watchfiles compares whole seconds, and so misses the second of two quick saves.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles import Change, awatch

from reconciler.local.disk import LocalDisk
from reconciler.local.specs_walk import stamps

STEP_MS = 5
"""How long it must be quiet before a change is told: this, and not the debounce, is the delay of one saved file."""
DEBOUNCE_MS = 50
"""How long a stream of changes may go on before it is told in part."""
AGAIN_S = 5.0
POLL_MS = 300
POLL_SHARE = 20
"""A directory that takes long to read is polled less often: at most a twentieth of the time is spent on it."""


@dataclass(slots=True)
class FileWatcher:
    """The `ChangeNotifier` of a directory. Use `watching`, which runs it."""

    root: Path
    not_ours: Path
    poll_s: float | None = None
    """How long to rest between two looks; None lets the system tell."""
    is_alive: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Return after the next change, or at once after one that nobody has waited for yet."""
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """Let whoever waits go on, though no file has changed."""
        self._changed.set()

    async def follow(self) -> None:
        """Watch for ever, and begin again where watching ended."""
        while True:
            with suppress(OSError, RuntimeError):  # watchfiles raises RuntimeError for what the system refuses
                await (self._be_told() if self.poll_s is None else self._poll(self.poll_s))
            self.is_alive = False
            await asyncio.sleep(AGAIN_S)

    async def _poll(self, rest_s: float) -> None:
        clock, before = asyncio.get_running_loop().time, None
        while await asyncio.to_thread(self.root.is_dir):
            begun = clock()
            found = await asyncio.to_thread(stamps, LocalDisk(self.root), self.root, self.not_ours)
            if found != before:
                self._changed.set()
            before, self.is_alive = found, True
            await asyncio.sleep(max(rest_s, POLL_SHARE * (clock() - begun)))

    async def _be_told(self) -> None:
        watched = awatch(
            self.root,
            watch_filter=self._is_ours,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=1_000,
            yield_on_timeout=True,
            recursive=True,
            force_polling=False,
        )
        async for changes in watched:
            is_first, self.is_alive = not self.is_alive, True
            if changes or is_first:
                self._changed.set()
            elif not await asyncio.to_thread(self.root.is_dir):
                return

    def _is_ours(self, _: Change, path: str) -> bool:
        return not Path(path).is_relative_to(self.not_ours)


@asynccontextmanager
async def watching(root: Path, not_ours: Path) -> AsyncIterator[FileWatcher]:
    """Watch a directory while the body runs; both paths are resolved."""
    waker = FileWatcher(root, not_ours, _poll_s(os.environ, platform.release()))
    async with running(waker.follow()):
        yield waker


def _poll_s(environ: Mapping[str, str], release: str) -> float | None:
    """Return how often to poll, if at all, as watchfiles would."""
    forced, delay = environ.get("WATCHFILES_FORCE_POLLING"), environ.get("WATCHFILES_POLL_DELAY_MS", "")
    is_wanted = forced.lower() not in {"false", "disable", "disabled"} if forced else "microsoft-standard" in release
    return (int(delay) if delay.isdecimal() else POLL_MS) / 1000 if is_wanted else None


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let some work go on while the body runs, and end it with the body."""
    going_on = asyncio.create_task(work)
    try:
        yield
    finally:
        going_on.cancel()
        await asyncio.gather(going_on, return_exceptions=True)
