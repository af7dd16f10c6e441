"""Notify the watch when a file below the specs directory changes.

Rules:

- A notification names the changed paths, if they are known. It may miss some, because Kubernetes replaces a whole
  volume by changing one symbolic link. The next snapshot finds every change.
- A notification is also sent when watching starts, because earlier changes are unknown.
- Changes below the status directory, which reconcile itself writes to, cause no notification.
- If the directory cannot be watched (it does not exist, or the system's limit on watches is reached), `is_alive` is
  False and watching is retried every `RETRY_S`. Meanwhile, the watch still reads all files once per interval.
- If the system does not report changes (network mounts, some bind mounts), an operator enables polling with the
  environment variables of watchfiles. This module polls by itself, because watchfiles compares times in whole seconds
  and so misses the second of two saves within one second.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from watchfiles import Change, awatch

from reconciler.local.disk import LocalDisk
from reconciler.local.specs_walk import stamps

STEP_MS = 5
"""A notification is sent once no file has changed for this many milliseconds: the typical delay after a save."""
DEBOUNCE_MS = 50
"""A notification is sent this many milliseconds after a change at the latest, even if files continue to change."""
RETRY_S = 5.0
"""The delay before watching is retried, in seconds."""
POLL_MS = 300
POLL_SHARE = 20
"""The pause is at least this many times as long as the poll itself, so a slow directory is polled less often."""


@dataclass(slots=True)
class FileWatcher:
    """The `ChangeNotifier` for a directory, except for `ignored`. Create it with `watching`, which also runs it."""

    root: Path
    ignored: Path
    poll_s: float | None = None
    """The pause between two polls, in seconds; None if the system reports changes."""
    is_alive: bool = False
    """Whether the directory is being watched. False before watching begins, and while it fails."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _paths: frozenset[str] | None = frozenset()
    """The paths that have changed since the last wait, relative to the root; None if they are not known."""

    async def wait(self) -> frozenset[str] | None:
        """Return after the next change, or at once if there has been a change since the last wait.

        The result contains the changed paths, relative to the root, or is None if they are not known.
        """
        await self._changed.wait()
        self._changed.clear()
        paths, self._paths = self._paths, frozenset()
        return paths

    def notify(self) -> None:
        """Notify the watch, as if any file had changed."""
        self._paths = None
        self._changed.set()

    async def follow(self) -> None:
        """Watch until cancelled. If watching fails, retry."""
        while True:
            with suppress(OSError, RuntimeError):  # watchfiles raises RuntimeError for a system error
                await (self._watch_native() if self.poll_s is None else self._poll(self.poll_s))
            self.is_alive = False
            await asyncio.sleep(RETRY_S)

    async def _poll(self, pause_s: float) -> None:
        clock, before = asyncio.get_running_loop().time, None
        while await asyncio.to_thread(self.root.is_dir):
            started = clock()
            found = await asyncio.to_thread(stamps, LocalDisk(self.root), self.root, self.ignored)
            if found != before:
                self.notify()
            before, self.is_alive = found, True
            await asyncio.sleep(max(pause_s, POLL_SHARE * (clock() - started)))

    async def _watch_native(self) -> None:
        watched = awatch(
            self.root,
            watch_filter=self._is_relevant,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=1_000,
            yield_on_timeout=True,
            recursive=True,
            force_polling=False,
        )
        async for changes in watched:
            is_first, self.is_alive = not self.is_alive, True
            if is_first:
                self.notify()
            elif changes:
                self._notify_of(path for _, path in changes)
            elif not await asyncio.to_thread(self.root.is_dir):
                return

    def _notify_of(self, paths: Iterable[str]) -> None:
        if self._paths is not None:
            self._paths |= {path.removeprefix(f"{self.root}{os.sep}") for path in paths}
        self._changed.set()

    def _is_relevant(self, _: Change, path: str) -> bool:
        return not Path(path).is_relative_to(self.ignored)


@asynccontextmanager
async def watching(root: Path, ignored: Path) -> AsyncIterator[FileWatcher]:
    """Watch a directory while the body runs. Changes below `ignored` are not reported. Both paths must be resolved."""
    watcher = FileWatcher(root, ignored, _poll_s(os.environ, platform.release()))
    async with running(watcher.follow()):
        yield watcher


def _poll_s(environ: Mapping[str, str], release: str) -> float | None:
    """Return the pause between two polls in seconds, or None if polling is off.

    As in watchfiles, two variables in `environ` decide. Without them, polling is on if `release` is a kernel of WSL.
    """
    forced, delay = environ.get("WATCHFILES_FORCE_POLLING"), environ.get("WATCHFILES_POLL_DELAY_MS", "")
    is_wanted = forced.lower() not in {"false", "disable", "disabled"} if forced else "microsoft-standard" in release
    return (int(delay) if delay.isdecimal() else POLL_MS) / 1000 if is_wanted else None


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run a coroutine beside the body, and cancel it when the body ends. An exception that it raises is ignored."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
