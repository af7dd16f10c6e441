"""Health, readiness and metrics of a watch, served from a thread of their own.

Rules: nothing here changes anything, asks a provider or waits for the watch: it reads one immutable `Overview`, and so
it still answers when the watch does not. Whoever may reach the port may read it, so it listens on loopback unless told
otherwise, and says no secret.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from reconciler.model.watch_status import Overview, ailments, obstacles

_GRACE_S = 1


def create_app(
    overview: Callable[[], Overview], monotonic: Callable[[], float], metrics: Callable[[], tuple[bytes, str]]
) -> Starlette:
    """Return the application. `metrics` returns what a scrape is answered, and its content type."""

    def tell(problems: tuple[str, ...]) -> Response:
        return PlainTextResponse("\n".join(problems or ("ok",)) + "\n", status_code=503 if problems else 200)

    async def healthz(_: Request) -> Response:
        return tell(ailments(overview(), monotonic()))

    async def readyz(_: Request) -> Response:
        return tell(obstacles(overview()))

    async def scrape(_: Request) -> Response:
        text, content_type = metrics()
        return Response(text, headers={"content-type": content_type})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", scrape)])


@contextmanager
def serving(app: ASGIApp, host: str, port: int) -> Iterator[str]:
    """Serve while the body runs; yields the address, such as `http://127.0.0.1:8080`. Port 0 takes a free one.

    Raises OSError where the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
        thread.start()
        shown = f"[{host}]" if family is socket.AF_INET6 else host
        try:
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=2 * _GRACE_S)
