"""The system's clock: the only place that reads it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The `Clock` of the real world."""

    def now(self) -> datetime:
        """Return this moment, aware, in UTC. It may jump: the system's clock can be set."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only grow, from an arbitrary beginning."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that long."""
        await asyncio.sleep(seconds)
