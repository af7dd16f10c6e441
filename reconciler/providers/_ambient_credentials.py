"""Secrets that a vendor's own library finds: off the event loop, one at a time, and with an end to waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from reconciler.plugin import Delivered, Kind, Permanent, Transient

T = TypeVar("T")

DEADLINE_S = 45.0
"""A metadata service or a token endpoint that takes longer is not there."""


class Ambient(Generic[T]):
    """What `find` returns, asked anew for each request: it keeps what is still good, and refreshes it in time.

    `find` may block, is never run twice at once, and raises `Transient` and `Permanent` only.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._turn = asyncio.Lock()

    async def get(self) -> T:
        """Return the secret. Raises what `find` raises, and `Transient` where that takes too long."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._turn:
                return await asyncio.to_thread(self._find)
        except TimeoutError:
            msg = f"the credentials of this machine could not be had within {DEADLINE_S:g} s"
            raise Transient(msg, delivered=Delivered.NO) from None


def missing_extra(extra: str, what: str) -> Permanent:
    """Return the error for a vendor's library that is not installed."""
    msg = f"{what} needs a library that is not installed: pip install 'llm-job-reconciler[{extra}]'"
    return Permanent(msg, kind=Kind.MISSING)
