from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from reconciler.providers._ambient_credentials import AmbientSecret


class Library:
    """A slow vendor library that records its threads, and whether two of them called it at the same time."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.is_crowded = False
        self._door = threading.Lock()

    def find(self) -> str:
        """Return a token."""
        if not self._door.acquire(blocking=False):
            self.is_crowded = True
            return "crowded"
        with_time = threading.Event()
        with_time.wait(0.02)
        self.threads.append(threading.current_thread())
        self._door.release()
        return "token"


def asked_at_once(find: Callable[[], str], times: int) -> list[str]:
    async def main() -> list[str]:
        ambient = AmbientSecret(find)
        return await asyncio.gather(*(ambient.get() for _ in range(times)))

    return asyncio.run(main())


def test_a_vendor_library_is_called_by_one_thread_at_a_time_outside_the_event_loop() -> None:
    library = Library()
    tokens = asked_at_once(library.find, 5)

    assert tokens == ["token"] * 5
    assert not library.is_crowded
    assert threading.main_thread() not in library.threads
