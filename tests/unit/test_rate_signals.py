"""What a response reports about the request rate, in the format of each kind of provider."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.rate_signals import RateSignal, is_throttled, rate_signal
from reconciler.time_headers import RETRY_AFTER_MAX_S

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (429, {}, b""),
        (429, {}, b'{"error": {"code": "rate_limit_exceeded", "type": "requests"}}'),
        (429, {}, b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}}'),
        (403, {}, b'{"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}'),
        (400, {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/"}, b"{}"),
        (400, {}, b'{"__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded"}'),
        (503, {"x-amzn-errortype": "SlowDown"}, b""),
        (503, {}, b'{"error": {"message": "The engine is currently overloaded, please try again later"}}'),
        (503, {}, b"Server is busy"),
        (529, {}, b'{"type": "error", "error": {"type": "overloaded_error"}}'),
    ],
)
def test_a_throttled_response_is_recognized(status: int, headers: dict[str, str], body: bytes) -> None:
    assert is_throttled(status, headers, body)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, b'{"message": "rate limit"}'),
        (400, {"x-amzn-errortype": "ValidationException"}, b"{}"),
        (400, {}, b"[]"),
        (403, {}, b'{"error": {"code": 403, "status": "PERMISSION_DENIED"}}'),
        (429, {}, b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}'),
        (429, {}, b'{"error": {"code": "organization_spend_limit_exceeded"}}'),
        (500, {}, b"overloaded"),
        (503, {}, b"upstream connect error"),
    ],
)
def test_other_responses_are_not_recognized_as_throttled(status: int, headers: dict[str, str], body: bytes) -> None:
    assert not is_throttled(status, headers, body)


@pytest.mark.parametrize(
    ("headers", "remaining", "reset_s"),
    [
        ({"x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s"}, 59, 1),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 0, 360),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}, 0, 0.02),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1h0m1.5s"}, 3, 3601.5),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "30"}, 7, 30),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(int(AT.timestamp()) + 45)}, 7, 45),
        ({"ratelimit": '"api";r=0;t=55'}, 0, 55),
        ({"ratelimit": '"api";r=9;t=5, "day";r=2;t=600'}, 2, 600),
        ({"ratelimit": "limit=100, remaining=50, reset=30"}, 50, 30),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-23T14:00:09Z",
            },
            0,
            9,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "99999h"}, 0, RETRY_AFTER_MAX_S),
    ],
)
def test_headers_report_the_remaining_requests_and_the_reset_time(
    headers: dict[str, str], remaining: int, reset_s: float
) -> None:
    signal = rate_signal(200, headers, b"", AT)

    assert signal.remaining == remaining
    assert signal.reset_s == pytest.approx(reset_s)


@pytest.mark.parametrize(
    ("policy", "per_second"),
    [
        ('"fixed window";"api";q=500;w=300', 500 / 300),
        ("100;w=60, 5000;w=3600", 5000 / 3600),
        ("100", None),
        ("q=1;w=0", None),
    ],
)
def test_a_policy_header_reports_the_allowed_rate(policy: str, per_second: float | None) -> None:
    assert rate_signal(200, {"ratelimit-policy": policy}, b"", AT).allowed_per_second == per_second


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining-requests": "0"},
        {"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "many", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s"},
        {"ratelimit": "unlimited"},
        {"ratelimit": f'"api";r={"9" * 400};t=5'},
        {"ratelimit-policy": f'"api";q={"9" * 400};w=5'},
    ],
)
def test_invalid_or_incomplete_rate_headers_are_ignored(headers: dict[str, str]) -> None:
    assert rate_signal(200, headers, b"", AT) == RateSignal()


WORDS = st.text('0123456789.;=,rtwqhms "-:eE', max_size=40)


@given(
    status=st.integers(100, 599),
    values=st.lists(WORDS, min_size=6, max_size=6),
    body=st.binary(max_size=60),
    at=st.none() | st.just(AT),
)
def test_any_response_is_parsed_without_an_error(
    status: int, values: list[str], body: bytes, at: datetime | None
) -> None:
    names = ["ratelimit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset"]
    names += ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]
    signal = rate_signal(status, dict(zip(names, values, strict=True)), body, at)

    assert signal.remaining is None or signal.remaining >= 0
    assert signal.reset_s is None or 0 <= signal.reset_s <= RETRY_AFTER_MAX_S
