"""A server for an ASGI application on a port, for the verb `sandbox` and for tests with official clients.

The `Date` header comes from the application. If a handler raises `ConnectionResetByFaultError`, the connection is
closed, and the server logs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"
_GRACE_S = 1


class _Server(uvicorn.Server):
    """A uvicorn server that calls `on_ready`, and that does not raise a signal again after it has handled it."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server, and call `on_ready`."""
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT or SIGTERM. Signals are handled only in the main thread, because Python allows no other."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)


async def serve(
    app: ASGIApp,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    on_ready: Callable[[str], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve an application until `stop` is set or, in the main thread, until SIGINT or SIGTERM.

    Port 0 selects a free port. `on_ready` is called with the address, such as `http://127.0.0.1:8080`, once the server
    accepts connections. Raises `OSError` if the address is not available.
    """
    with socket.create_server((host, port)) as listener:
        # asyncio sets this only on sockets with an explicit protocol. Without it, each response waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = f"http://{host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = _Server(config, lambda: on_ready(address))
        stopper = asyncio.create_task(_exit_on(stop or asyncio.Event(), server))
        try:
            await server.serve(sockets=[listener])
        finally:
            stopper.cancel()


async def _exit_on(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True
