"""Read the times in an answer's headers: `Date` and `Retry-After`.

Rules: pure. An invalid value is None, and an excessive pause is cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRY_AFTER_MAX_S = 86_400.0
"""A longer pause is cut to a day, because it is more likely a mistake than a wish."""


def http_date(text: str | None) -> datetime | None:
    """Return the time of an HTTP date in UTC, or None for any other text."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def retry_after_s(headers: Mapping[str, str], at: datetime | None) -> float | None:
    """Return the pause that the provider requests, in seconds, or None.

    `retry-after-ms` wins over `retry-after`, as in the official OpenAI client. A date is relative to the answer's own
    `Date`, so that our clock does not matter. Without a `Date` it is ignored.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        seconds = milliseconds / 1000
    elif (number := _number(headers.get("retry-after"))) is not None:
        seconds = number
    elif at is not None and (until := http_date(headers.get("retry-after"))) is not None:
        seconds = (until - at).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
