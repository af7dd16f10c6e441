"""The stream of events that tells an open page when the watch has changed.

Rules:

- An event contains only the new version and the names of the jobs that changed (null if they are unknown or many). The
  page then requests itself again with its own filter, so that its table and its totals agree.
- The page names the version that it shows. If the watch is already at another version, the first event comes at once.
  Therefore, no change between the rendering of a page and the start of its stream is lost.
- `alive` events let the page notice a connection that broke without an error.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from reconciler.web.connections import CONNECTION, STREAMS_MAX, BoundedConnection
from reconciler.web.page import PageServer

LOOK_S = 1.0
"""Seconds between two reads of the watch status. A stream sends at most one event about a change in this time."""
ALIVE_S = 15.0
"""Seconds between two events without a change."""
RETRY_MS = 3000
"""How long a browser waits before it connects again, in milliseconds.

Up to a second is added at random, so that many pages do not connect at the same time.
"""
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""The headers of a stream. A proxy must pass on each event at once."""


def events_route(page: PageServer) -> BaseRoute:
    """Return the route of the events of a page."""

    async def events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=HEADERS)
        connection: BoundedConnection = request.scope["state"][CONNECTION]
        if not connection.become_stream():
            text = f"{STREAMS_MAX} pages already receive events: close one of them, or reload this page later\n"
            return PlainTextResponse(text, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "60"})
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        return StreamingResponse(_events(page, since, connection), media_type="text/event-stream", headers=HEADERS)

    return Route("/events", events)


async def _events(page: PageServer, since: str, connection: BoundedConnection) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS + random.randrange(1000)}\n\n"  # noqa: S311  only spreads the load
    silent_s = 0.0
    while connection.is_open:
        version = page.version(page.watch_status())
        if version != since:
            data = json.dumps({"version": version, "names": await page.changed_since(since)})
            yield f"id: {version}\ndata: {data}\n\n"
            since, silent_s = version, 0.0
        elif silent_s >= ALIVE_S:
            yield "event: alive\ndata:\n\n"
            silent_s = 0.0
        await asyncio.sleep(LOOK_S)
        silent_s += LOOK_S
