"""The pauses and the circuit breaker of one credential at one host.

Rules: a later, shorter pause does not shorten a pause that the provider requested. After `FAILURES_MAX` failed requests
in a row the circuit opens. Each failed probe doubles the time for which the circuit stays open, up to `PAUSE_MAX_S`.
The first success closes the circuit.

Times are those of the event loop.
"""

from __future__ import annotations

import asyncio
import math

FAILURES_MAX = 5
"""The number of failed requests in a row that opens the circuit."""
PAUSE_FIRST_S = 1.0
"""How long the circuit first stays open, in seconds. Each failed probe doubles this time."""
PAUSE_MAX_S = 900.0
"""The maximum time that the circuit stays open before the next probe, in seconds."""


class CircuitBreaker:
    """The pauses and the circuit breaker of a credential at a host, shared by the throttles of its accounts.

    When the open time is over, the circuit is half open: a success closes it, and another failure opens it again. With
    `failures_max` None, the circuit never opens.
    """

    def __init__(self, failures_max: int | None = FAILURES_MAX) -> None:
        self._failures_max = math.inf if failures_max is None else failures_max
        self.paused_until = -math.inf
        """When the pause that the provider requested ends; minus infinity if it has never requested one."""
        self.openings = 0
        """How often the circuit has opened since the last success."""
        self.opening = 0
        """The serial number of the latest opening. It is never reset."""
        self.last_error = ""
        """The message of the last failure, or an empty string if it is not known."""
        self._failures = 0
        self._opens_until = -math.inf

    def pause_for(self, seconds: float) -> None:
        """Stop sending requests for this long, or until an earlier pause ends if that is later."""
        self.paused_until = max(self.paused_until, asyncio.get_running_loop().time() + seconds)

    def remaining_s(self, now: float) -> float:
        """Return how much longer the circuit stays open, in seconds, or 0 if it is closed or half open."""
        return max(0.0, self._opens_until - now) if self.openings else 0.0

    def end(self, now: float, *, succeeded: bool, error: str) -> None:
        """Record the outcome of a request. A success closes the circuit. A failure may open it or keep it open longer.

        `error` is the message of a failure, or an empty string.
        """
        self.last_error = error or self.last_error
        if succeeded:
            self._failures = self.openings = 0
            return
        self._failures += 1
        if self.openings or self._failures >= self._failures_max:
            if now < self._opens_until:
                return  # not a probe: sent before the circuit opened, or by an account that it does not block
            self._opens_until = now + min(PAUSE_FIRST_S * (1 << min(self.openings, 30)), PAUSE_MAX_S)
            self.openings += 1
            self.opening += 1
