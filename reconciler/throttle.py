"""The rate limit, the concurrency limit and the circuit breaker of one account.

Rules:

- Each account has its own rate and concurrency. Accounts with one credential at one host share the `Retry-After` pauses
  and the circuit breaker. The open circuit holds an account only after one of its own requests has failed.
- A pause that the provider requested is never shortened.
- After `FAILURES_MAX` failed requests in a row the circuit opens. The pause grows until a probe request succeeds.
- After a stop no request is sent.
- A change that waited for its turn is checked again right before it is sent (`abort_unless`).

Time is the event loop's, so that tests can use a virtual clock.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar

from aiolimiter import AsyncLimiter

from reconciler.errors import Delivered, SupersededError, TransientError
from reconciler.ports import Rate

FAILURES_MAX = 5
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 900.0
"""Bounds of the pause while the circuit is open, in seconds. It doubles with each failed probe."""

_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


@contextmanager
def abort_unless(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Check `is_wanted` right before each request of the body. If it returns False, raise `SupersededError` instead.

    The check is a context variable, so that adapters need not pass it on.
    """
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


class CircuitBreaker:
    """The pauses and the circuit breaker of a credential at a host, shared by the throttles of its accounts.

    The circuit opens after `FAILURES_MAX` failures in a row. It is then half open until one request succeeds.
    """

    def __init__(self) -> None:
        self.paused_until = -math.inf
        """The end of the pause that the provider requested."""
        self.openings = 0
        """How often the circuit opened since the last success."""
        self.opening = 0
        """The number of the last opening of the circuit."""
        self.last_error = ""
        """The message of the last failure, if it is known."""
        self._failures = 0
        self._opens_until = -math.inf

    def pause_for(self, seconds: float) -> None:
        """Send no request for this long. A shorter pause never shortens a longer one."""
        self.paused_until = max(self.paused_until, asyncio.get_running_loop().time() + seconds)

    def remaining_s(self, now: float) -> float:
        """Return how long the circuit stays open, in seconds."""
        return max(0.0, self._opens_until - now) if self.openings else 0.0

    def end(self, now: float, *, succeeded: bool, error: str) -> None:
        """Record the outcome of a request."""
        self.last_error = error or self.last_error
        if succeeded:
            self._failures = self.openings = 0
            return
        self._failures += 1
        if self.openings or self._failures >= FAILURES_MAX:
            if now < self._opens_until:
                return  # the request was sent before the circuit opened
            self._opens_until = now + min(PAUSE_FIRST_S * (1 << min(self.openings, 30)), PAUSE_MAX_S)
            self.openings += 1
            self.opening += 1


class Permit:
    """A request that may be sent. The caller sets `succeeded` to its outcome; None means unknown."""

    succeeded: bool | None = None
    last_error: str = ""
    """The message of the failure, if it is known."""

    def __init__(self, waited_s: float) -> None:
        self.waited_s = waited_s


class Throttle:
    """The rate limit of one account. `requests` counts the requests that were sent.

    Args:
        rate: the rate limit of the account.
        breaker: the pauses and the circuit breaker that it shares with other accounts. None shares nothing.
    """

    def __init__(self, rate: Rate, breaker: CircuitBreaker | None = None) -> None:
        self._set_rate(rate)
        self._breaker = breaker or CircuitBreaker()
        self._is_probing = False
        self._failed_at = 0
        """The opening of the circuit during which this account failed last."""
        self._waiting: set[asyncio.Timeout] = set()
        self._is_stopped = False
        self.requests = 0

    def set_rate(self, rate: Rate) -> None:
        """Apply a changed rate limit, also to requests that wait already. The new rate begins with a whole burst."""
        if rate != self._rate:
            self._set_rate(rate)
            self._wake()

    def set_breaker(self, breaker: CircuitBreaker) -> None:
        """Share another circuit breaker, because the credential changed."""
        if breaker is not self._breaker:
            # The failures of the old credential say nothing about the new one.
            self._breaker, self._failed_at = breaker, 0

    def _wake(self) -> None:
        """End the wait of every request that waits for its turn, so that each checks again whether it may be sent."""
        for deadline in self._waiting:
            deadline.reschedule(asyncio.get_running_loop().time())

    def _set_rate(self, rate: Rate) -> None:
        self._rate = rate
        self._slots = asyncio.Semaphore(rate.concurrency)
        self._bucket = AsyncLimiter(rate.burst, rate.burst / rate.requests_per_second)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Permit]:
        """Wait until a request may be sent, and hold a slot while the body runs.

        Raises `TransientError(no)` if no request may be sent now, and `SupersededError` as in `abort_unless`.
        """
        clock = asyncio.get_running_loop().time
        arrived = clock()
        self._refuse_while_closed()
        async with AsyncExitStack() as held:
            await self._wait(held)
            self._refuse_while_closed()
            _refuse_unwanted()
            self.requests += 1
            self._is_probing = bool(self._breaker.openings)
            permit = Permit(clock() - arrived)
            try:
                yield permit
            finally:
                self._is_probing = False
                if permit.succeeded is not None:
                    self._breaker.end(clock(), succeeded=permit.succeeded, error=permit.last_error)
                if permit.succeeded is False:
                    self._failed_at = self._breaker.opening

    async def acquire_retry(self) -> None:
        """Wait until the request that holds a slot may be sent again. The rate limit counts it like any other."""
        await self._bucket.acquire()
        self.requests += 1

    def pause_for(self, seconds: float) -> None:
        """Send no request for this long to any account with the same host and credential."""
        self._breaker.pause_for(seconds)

    def stop(self) -> None:
        """Refuse every new and waiting request. Requests that were sent may finish."""
        self._is_stopped = True
        self._wake()

    async def _wait(self, held: AsyncExitStack) -> None:
        """Wait for a slot and for the rate limit. A changed rate limit begins the wait again."""
        while True:
            async with AsyncExitStack() as slot:
                try:
                    async with asyncio.timeout(None) as deadline:
                        self._waiting.add(deadline)
                        try:
                            await slot.enter_async_context(self._slots)
                            await self._bucket.acquire()
                        finally:
                            self._waiting.discard(deadline)
                except TimeoutError:
                    self._refuse_while_closed()
                    continue
                held.push_async_callback(slot.pop_all().aclose)
                return

    def _refuse_while_closed(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._is_stopped:
            msg = "this process is about to stop, so this request was not sent"
            raise TransientError(msg, delivered=Delivered.NO)
        if self._breaker.paused_until > now:
            msg = "the provider requested a pause (Retry-After), so this request was not sent"
            raise TransientError(msg, delivered=Delivered.NO, retry_after_s=self._breaker.paused_until - now)
        if (remaining_s := self._blocked_for_s(now)) > 0:
            last = f" (last: {self._breaker.last_error})" if self._breaker.last_error else ""
            msg = f"{FAILURES_MAX} consecutive requests failed{last}, so no request is sent for a while"
            raise TransientError(msg, delivered=Delivered.NO, retry_after_s=remaining_s)

    def _blocked_for_s(self, now: float) -> float:
        """Return how long the circuit blocks this account, in seconds: 0 if it has not failed since the opening."""
        if not self._breaker.openings:
            return 0.0
        if self._is_probing:
            return PAUSE_FIRST_S
        return self._breaker.remaining_s(now) if self._failed_at == self._breaker.opening else 0.0


def _refuse_unwanted() -> None:
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        msg = "the change was no longer wanted when the request was about to be sent, so it was not sent"
        raise SupersededError(msg)
