"""Read the times in a response's headers: `Date` and `Retry-After`.

Rules: the functions are pure. They return None for an invalid value, and limit a pause to `RETRY_AFTER_MAX_S`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

RETRY_AFTER_MAX_S = 86_400.0
"""The maximum pause: one day. A longer request is probably a mistake of the provider."""


def http_date(text: str | None) -> datetime | None:
    """Return the time of an HTTP date in UTC, or None for any other text."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  commands without a network need not import it

    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def retry_after_s(headers: Mapping[str, str], at: datetime | None) -> float | None:
    """Return the pause that the provider requests, in seconds, or None if no header requests one.

    `retry-after-ms` takes precedence over `retry-after`, as in the official OpenAI client. A date in `retry-after` is
    compared with the response's own `Date`, so that the local clock does not matter. If the response has no `Date`, a
    date in `retry-after` is ignored.

    Args:
        headers: the headers of the response, with lower-case names.
        at: the time in the response's `Date` header, or None.
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
