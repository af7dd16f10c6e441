"""How fast an account is sent requests, and what limits that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LimitedBy(StrEnum):
    """What limits the request rate of an account."""

    NOTHING = "nothing"
    """The rate rises as soon as more requests wait."""
    CEILING = "ceiling"
    """The `rateLimit` of the Provider document, or a rate that the program sets."""
    THROTTLING = "throttling"
    """The provider throttled requests at a higher rate."""
    HEADERS = "headers"
    """The provider's rate-limit headers, or a pause that it requested with `Retry-After`."""


@dataclass(frozen=True, slots=True)
class RequestRate:
    """The request rate of an account at a moment."""

    per_second: float
    limited_by: LimitedBy
