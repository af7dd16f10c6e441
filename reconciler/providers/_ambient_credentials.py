"""Secrets that a vendor's library finds. A search runs outside the event loop, and a request waits for a limited time.

Rules:

- A library that hangs blocks neither other accounts nor the exit of the process.
- The log messages of a library are dropped, because they can contain secrets.

`_vendor_errors` classifies the exceptions of the libraries.
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
"""How long a request waits for its secret, in seconds. This is less than the 25 s in which a watch must stop. A search
that takes longer continues in the background."""
LOGGERS = ("azure", "botocore", "google", "msal", "requests", "urllib3")
"""Libraries whose log messages can contain secrets. If no handler is set, Python writes warnings to standard error."""


class AmbientSecret(Generic[T]):
    """A secret that `find` returns. `find` is called when a request needs the secret, and caches and refreshes it.

    `find` may block, and raises only `TransientError` and `PermanentError`. While it runs, further requests wait for
    its result and do not call it again.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._search: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """Return the secret. Raises the errors of `find`, or `TransientError` after `DEADLINE_S` seconds."""
        if self._search is None or self._search.done():
            self._search = _run_in_daemon_thread(self._find)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.shield(self._search)
        except TimeoutError:
            msg = f"the credentials of this machine were not obtained within {DEADLINE_S:g} s; the search continues"
            raise TransientError(msg, delivered=Delivered.NO) from None


def _run_in_daemon_thread(find: Callable[[], T]) -> asyncio.Future[T]:
    """Run `find` in a daemon thread. A thread of asyncio's executor would delay the exit of the process."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()
    # Retrieve the exception even if no request is waiting any more; otherwise asyncio logs it.
    found.add_done_callback(lambda done: done.cancelled() or done.exception())

    def settle(value: T | None, error: Exception | None) -> None:
        if not found.done():
            found.set_result(cast("T", value)) if error is None else found.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = find()
        except Exception as raised:  # noqa: BLE001 - the waiting request must get any error
            error = raised
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, name="credentials", daemon=True).start()
    return found


def silence_libraries() -> None:
    """Drop the log messages of the vendors' libraries, because they can contain secrets."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, logging.NullHandler) for each in logger.handlers):
            logger.addHandler(logging.NullHandler())
        logger.propagate = False


def missing_extra(extra: str, what: str) -> PermanentError:
    """Return the error for a vendor's library that is not installed. The caller raises it.

    Args:
        extra: the extra of this distribution that installs the library.
        what: what needs the library, as the subject of the message.
    """
    msg = f"{what} needs a library that is not installed: pip install 'llm-job-reconciler[{extra}]'"
    return PermanentError(msg, kind=Kind.MISSING)
