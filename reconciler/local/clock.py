"""The system clock. Only this module imports `time`; other modules get a `Clock` or use the event loop's."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def elapsed() -> float:
    """Return the time of a monotonic clock that also counts while the machine is suspended, if there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def cpu_s() -> float:
    """Return the CPU time that this thread has used, in seconds."""
    return time.thread_time()


class SystemClock:
    """The `Clock` of this machine."""

    def now(self) -> datetime:
        """Return the current time in UTC. Between two calls it may go back or jump, because the clock can be set."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the time of a monotonic clock, in seconds. Only differences are meaningful."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for the given number of seconds."""
        import asyncio  # noqa: PLC0415  slow to import, and commands that only read files do not sleep

        await asyncio.sleep(seconds)
