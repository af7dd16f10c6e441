"""One account's turnstile: its rate, its concurrency, and when it is left alone.

Rules: a provider's wish to be left alone is never undercut; after `FAILURES_MAX` requests in a row that went wrong
nothing is sent for a time, which grows until one request that is let through goes well; once somebody wants to stop,
nothing more passes; whoever asks for a change is asked again when its turn has come, for it may have waited long. Time
is the event loop's, so that it can be virtual.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar

from aiolimiter import AsyncLimiter

from reconciler.errors import Delivered, Transient, Unwanted
from reconciler.ports import Rate

FAILURES_MAX = 5
QUIET_FIRST_S = 1.0
QUIET_MAX_S = 900.0

_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


@contextmanager
def only_while(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Let no request of the body leave that is not wanted when its turn has come: it raises `Unwanted` instead.

    A context, so that whoever makes the request, such as an adapter, need not know.
    """
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


class Circuit:
    """Open after so many failures in a row; then half open, for one request at a time, until one goes well."""

    def __init__(self) -> None:
        self._failures = 0
        self._openings = 0
        self._opens_until = -math.inf
        self._is_probing = False

    def remaining_s(self, now: float) -> float:
        """Return how long nothing may pass; 0 where something may."""
        if self._openings and self._is_probing:
            return QUIET_FIRST_S
        return max(0.0, self._opens_until - now)

    def begin(self) -> None:
        """Let a request pass. While it is out, a half-open circuit lets no other one."""
        self._is_probing = bool(self._openings)

    def end(self, now: float, *, is_well: bool | None) -> None:
        """Take in how a request went; None where nobody knows, because it was abandoned."""
        self._is_probing = False
        if is_well is None:
            return
        if is_well:
            self._failures = self._openings = 0
            return
        self._failures += 1
        if self._openings or self._failures >= FAILURES_MAX:
            if now < self._opens_until:
                return  # it was under way when the circuit opened
            self._opens_until = now + min(QUIET_FIRST_S * (1 << min(self._openings, 30)), QUIET_MAX_S)
            self._openings += 1


class Turn:
    """A request that may be sent. Whoever holds it says how it went, or nobody knows."""

    is_well: bool | None = None
    trouble: str = ""
    """What went wrong, in words, where that is known."""

    def __init__(self, waited_s: float) -> None:
        self.waited_s = waited_s


class Gate:
    """The turnstile. `requests` counts what was sent."""

    def __init__(self, rate: Rate) -> None:
        self._slots = asyncio.Semaphore(rate.concurrency)
        self._bucket = AsyncLimiter(rate.burst, rate.burst / rate.requests_per_second)
        self._closed_until = -math.inf
        self._circuit = Circuit()
        self._waiting: set[asyncio.Timeout] = set()
        self._is_stopped = False
        self._trouble = ""
        self.requests = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn, and hold it.

        Raises `Transient(no)` where nothing may be sent now, and `Unwanted` as `only_while` says.
        """
        clock = asyncio.get_running_loop().time
        arrived = clock()
        self._refuse_while_closed()
        async with AsyncExitStack() as held:
            await self._wait(held)
            self._refuse_while_closed()
            _refuse_unwanted()
            self.requests += 1
            self._circuit.begin()
            turn = Turn(clock() - arrived)
            try:
                yield turn
            finally:
                self._circuit.end(clock(), is_well=turn.is_well)
                self._trouble = turn.trouble or self._trouble

    def close_for(self, seconds: float) -> None:
        """Let nothing pass for so long. A shorter wish never shortens a longer one."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    def stop(self) -> None:
        """Let nothing pass any more, and send away who waits. What is under way goes on."""
        self._is_stopped = True
        for patience in self._waiting:
            patience.reschedule(asyncio.get_running_loop().time())

    async def _wait(self, held: AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(None) as patience:
                self._waiting.add(patience)
                try:
                    await held.enter_async_context(self._slots)
                    await self._bucket.acquire()
                finally:
                    self._waiting.discard(patience)
        except TimeoutError:
            self._refuse_while_closed()

    def _refuse_while_closed(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._is_stopped:
            msg = "this process is about to stop, so this request was not sent"
            raise Transient(msg, delivered=Delivered.NO)
        if self._closed_until > now:
            msg = "the provider asked to be left alone for a while, so this request was not sent"
            raise Transient(msg, delivered=Delivered.NO, retry_after_s=self._closed_until - now)
        if (remaining_s := self._circuit.remaining_s(now)) > 0:
            last = f" (the last: {self._trouble})" if self._trouble else ""
            msg = f"{FAILURES_MAX} requests in a row went wrong{last}, so for a while none is sent"
            raise Transient(msg, delivered=Delivered.NO, retry_after_s=remaining_s)


def _refuse_unwanted() -> None:
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        msg = "it was no longer wanted when its turn had come, so this request was not sent"
        raise Unwanted(msg)
