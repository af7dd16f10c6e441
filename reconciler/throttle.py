"""Decide when each request of an account is sent, by its pace, its concurrency and its circuit breaker.

Rules:

- Each account has its own pace (`reconciler.pace`). Accounts with the same credential at the same host share the
  circuit breaker and the pauses that the provider requests. An open circuit blocks an account only after one of the
  account's own requests has failed.
- A change request is sent before all waiting requests that change nothing, except the repeat of a read whose
  connection turned out to be closed. Otherwise requests are sent in the order of their arrival.
- A later, shorter pause does not shorten a pause that the provider requested. A request waits until a short pause ends,
  and fails at once if the pause is long.
- After `FAILURES_MAX` failed requests in a row the circuit opens. It stays open longer after each failed probe, and
  closes once a request succeeds. A throttled request is not a failure: the provider works, so only the pace is lowered.
- After `stop`, no request is sent.
- A change that waited for its turn is checked again right before it is sent (`preflight.abort_unless`).

Times are those of the event loop, so that tests can use a virtual clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from http import HTTPStatus
from itertools import count

from reconciler.circuit_breaker import FAILURES_MAX, PAUSE_FIRST_S, CircuitBreaker
from reconciler.errors import NotSentError
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.pace import Pace
from reconciler.ports import PROVIDER, PeerNames, Rate, Response
from reconciler.preflight import is_change, raise_if_unwanted
from reconciler.rate_signals import RateSignal, rate_signal

WAIT_MAX_S = 5.0
"""The longest pause for which a request waits. A longer pause is reported: requests fail at once."""
TICK_S = 0.0001
"""The minimum length of a timer, because a timer may fire a little early."""
_PAUSES_ACCOUNT = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""With these HTTP statuses, and after any throttled request, `Retry-After` pauses the whole account."""


class Permit:
    """The permission to send one request. The caller records the response, or sets `succeeded` to False."""

    succeeded: bool | None = None
    """Whether the request succeeded, or None if the outcome is not known."""
    last_error: str = ""
    """The message of the failure, or an empty string if it is not known."""
    signal = RateSignal()
    """What the response said about the request rate."""
    pause_s: float | None = None
    """The pause that the provider requested, in seconds, or None if it requested no pause."""

    def __init__(self, waited_s: float) -> None:
        self.waited_s = waited_s

    def record(self, response: Response) -> None:
        """Record the outcome of the request, and what the response says about the request rate."""
        self.signal = rate_signal(response.status, response.headers, response.body, response.at)
        self.succeeded = response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        self.last_error = "" if self.succeeded else f"HTTP {response.status}"
        if response.status in _PAUSES_ACCOUNT or self.signal.is_throttled:
            self.pause_s = response.retry_after_s


@dataclass(order=True, slots=True)
class _Waiting:
    """A request that waits for its turn, ordered by its place in the queue."""

    rank: int
    number: int
    has_slot: bool = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)
    has_waited_for_pace: bool = field(default=False, compare=False)


_REPEAT, _CHANGE, _OTHER = range(3)
"""The ranks in the queue: the repeat of a read that already occupies a slot, a change request, and all others."""


class Throttle:
    """The queue of one account's requests. `requests` is the number of requests that were sent.

    Args:
        rate: the rate of the account.
        breaker: the pauses and the circuit breaker to share with other accounts. By default, nothing is shared.
        names: how messages name what the requests are sent to.
    """

    def __init__(self, rate: Rate, breaker: CircuitBreaker | None = None, names: PeerNames = PROVIDER) -> None:
        self._rate = rate
        self.names = names
        self._pace: Pace | None = None
        self._breaker = breaker or CircuitBreaker()
        self._is_probing = False
        self._failed_at = 0
        """The serial number of the circuit's latest opening at the time of this account's last failed request."""
        self._queue: list[_Waiting] = []
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None
        self._under_way = 0
        self._is_stopped = False
        self.requests = 0

    def set_rate(self, rate: Rate) -> None:
        """Apply a changed rate, including to requests that already wait. The new rate begins with a full burst."""
        if rate != self._rate:
            self._rate, self._pace = rate, None
            if self._queue:
                self._serve()

    def set_breaker(self, breaker: CircuitBreaker) -> None:
        """Use another shared circuit breaker, because the credential has changed."""
        if breaker is not self._breaker:
            # The failures of the old credential say nothing about the new one.
            self._breaker, self._failed_at = breaker, 0

    def rate_now(self) -> Rate:
        """Return the current rate: requests per second, burst and concurrency."""
        now = asyncio.get_running_loop().time()
        pace = self._pace_of(now)
        return Rate(requests_per_second=pace.per_second(now), burst=pace.burst, concurrency=pace.at_once)

    def request_rate(self) -> RequestRate:
        """Return the current requests per second, which are 0 during a requested pause, and what limits them."""
        now = asyncio.get_running_loop().time()
        pace, paused_s = self._pace_of(now), self._breaker.paused_until - now
        blocked_s = max(0.0, paused_s, self._blocked_for_s(now))
        per_second, by = (0.0, LimitedBy.HEADERS) if paused_s > 0 else (pace.per_second(now), pace.limited_by(now))
        return RequestRate(per_second, by, pace.ceiling, blocked_s, is_waiting=self._timer is not None)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Permit]:
        """Wait until a request may be sent, and occupy a slot within the `async with` block.

        Raises `NotSentError` if no request may be sent soon, and `SupersededError` if the request is for a change
        that is no longer wanted (`preflight.abort_unless`).
        """
        clock = asyncio.get_running_loop().time
        arrived = clock()
        waiting = await self._wait_for_turn(_CHANGE if is_change() else _OTHER)
        try:
            raise_if_unwanted()
            self.requests += 1
            sent_at = clock()
            permit = Permit(sent_at - arrived)
            try:
                yield permit
            finally:
                self._conclude(permit, waiting, sent_at, clock())
        finally:
            self._release()

    async def acquire_repeat(self) -> None:
        """Wait for the turn to repeat a request that already has a slot. Raises `NotSentError` as `acquire` does."""
        await self._wait_for_turn(_REPEAT)
        self.requests += 1

    def may_repeat(self, response: Response, *, is_read: bool) -> bool:
        """Return whether a throttled request may be sent again now. `is_read` is whether its method only reads.

        A request may be sent again if it certainly had no effect, is not a change request, and need not wait long.
        """
        # A receipt schedules the repeat of a change request. After a 5xx it is unknown whether a request had an effect.
        had_no_effect = is_read or response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        return had_no_effect and not is_change() and self._obstacle(asyncio.get_running_loop().time()) is None

    def pause_for(self, seconds: float) -> None:
        """Stop sending requests for this long, to every account with the same host and credential."""
        self._breaker.pause_for(seconds)

    def stop(self) -> None:
        """Refuse every new and waiting request. Requests that have been sent may finish."""
        self._is_stopped = True
        if self._queue:
            self._serve()

    def _pace_of(self, now: float) -> Pace:
        if self._pace is None:
            self._pace = Pace(self._rate, now)
        return self._pace

    def _conclude(self, permit: Permit, waiting: _Waiting, sent_at: float, now: float) -> None:
        """Record the outcome of a request before any other request is sent."""
        pace, signal = self._pace_of(now), permit.signal
        if permit.pause_s is not None:
            self.pause_for(permit.pause_s)
        if signal.pause_s is not None:
            self.pause_for(signal.pause_s)
        elif signal.remaining is not None and signal.reset_s is not None:
            pace.window(now, signal.remaining, signal.reset_s)
        if signal.is_throttled:
            pace.throttled(now, sent_at, signal.allowed_per_second)
        pace.pause(self._breaker.paused_until)
        if signal.is_throttled:
            return
        if permit.succeeded is not None:
            self._breaker.end(now, succeeded=permit.succeeded, error=permit.last_error)
        if permit.succeeded is False:
            self._failed_at = self._breaker.opening
        elif permit.succeeded:
            # If the headers say that no request is left in the window, a higher pace would be throttled.
            has_waited = waiting.has_waited_for_pace and signal.remaining != 0
            pace.succeeded(now, has_waited=has_waited, took_s=now - sent_at)

    async def _wait_for_turn(self, rank: int) -> _Waiting:
        loop = asyncio.get_running_loop()
        if (obstacle := self._obstacle(loop.time())) is not None:
            try:
                raise obstacle
            finally:
                del obstacle  # otherwise, the error and its traceback would refer to each other
        waiting = _Waiting(rank, next(self._arrivals), rank == _REPEAT, loop.create_future())
        heappush(self._queue, waiting)
        self._serve()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            has_turn = waiting.turn.done() and not waiting.turn.cancelled() and waiting.turn.exception() is None
            if has_turn and not waiting.has_slot:
                self._release()
            raise
        return waiting

    def _serve(self) -> None:
        """Let the requests that may be sent now proceed, in queue order, and set a timer for the next request."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        pace = self._pace_of(now)
        while self._queue:
            first = self._queue[0]
            if first.turn.done():
                heappop(self._queue)
            elif (obstacle := self._obstacle(now)) is not None:
                heappop(self._queue).turn.set_exception(obstacle)
            elif not first.has_slot and self._under_way >= pace.at_once:
                first.has_waited_for_pace |= pace.at_once < pace.at_once_max
                return
            elif (wait_s := self._wait_s(now, first)) > 0:
                self._timer = loop.call_later(max(wait_s, TICK_S), self._serve)
                return
            else:
                heappop(self._queue)
                pace.take(now)
                if not first.has_slot:
                    self._under_way += 1
                    self._is_probing = bool(self._breaker.openings)
                first.turn.set_result(None)

    def _wait_s(self, now: float, first: _Waiting) -> float:
        """Return how long the first request must wait, in seconds. Record whether it waits because of the pace."""
        pause_s = self._breaker.paused_until - now
        pace = self._pace_of(now)
        if pause_s > 0:
            pace.pause(self._breaker.paused_until)
            return pause_s
        wait_s = pace.wait_s(now)
        first.has_waited_for_pace |= wait_s > 0 and pace.limited_by(now) is not LimitedBy.HEADERS
        return wait_s

    def _release(self) -> None:
        self._under_way -= 1
        self._is_probing = False
        if self._queue:
            self._serve()

    def _obstacle(self, now: float) -> NotSentError | None:
        """Return the error to raise if no request may be sent soon, or None."""
        if self._is_stopped:
            return NotSentError("this process is about to stop, so this request was not sent")
        pause_s = self._breaker.paused_until - now
        if pause_s > WAIT_MAX_S:
            return NotSentError(f"{self.names.peer} requested a pause, so this request was not sent", pause_s)
        if (remaining_s := self._blocked_for_s(now)) > 0:
            last = f" (last: {self._breaker.last_error})" if self._breaker.last_error else ""
            msg = f"{FAILURES_MAX} consecutive requests failed{last}, so no request is sent for a while"
            return NotSentError(msg, remaining_s)
        pace = self._pace_of(now)
        if pace.is_blocked and (wait_s := pace.wait_s(now)) > WAIT_MAX_S:
            return NotSentError(f"{self.names.peer} throttles every request, so this request was not sent", wait_s)
        return None

    def _blocked_for_s(self, now: float) -> float:
        """Return how long the circuit blocks this account, in seconds.

        It is 0 while the circuit is closed. While the circuit is open, it is `PAUSE_FIRST_S` during this account's
        probe, 0 if no request of this account has failed since the latest opening, or else the time until a probe.
        """
        if not self._breaker.openings:
            return 0.0
        if self._is_probing:
            return PAUSE_FIRST_S
        return self._breaker.remaining_s(now) if self._failed_at == self._breaker.opening else 0.0
