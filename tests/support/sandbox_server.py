"""A real server on a real socket, for clients that cannot be spoken to in process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

from starlette.types import ASGIApp

from reconciler.sandbox import server

_STARTS_WITHIN_S = 10


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free loopback port for as long as the block lasts; yields `http://127.0.0.1:PORT/v1`."""
    ready: Queue[str] = Queue()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(app, on_ready=ready.put, stop=stop))

    thread = threading.Thread(target=run, name="sandbox server")
    thread.start()
    try:
        yield f"{ready.get(timeout=_STARTS_WITHIN_S)}/v1"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
