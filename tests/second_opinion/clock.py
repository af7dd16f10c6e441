"""The time of a run, which can be faster than real time and can be advanced.

The world uses it directly. Each command uses it through `warp/sitecustomize.py` and an environment variable. A run can
thus cover an hour of the guard and a day of a limit in seconds.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

WARP = Path(__file__).with_name("warp")


class Clock:
    """Seconds since 1970 in the time of the run: `speed` times as fast as real time, plus the skipped seconds."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._real = time.time()
        self._base = self._real

    def now(self) -> float:
        """Return the time of the run, in seconds since 1970."""
        return self._base + (time.time() - self._real) * self.speed

    def skip(self, seconds: float) -> None:
        """Advance the time at once. Running commands do not notice it."""
        self._base += seconds

    def policy(self, off: float) -> dict[str, str]:
        """Return the variables with which a command uses this clock, with the given error in seconds."""
        return {"PYTHONPATH": str(WARP), "SECOND_OPINION_CLOCK": f"{self._real!r} {self._base + off!r} {self.speed!r}"}


def utc(moment: float) -> str:
    """Return `moment` as documents write it, such as 2026-12-01T00:00:00Z."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """Return the seconds since 1970 of a time as documents and statuses write it."""
    return datetime.fromisoformat(text).timestamp()
