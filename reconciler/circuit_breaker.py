"""The pauses and the circuit breaker of one credential at one host.

Rules: a pause that the provider requested is never shortened. After `FAILURES_MAX` failed requests in a row the circuit
opens. The pause grows until a probe request succeeds.

Times are those of the event loop.
"""

from __future__ import annotations

import asyncio
import math

FAILURES_MAX = 5
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 900.0
"""Bounds of the pause while the circuit is open, in seconds. It doubles with each failed probe."""


class CircuitBreaker:
    """The pauses and the circuit breaker of a credential at a host, shared by the throttles of its accounts.

    The circuit opens after `FAILURES_MAX` failures in a row. It is then half open until one request succeeds.
    """

    def __init__(self) -> None:
        self.paused_until = -math.inf
        """The end of the pause that the provider requested."""
        self.openings = 0
        """How often the circuit opened since the last success."""
        self.opening = 0
        """The number of the last opening of the circuit."""
        self.last_error = ""
        """The message of the last failure, if it is known."""
        self._failures = 0
        self._opens_until = -math.inf

    def pause_for(self, seconds: float) -> None:
        """Send no request for this long. A shorter pause never shortens a longer one."""
        self.paused_until = max(self.paused_until, asyncio.get_running_loop().time() + seconds)

    def remaining_s(self, now: float) -> float:
        """Return how long the circuit stays open, in seconds."""
        return max(0.0, self._opens_until - now) if self.openings else 0.0

    def end(self, now: float, *, succeeded: bool, error: str) -> None:
        """Record the outcome of a request."""
        self.last_error = error or self.last_error
        if succeeded:
            self._failures = self.openings = 0
            return
        self._failures += 1
        if self.openings or self._failures >= FAILURES_MAX:
            if now < self._opens_until:
                return  # the request was sent before the circuit opened
            self._opens_until = now + min(PAUSE_FIRST_S * (1 << min(self.openings, 30)), PAUSE_MAX_S)
            self.openings += 1
            self.opening += 1
