"""A clock that a test advances: wall time is a base plus the running loop's time, so one virtual loop advances both.

Use it under `looptime`, where a sleep takes no real time. Outside a running loop, `now` returns the base.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import looptime

BASE = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class VirtualClock:
    """The `Clock` of a test, in the time of the running loop."""

    def __init__(self, base: datetime = BASE) -> None:
        self.base = base

    def now(self) -> datetime:
        """Return the base plus the time that has passed in the running loop."""
        return self.base + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the running loop's time in seconds, or 0 outside of a running loop."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for this long in the loop's time."""
        await asyncio.sleep(seconds)


def in_virtual_time(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time, in which a sleep takes no real time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())
