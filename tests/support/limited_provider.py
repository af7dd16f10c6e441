"""A provider that allows a number of requests a second and throttles further requests, with or without a hint.

Rules: time is an argument. A throttled request uses no token, as in most token buckets. A hint is a header that tells
when to retry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

Answer = tuple[int, dict[str, str]]


class Hint(Enum):
    """How a provider reports its limit."""

    NEITHER = "neither"
    RETRY_AFTER = "Retry-After"
    HEADERS = "headers"


@dataclass(slots=True)
class LimitedProvider:
    """A token bucket for one second of requests. `served` and `refused` count the responses."""

    per_second: float
    hint: Hint = Hint.NEITHER
    served: int = 0
    refused: int = 0
    _used: float = 0.0
    """The number of used tokens of the bucket."""
    _at: float = 0.0

    @property
    def refused_part(self) -> float:
        """The fraction of the requests that were throttled."""
        return self.refused / max(1, self.served + self.refused)

    def answer(self, now: float) -> Answer:
        """Return the status and the headers for a request that arrives now."""
        self._used = max(0.0, self._used - (now - self._at) * self.per_second)
        self._at = now
        left = max(1.0, self.per_second) - self._used
        is_allowed = left >= 1
        if is_allowed:
            self._used += 1
            left -= 1
        self.served += is_allowed
        self.refused += not is_allowed
        wait_s = max(0.0, 1 - left) / self.per_second
        headers = {}
        if self.hint is Hint.RETRY_AFTER and not is_allowed:
            headers["retry-after"] = str(math.ceil(wait_s))
        if self.hint is Hint.HEADERS:
            headers["x-ratelimit-remaining-requests"] = str(int(left))
            headers["x-ratelimit-reset-requests"] = f"{math.ceil(wait_s * 1000)}ms"
        return (200 if is_allowed else 429), headers
