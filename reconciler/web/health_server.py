"""Health, readiness and metrics of a watch, served from a separate thread.

Rules:

- The server changes nothing, sends no request to a provider, and does not wait for the watch. It reads one immutable
  `WatchStatus`, so it responds even if the watch is blocked.
- Health and readiness need no authentication. Therefore, secrets are redacted, and requests with an unknown host name
  are refused.
- Connections are limited in number and duration, so that clients cannot exhaust the file descriptors of the watch.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from reconciler.model.watch_status import WatchStatus, liveness_problems, readiness_problems
from reconciler.redaction import KNOWN_SECRETS
from reconciler.web.connections import ACCEPTED_AT_ONCE, HEAD_MAX, BoundedConnection
from reconciler.web.hosts import HostFilter

_GRACE_S = 1
_COMPRESSED_FROM = 1024
"""The size from which a response is compressed, in bytes."""
_COMPRESSION_LEVEL = 5
"""The level of gzip. Higher levels take much longer, and save little of these texts."""
_FROM_HERE = ("style-src", "script-src", "connect-src", "form-action")
SECURITY_HEADERS = (
    (
        "content-security-policy",
        "; ".join(
            [
                "default-src 'none'",
                *(f"{each} 'self'" for each in _FROM_HERE),
                "img-src 'self' data:",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ]
        ),
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
)
"""The headers of every response: a page may load only what this port serves, and no other site may embed it."""


def create_app(
    watch_status: Callable[[], WatchStatus],
    monotonic: Callable[[], float],
    metrics: Callable[[], tuple[bytes, str]],
    page: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application, with the paths `/healthz`, `/readyz` and `/metrics`, and those of the page.

    `/healthz` and `/readyz` respond with HTTP 503 and one problem a line, or with HTTP 200 if there is no problem.
    Larger responses are compressed with gzip if the client accepts it.

    Args:
        watch_status: returns the current status of the watch.
        monotonic: returns the current time, in monotonic seconds.
        metrics: returns the text of a scrape and its content type.
        page: the routes of the page; none if it is off.
    """

    def report(problems: tuple[str, ...]) -> Response:
        text = KNOWN_SECRETS.redact("\n".join(problems or ("ok",)) + "\n")
        return PlainTextResponse(text, status_code=503 if problems else 200)

    async def healthz(_: Request) -> Response:
        return report(liveness_problems(watch_status(), monotonic()))

    async def readyz(_: Request) -> Response:
        return report(readiness_problems(watch_status()))

    async def scrape(_: Request) -> Response:
        text, content_type = metrics()
        return Response(KNOWN_SECRETS.redact(text.decode()), headers={"content-type": content_type})

    health = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", scrape)]
    # Events are not compressed, because a compressor would hold them back.
    gzip = Middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=_COMPRESSION_LEVEL)
    return Starlette(routes=[*health, *page], middleware=[gzip])


@contextmanager
def serving(app: ASGIApp, host: str, port: int, names: Collection[str] = ()) -> Iterator[str]:
    """Serve an application while the body runs, and yield its address, such as `http://127.0.0.1:8080`.

    Args:
        app: the application.
        host: the address or name to listen on; a name is also an accepted host name.
        port: the port; 0 selects a free one.
        names: further accepted host names, besides IP addresses and names without a dot.

    Raises:
        OSError: if the address or port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        config = uvicorn.Config(
            HostFilter(app, (host, *names)),
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            http=BoundedConnection,
            ws="none",
            backlog=ACCEPTED_AT_ONCE,
            h11_max_incomplete_event_size=HEAD_MAX,
            headers=[("connection", "close"), *SECURITY_HEADERS],
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
