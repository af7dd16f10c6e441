"""Notify the watch when a file of a checkout changes, and when the checkout can be acted on again.

A slow Git command or a merge may end without changing a spec. Without this module, the watch would then act on the
specs only at its next interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reconciler.git.checked_out_specs import CheckedOutSpecs
from reconciler.local.file_watcher import FileWatcher, running, watching

STEP_S = 0.5


@asynccontextmanager
async def watching_checkout(specs: CheckedOutSpecs, root: Path, ignored: Path) -> AsyncIterator[FileWatcher]:
    """Watch a directory of a checkout, except `ignored`, while the body runs, and yield the watcher.

    The watcher is also notified when `specs` were not acted on and may be acted on again. Both paths must be resolved.
    """
    async with watching(root, ignored) as watcher, running(_follow(specs, watcher)):
        yield watcher


async def _follow(specs: CheckedOutSpecs, watcher: FileWatcher) -> None:
    while True:
        await asyncio.sleep(STEP_S)
        if await asyncio.to_thread(specs.has_settled):
            watcher.notify()
