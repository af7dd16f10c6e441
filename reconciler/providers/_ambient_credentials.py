"""Secrets that a vendor's own library finds: off the event loop, one search at a time, with an end to waiting.

Rules: a library that hangs holds up neither another account nor the end of the process; what it logs is dropped,
because it may quote what it was given. What its exceptions mean is in `_vendor_errors`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar, cast

from reconciler.plugin import Delivered, Kind, PermanentError, TransientError

T = TypeVar("T")

DEADLINE_S = 20.0
"""How long a request waits for its secret: a watch has to end within 25 s. The search itself goes on."""
LOGGERS = ("azure", "botocore", "google", "msal", "requests", "urllib3")
"""Libraries that log what they were given. Without a handler, Python writes that to standard error."""


class Ambient(Generic[T]):
    """What `find` returns, asked anew for each request: it keeps what is still good, and refreshes it in time.

    `find` may block, is never run twice at once, and raises `TransientError` and `PermanentError` only. Who asks while
    it runs gets what it finds.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._search: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """Return the secret. Raises what `find` raises, and `TransientError` where that takes too long."""
        if self._search is None or self._search.done():
            self._search = _in_a_daemon(self._find)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.shield(self._search)
        except TimeoutError:
            msg = f"the credentials of this machine could not be obtained within {DEADLINE_S:g} s"
            raise TransientError(msg, delivered=Delivered.NO) from None


def _in_a_daemon(find: Callable[[], T]) -> asyncio.Future[T]:
    """Run it in a thread that the end of the process does not wait for, as it would for one of asyncio's own."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()
    found.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # also where nobody waits for it any more

    def settle(value: T | None, error: Exception | None) -> None:
        if not found.done():
            found.set_result(cast("T", value)) if error is None else found.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = find()
        except Exception as raised:  # noqa: BLE001 - whatever it is, the one who asked must get it
            error = raised
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name="credentials", daemon=True).start()
    return found


def silence_libraries() -> None:
    """Let no library of a vendor log to standard error: what it logs may hold what it was given."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, logging.NullHandler) for each in logger.handlers):
            logger.addHandler(logging.NullHandler())
        logger.propagate = False


def missing_extra(extra: str, what: str) -> PermanentError:
    """Return the error for a vendor's library that is not installed."""
    msg = f"{what} needs a library that is not installed: pip install 'llm-job-reconciler[{extra}]'"
    return PermanentError(msg, kind=Kind.MISSING)
