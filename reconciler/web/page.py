"""The read-only page of a running watch: its routes, and the cache of rendered pages.

Rules:

- A page is rendered from one immutable `WatchStatus`. Rendering reads no disk, sends no request to a provider, and
  holds no lock that a pass needs.
- Only GET and HEAD exist. No request changes anything.
- Pages are rendered one at a time, in a thread, so that probes do not wait for them. Requests for the same page
  within one second share one rendering.
- Secrets are redacted in the whole text of a page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from urllib.parse import parse_qsl
from zlib import crc32

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.model.watch_status import WatchStatus, liveness_problems
from reconciler.redaction import KNOWN_SECRETS
from reconciler.views.accounts_page import accounts_page
from reconciler.views.job_page import job_page
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.watch_view import WatchView, changed_names, watch_view

STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that pages load, with their types."""
CHANGES_MAX = 100
"""The maximum number of views whose changes are kept."""
NAMES_MAX = 100
"""The maximum number of names in one event."""
RENDERED_MAX = 16
"""The maximum number of rendered pages that are kept."""


RenderPage = Callable[[WatchView, Frame], str]


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file whose address contains the hash of its content, so that browsers may keep it forever."""

    path: str
    content: bytes
    content_type: str

    @classmethod
    def of(cls, name: str, content_type: str) -> StaticFile:
        """Return a file of the folder `static`, with its content."""
        content = (files("reconciler.web") / "static" / name).read_bytes()
        stem, _, suffix = name.rpartition(".")
        return cls(f"/static/{stem}.{sha256(content).hexdigest()[:16]}.{suffix}", content, content_type)

    def route(self) -> BaseRoute:
        """Return the route that serves the file."""
        headers = {"cache-control": "public, max-age=31536000, immutable"}

        async def serve(_: Request) -> Response:
            return Response(self.content, media_type=self.content_type, headers=headers)

        return Route(self.path, serve)


@dataclass(slots=True)
class PageServer:
    """The routes of the page.

    Args:
        watch_status: returns the current status of the watch.
        monotonic: returns the current time, in monotonic seconds.
        now: returns the current time.
        started: identifies this process, so that a page of an earlier process is recognised as outdated.
    """

    watch_status: Callable[[], WatchStatus]
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    started: str
    _static: dict[str, StaticFile] = field(init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while pages are rendered, one at a time and in a thread, so that probes do not wait for them."""
    _view: WatchView | None = None
    _changes: dict[str, list[str]] = field(default_factory=dict)
    """The names of the jobs that changed since the view before, by the number of passes of each view, in order."""
    _rendered: dict[tuple[str, str, datetime], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the files that pages load."""
        self._static = {name: StaticFile.of(name, type_) for name, type_ in STATIC.items()}

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the pages and of the files that they load."""
        return [
            Route("/", self._overview),
            Route("/jobs/{name}", self._job),
            Route("/accounts", self._accounts),
            *(each.route() for each in self._static.values()),
        ]

    async def view(self) -> WatchView:
        """Return the current view of the watch. The jobs are read once for each pass."""
        async with self._lock:
            return await asyncio.to_thread(self._current)

    async def changed_since(self, version: str) -> list[str] | None:
        """Return the names of the jobs that changed since the version that a page shows, sorted.

        Return None if more than `NAMES_MAX` jobs changed, or if the changes are unknown because the version is too old
        or belongs to an earlier process.
        """
        await self.view()
        shown = version.removeprefix(f"{self.started}-").partition("-")[0]
        if shown not in self._changes:
            return None
        views = list(self._changes)
        names = {name for view in views[views.index(shown) + 1 :] for name in self._changes[view]}
        return sorted(names) if len(names) <= NAMES_MAX else None

    def version(self, watch: WatchStatus) -> str:
        """Return the version that pages show.

        It changes with each pass, with a stop or halt, with each problem, and with the leader.
        """
        problems = len(liveness_problems(watch, self.monotonic()))
        leader = crc32(watch.leadership.text.encode()) if watch.leadership is not None else 0
        return f"{self.started}-{watch.passes}-{watch.is_stopping:d}{watch.is_halted:d}{problems}-{leader}"

    async def _overview(self, request: Request) -> Response:
        parameters = parse_qsl(request.url.query, keep_blank_values=True)
        return await self._respond(request, lambda view, frame: overview_page(view, parameters, frame))

    async def _accounts(self, request: Request) -> Response:
        return await self._respond(request, accounts_page)

    async def _job(self, request: Request) -> Response:
        name = request.path_params["name"]
        status_code = 200 if (await self.view()).named(name) else 404
        return await self._respond(request, lambda view, frame: job_page(name, view, frame), status_code)

    async def _respond(self, request: Request, render: RenderPage, status_code: int = 200) -> Response:
        path = f"{request.url.path}?{request.url.query}"
        async with self._lock:
            return await asyncio.to_thread(self._rendering, path, render, status_code)

    def _rendering(self, path: str, render: RenderPage, status_code: int) -> Response:
        view, now = self._current(), self.now()
        version = self.version(view.watch)
        key = (path, version, now.replace(microsecond=0))
        if key not in self._rendered:
            if len(self._rendered) >= RENDERED_MAX:
                self._rendered.clear()
            style, script = (self._static[name].path for name in STATIC)
            text = render(view, Frame(now, self.monotonic(), version, style, script, view.watch.report.is_shadow))
            self._rendered[key] = KNOWN_SECRETS.redact(text)
        # Each request gets a response of its own, because the compression changes the headers of a response.
        return HTMLResponse(self._rendered[key], status_code, {"cache-control": "no-store"})

    def _current(self) -> WatchView:
        watch, before = self.watch_status(), self._view
        if before is not None and before.watch.passes == watch.passes:
            return WatchView(watch, before.jobs)
        self._view = watch_view(watch, before)
        if len(self._changes) >= CHANGES_MAX:
            del self._changes[next(iter(self._changes))]
        self._changes[str(watch.passes)] = changed_names(before, self._view) if before is not None else []
        return self._view
