"""The requests of one plan: how many jobs are retrieved at once, and which statuses are written together.

Theory: a sync takes about as long for many files as for one, and no other request is sent meanwhile. Therefore the
statuses of requests that end at about the same time are written together.

Rules: a status is written once every request of the group has ended, or `WITHIN_S` after its request ended, whichever
comes first. A task that is cancelled while its status waits writes all waiting statuses first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.model.status import JobStatus
from reconciler.ports import StatusStore

LANES = 64
"""How many jobs are retrieved at the same time, if only a list has shown them so far.

The throttle sends the change of a retrieved job before it sends the next retrieve.
"""
WITHIN_S = 0.25
"""How long a status waits for the statuses of other requests, in seconds."""


class RequestGroup:
    """The requests of one plan, each of which is handled in a task of its own."""

    def __init__(self, statuses: StatusStore) -> None:
        self.lanes = asyncio.Semaphore(LANES)
        self._statuses = statuses
        self._in_progress = 0
        """How many requests have not ended, or have a status that waits to be written."""
        self._waiting: list[tuple[JobStatus, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Handle one request within the `with` block."""
        self._in_progress += 1
        try:
            yield
        finally:
            self._in_progress -= 1
            self._write_if_complete()

    async def write(self, status: JobStatus) -> None:
        """Write a status durably, together with others. Call this within `request`, for the last time that it waits.

        Raises `OSError`, or the exception of a bug, if the status cannot be written.
        """
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._waiting.append((status, written))
        if self._timer is None:
            self._timer = loop.call_later(WITHIN_S, self._write_all)
        self._write_if_complete()
        try:
            await written
        except asyncio.CancelledError:
            self._write_all()
            raise

    def _write_if_complete(self) -> None:
        if len(self._waiting) >= self._in_progress:
            self._write_all()

    def _write_all(self) -> None:
        """Write the waiting statuses, and let their tasks continue."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        failed = self._statuses.write_all((status for status, _ in waiting), are_intents=False) if waiting else {}
        for status, written in waiting:
            if written.done():
                continue  # its task was cancelled
            if (error := failed.get(status.name)) is not None:
                written.set_exception(error)
            else:
                written.set_result(None)
