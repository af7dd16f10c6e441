"""The pace of one account's requests: it rises while requests succeed, and halves when the provider throttles one.

Rules:

- A throttled request (429, or a response that reports an overload) halves the pace. Throttled requests that were sent
  before the last halving belong to the same burst, and do not halve the pace again.
- The pace at which the provider throttled a request is remembered as the *known limit*. Well below it the pace recovers
  quickly. Near it the pace rises slowly, so that few requests are throttled. Once the pace is far above the limit, the
  limit is forgotten. While no limit is known, the pace rises quickly.
- Until the first request is throttled, the pace doubles in the time in which the provider responds, as in the slow
  start of TCP (RFC 5681, section 3.1). Most accounts are never throttled, so they are soon limited by the provider.
- Only the response to a request that had to wait for the pace raises it, because an account that sends few requests
  reveals nothing about the limit. Such an account would keep an old limit forever. Therefore the limit is also
  forgotten a while after the last halving, and the pace is then raised to at least its initial value.
- The pace never exceeds its ceiling.

The time is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

import math

from reconciler.model.request_rate import LimitedBy
from reconciler.ports import Rate

SLOWEST = 1 / 60
"""The lowest pace that halving leads to, in requests per second: one per minute."""
GAIN = 1.5
"""The requests per second that a response adds to the pace while no limit is known, if its request had to wait.

If every request waits, the pace doubles in about half a second.
"""
START_GAIN_MAX = 100.0
"""The maximum of the requests per second that a response adds to the pace until the first request is throttled."""
STEP_S = 0.25
"""The minimum time between two steps while a limit is known, so that a fast account does not reach it at once."""
QUICKLY_TO = 0.9
"""The fraction of a known limit up to which the pace recovers quickly."""
RECOVERY = 0.25
"""The fraction of the distance to the known limit by which one step raises the pace, from half of the limit on.

Below half of the limit, a step doubles the pace.
"""
PROBE = 0.0005
"""After the quick recovery, the n-th step adds n times this fraction of the known limit, so the steps grow."""
FORGET_ABOVE = 1.5
"""A known limit is forgotten once the pace exceeds this multiple of it."""
FORGET_AFTER_S = 600.0
"""A known limit is also forgotten this many seconds after the last halving, if a request has succeeded since then."""
BURST_S = 0.05
"""While a limit is known, a burst contains at most the requests that the limit allows in this many seconds.

A burst always contains at least one request.
"""
LOW = 8
"""If at most this many requests are left in a long window, they are spread over the rest of the window."""
LONG_WINDOW_S = 5.0
"""A window is long if it ends in more than this many seconds."""
ROUNDING = 1e-6
"""The tolerance for rounding errors when the pace decides whether a whole request may be sent."""


class Pace:
    """The pace of one account: a token bucket whose rate adapts to the responses."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._ceiling = rate.requests_per_second_max or rate.requests_per_second
        self._begin = self._per_second = min(rate.requests_per_second, self._ceiling)
        self._tokens = float(rate.burst)
        self._at = now
        self._known_limit: float | None = None
        """The pace at which the provider throttled, or the rate that its response allowed, whichever is lower.

        None while no limit is known.
        """
        self._halved_at = -math.inf
        self._stepped_at = -math.inf
        self._probes = 0
        self._has_succeeded = False
        """Whether a request has succeeded since the pace was last halved."""
        self._spread, self._spread_until = math.inf, -math.inf

    def per_second(self, now: float) -> float:
        """Return the current pace, in requests per second."""
        self._refill(now)
        return self._per_second_until(now)

    @property
    def ceiling(self) -> float | None:
        """The maximum pace, in requests per second; None if the pace has no ceiling."""
        return self._ceiling if math.isfinite(self._ceiling) else None

    @property
    def burst(self) -> int:
        """The maximum number of requests that are sent at once."""
        if self._known_limit is None:
            return self._rate.burst
        return max(1, min(self._rate.burst, round(self._known_limit * BURST_S)))

    @property
    def at_once(self) -> int:
        """The maximum number of requests in progress: the initial concurrency, and more at a higher pace."""
        begin = self._rate.concurrency
        grown = math.ceil(begin * self._per_second / self._rate.requests_per_second)
        return min(max(begin, grown), self.at_once_max)

    @property
    def at_once_max(self) -> int:
        """The maximum number of requests in progress at any pace."""
        return max(self._rate.concurrency, self._rate.concurrency_max or 0)

    @property
    def is_blocked(self) -> bool:
        """Whether the provider has throttled a request and no request has succeeded since."""
        return self._known_limit is not None and not self._has_succeeded

    @property
    def _is_starting(self) -> bool:
        """Whether no request has been throttled yet."""
        return math.isinf(self._halved_at)

    def limited_by(self, now: float) -> LimitedBy:
        """Return what currently limits the pace."""
        if now < self._spread_until and self._spread < self._per_second:
            return LimitedBy.HEADERS
        if self._known_limit is not None:
            return LimitedBy.THROTTLING
        return LimitedBy.CEILING if self._per_second >= self._ceiling else LimitedBy.NOTHING

    def wait_s(self, now: float) -> float:
        """Return how long the next request must wait, in seconds; 0 if it may be sent now."""
        self._refill(now)
        missing = 1 - self._tokens
        return missing / self.per_second(now) if missing > ROUNDING else 0.0

    def take(self, now: float) -> None:
        """Take a token for a request that is sent now."""
        self._refill(now)
        self._tokens -= 1

    def succeeded(self, now: float, *, has_waited: bool, took_s: float) -> None:
        """Record a request that was not throttled.

        Args:
            now: the current time.
            has_waited: whether the request had to wait for the pace.
            took_s: the time from the request to its response.
        """
        self._refill(now)
        self._has_succeeded = True
        if not has_waited:
            return
        if self._is_starting:
            # If every request waits, this doubles the pace within `took_s`.
            self._per_second += max(GAIN, min(START_GAIN_MAX, math.log(2) / took_s)) if took_s > 0 else START_GAIN_MAX
        elif self._known_limit is None:
            self._per_second += GAIN
        elif now - self._stepped_at >= STEP_S:
            self._stepped_at = now
            self._step(self._known_limit)
        self._per_second = min(self._per_second, self._ceiling)

    def throttled(self, now: float, sent_at: float, allowed_per_second: float | None = None) -> None:
        """Record that the provider throttled a request, and halve the pace.

        A request that was sent before the last halving changes nothing.

        Args:
            now: the current time.
            sent_at: when the request was sent.
            allowed_per_second: the rate that the response allows, or None if it does not mention one.
        """
        if sent_at < self._halved_at:
            return
        self._refill(now)
        if self._is_starting:
            # The pace was half as high when the request was sent.
            self._per_second = max(min(self._begin, self._per_second), self._per_second / 2)
        # If no request has succeeded since the last halving, the provider refuses everything for now. The current pace
        # then says nothing about its limit.
        if self._has_succeeded or self._known_limit is None:
            self._known_limit = min(self._per_second, allowed_per_second or math.inf)
        self._per_second = max(SLOWEST, min(self._per_second, self._known_limit) / 2)
        self._has_succeeded = False
        self._probes = 0
        self._halved_at = self._stepped_at = now
        self._tokens = min(self._tokens, 0.0)

    def pause(self, until: float) -> None:
        """Record a pause that ends at this time. No burst follows it, because a burst would be throttled again."""
        if until > self._at:
            self._refill(until)
            self._tokens = min(self._tokens, 1.0)

    def window(self, now: float, remaining: int, reset_s: float) -> None:
        """Apply rate-limit headers: `remaining` requests are left in a window that ends in `reset_s` seconds.

        If few requests are left in a long window, they are spread over its rest (`LOW`, `LONG_WINDOW_S`).
        """
        if 0 < remaining <= LOW and reset_s > LONG_WINDOW_S:
            self._refill(now)
            self._spread, self._spread_until = remaining / reset_s, now + reset_s
        elif now < self._spread_until and remaining > LOW:
            self._refill(now)
            self._spread_until = -math.inf

    def _step(self, known_limit: float) -> None:
        """Raise the pace by one step while a limit is known."""
        if self._per_second < known_limit / 2:
            self._per_second = min(self._per_second * 2, known_limit / 2)
        elif self._per_second < known_limit * QUICKLY_TO:
            self._per_second += (known_limit - self._per_second) * RECOVERY
        else:
            self._probes += 1
            self._per_second += known_limit * PROBE * self._probes
            if self._per_second > known_limit * FORGET_ABOVE:
                self._known_limit = None

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(float(self.burst), self._tokens + (now - self._at) * self._per_second_until(now))
            self._at = now
        if self._known_limit is not None and self._has_succeeded and now - self._halved_at >= FORGET_AFTER_S:
            self._known_limit = None
            self._per_second = max(self._per_second, min(self._rate.requests_per_second, self._ceiling))

    def _per_second_until(self, now: float) -> float:
        """Return the pace that applies until this time. It is at most the pace that spreads the rest of a window."""
        return min(self._per_second, self._spread) if now < self._spread_until else self._per_second
