"""The request rate of an account, and what limits it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LimitedBy(StrEnum):
    """What limits the request rate of an account."""

    NOTHING = "nothing"
    """The rate rises as soon as requests have to wait for it."""
    CEILING = "ceiling"
    """The `rateLimit` of the Provider document, or a fixed maximum in the code."""
    THROTTLING = "throttling"
    """The provider throttled requests at a higher rate."""
    HEADERS = "headers"
    """The provider's rate-limit headers, or a pause that it requested with `Retry-After`."""


@dataclass(frozen=True, slots=True)
class RequestRate:
    """The request rate of an account at one point in time."""

    per_second: float
    limited_by: LimitedBy
    ceiling: float | None = None
    """The maximum that the Provider document or the code sets, per second; None if there is none."""
    blocked_s: float = 0.0
    """How much longer no request is sent, in seconds, because the circuit is open or the provider requested a pause."""
    is_waiting: bool = False
    """Whether a request waits for its turn, because of the rate or of a short pause."""
