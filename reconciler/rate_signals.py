"""Parse what a response says about the request rate.

The result is whether the request was throttled, and how many further requests are allowed at present.

Rules: the functions are pure. A header that cannot be parsed is ignored.

Sources: the headers `ratelimit`, `ratelimit-policy`, `ratelimit-remaining` and `ratelimit-reset` of the IETF drafts
draft-ietf-httpapi-ratelimit-headers-03 to -10; `x-ratelimit-*-requests` of OpenAI and Azure; `anthropic-ratelimit-*`;
botocore 1.44.5 `retries/standard.py` for the codes of AWS; google-genai 3.4.0 `errors.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from reconciler.time_headers import RETRY_AFTER_MAX_S

RESET_PAUSE_MAX_S = 60.0
"""The maximum pause if a response says that no request is left in the window, but the request was not throttled."""
OVERLOADED = 529
"""The HTTP status with which Anthropic and other providers report that they are overloaded."""
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""The error codes that AWS returns for a throttled request, mostly with HTTP status 400."""
OUT_OF_CREDIT = re.compile(r"insufficient_quota|credit_balance_exhausted|\w*_(spend|usage)_limit_exceeded")
"""Error codes of a 429 response that reports exhausted credit instead of throttling.

Source: learn.microsoft.com, dev-proxy, "openai-insufficient-quota".
"""
_RATE_WORDS = re.compile(
    rb"overload|slow.?down|throttl|rate.?limit|too many requests|resource.?exhausted|server.{0,4}busy|at capacity",
    re.IGNORECASE,
)
_GOOGLE_WORDS = re.compile(rb'"(RESOURCE_EXHAUSTED|(user)?RateLimitExceeded)"', re.IGNORECASE)
_SEARCHED = 4096
"""How many bytes at the beginning of a body are searched for words."""

_FAMILIES = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
)
# The number of digits is limited, so that a header of many digits is parsed in linear time.
_PARTS = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[hms])")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PARAMETER = re.compile(r"(?:^|[;,\s])(r|t|q|w|remaining|reset|limit)=([0-9]{1,12}(?:\.[0-9]{1,9})?)(?![0-9.])")
_EPOCH_FROM = 1e9
"""A number of seconds that is at least this large is a Unix time, not a duration."""


@dataclass(frozen=True, slots=True)
class RateSignal:
    """What one response says about the request rate."""

    is_throttled: bool = False
    """Whether the provider throttled the request."""
    remaining: int | None = None
    """How many requests are left in the current window, or None if the response does not say."""
    reset_s: float | None = None
    """How soon the current window ends, in seconds, or None if the response does not say."""
    allowed_per_second: float | None = None
    """The request rate that the response allows, or None if it does not say."""

    @property
    def pause_s(self) -> float | None:
        """How long to send no request, because none is left in the current window; None if that is not known."""
        if self.remaining != 0 or self.reset_s is None:
            return None
        return self.reset_s if self.is_throttled else min(self.reset_s, RESET_PAUSE_MAX_S)


def rate_signal(status: int, headers: Mapping[str, str], body: bytes, at: datetime | None) -> RateSignal:
    """Return what a response says about the request rate.

    Args:
        status: the HTTP status.
        headers: the headers, with lower-case names.
        body: the body.
        at: the time in the `Date` header, or None.
    """
    throttled = is_throttled(status, headers, body)
    windows = [*_windows(headers, at)]
    if not windows:
        return RateSignal(throttled, allowed_per_second=_policy(headers))
    # The window with the fewest requests left applies. If several are used up, the one that ends last applies.
    remaining, reset_s = min(windows, key=lambda each: (each[0], -each[1]))
    return RateSignal(throttled, remaining, reset_s, _policy(headers))


def is_throttled(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether the provider refused a request because of the request rate or an overload."""
    match status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return not _is_out_of_credit(body)
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return aws_code(headers, body) in THROTTLING_CODES or bool(_RATE_WORDS.search(body[:_SEARCHED]))
        case HTTPStatus.FORBIDDEN:
            return bool(_GOOGLE_WORDS.search(body[:_SEARCHED]))
        case _ if status == OVERLOADED:
            return True
        case _:
            return status >= HTTPStatus.BAD_REQUEST and aws_code(headers, body) in THROTTLING_CODES


def aws_code(headers: Mapping[str, str], body: bytes) -> str | None:
    """Return the error code in an AWS response, such as `ConflictException`, or None if there is no code."""
    code = headers.get("x-amzn-errortype") or _object(body).get("__type")
    return code.partition(":")[0].rpartition("#")[2] if isinstance(code, str) and code else None


def _is_out_of_credit(body: bytes) -> bool:
    error = _object(body).get("error")
    words = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    return any(OUT_OF_CREDIT.fullmatch(str(each)) for each in words)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _windows(headers: Mapping[str, str], at: datetime | None) -> Iterator[tuple[int, float]]:
    """Yield each window in the headers, as the number of requests left and the seconds until the window ends."""
    for left, end in _FAMILIES:
        remaining, reset_s = _count(headers.get(left)), _duration_s(headers.get(end), at)
        if remaining is not None and reset_s is not None:
            yield remaining, min(reset_s, RETRY_AFTER_MAX_S)
    # `limit=9, remaining=0, reset=55` in one draft is one window; `"a";r=0;t=55, "b";r=9;t=5` in another is two.
    text = headers.get("ratelimit", "")
    for item in [text] if "remaining=" in text else text.split(","):
        parameters = {name: float(value) for name, value in _PARAMETER.findall(item)}
        left_s = parameters.get("t", parameters.get("reset"))
        count = parameters.get("r", parameters.get("remaining"))
        if count is not None and left_s is not None:
            yield int(count), min(left_s, RETRY_AFTER_MAX_S)


def _policy(headers: Mapping[str, str]) -> float | None:
    """Return the rate of the strictest policy, such as 2 for `"api";q=600;w=300`, or None if there is no policy."""
    rates = []
    for item in headers.get("ratelimit-policy", "").split(","):
        parameters = {name: float(value) for name, value in _PARAMETER.findall(item)}
        quota = parameters.get("q", _count(item.partition(";")[0].strip()))
        if quota and parameters.get("w"):
            rates.append(quota / parameters["w"])
    return min(rates, default=None)


def _count(text: str | None) -> int | None:
    value = _number(text)
    return int(value) if value is not None and value >= 0 else None


def _duration_s(text: str | None, at: datetime | None) -> float | None:
    """Return a duration, or the time until a moment, in seconds. None if the text is neither.

    A duration is `20`, `6m0s` or `20ms`. A moment is a Unix time or an RFC 3339 time, and is ignored without `at`.
    """
    value = _number(text)
    if value is not None and value < _EPOCH_FROM:
        return value if value >= 0 else None
    if value is not None:
        return max(0.0, value - at.timestamp()) if at is not None else None
    word = (text or "").strip()
    if word and not _PARTS.sub("", word):
        return sum(float(number) * _UNIT_S[unit] for number, unit in _PARTS.findall(word))
    return _until_s(word, at) if at is not None else None


def _until_s(text: str, at: datetime) -> float | None:
    """Return the seconds until an RFC 3339 time. None if the text is another one."""
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (until - at).total_seconds()) if until.tzinfo is not None else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
