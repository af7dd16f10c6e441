"""Collect garbage in a process that runs for ever, so that its memory does not rise for hours.

Objects that refer to each other, such as a closed connection and its protocol, are only freed by a search of the
garbage collector. The collector searches by itself after many new objects (`cli.NEW_OBJECTS`). A watch creates few
objects that live on, so it would rarely search, and its memory would rise until then.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reconciler.local.clock import cpu_s

EVERY_S = 60.0
"""The shortest time between two collections, in seconds."""
SHARE = 0.01
"""The largest share of the time that collections may take. A process with many objects collects less often."""


def rest_s(took_s: float, every_s: float = EVERY_S) -> float:
    """Return the number of seconds until the next collection, if the last one took `took_s` seconds of CPU time."""
    return max(every_s, took_s / SHARE)


@asynccontextmanager
async def garbage_collected(every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Collect garbage at intervals until the body ends. A collection blocks the event loop."""
    collecting = asyncio.ensure_future(_collect(every_s))
    try:
        yield
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)


async def _collect(every_s: float) -> None:
    took_s = 0.0
    while True:
        await asyncio.sleep(rest_s(took_s, every_s))
        begun = cpu_s()  # so that other processes do not make collections rarer
        gc.collect()
        took_s = cpu_s() - begun
