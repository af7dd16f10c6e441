"""The contract tests of the adapter, with a small server that implements Replicate's API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from reconcile_replicate import REPLICATE, TRAININGS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reconciler.plugin import JobController, JobPage, JobRef, Kind, ListQuery, PermanentError, Phase
from reconciler.testing import RETRY_AFTER_S, Fault, FaultInjector, ProviderContract, account_at, opened, served

SECRET = "r8-canary-0123456789"  # noqa: S105 - a canary
STATUSES = {
    Phase.QUEUED: "starting",
    Phase.RUNNING: "processing",
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "canceled",
}
ENDED = {STATUSES[phase] for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)}
REFUSALS = {
    Fault.UNAUTHORISED: (401, "Unauthenticated"),
    Fault.FORBIDDEN: (403, "Permission denied"),
    Fault.RATE_LIMITED: (429, "Too many requests"),
    Fault.SERVER_ERROR: (500, "Internal server error"),
}


class Replicate:
    """The server: the trainings of one account, and the faults that need Replicate's own formats."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Restore the initial trainings, and remove the fault."""
        self.statuses = {f"training{phase}": status for phase, status in STATUSES.items()}
        self.page_size = 2
        self.fault: Fault | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        await self._respond(Request(scope, receive))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        path = request.url.path
        if not re.fullmatch(rf"{TRAININGS}(/[a-z0-9]+(/cancel)?)?", path):
            return problem(404, "Not found", "There is nothing at this address.")
        if self.fault in REFUSALS:
            status, title = REFUSALS[self.fault]
            said = f"no, and a careless server says it all: {dict(request.headers)}"
            return problem(status, title, said, **{"retry-after": str(RETRY_AFTER_S)})
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return problem(401, "Unauthenticated", "You did not pass an authentication token")
        return self._answer(request, *path.removeprefix(TRAININGS).split("/")[1:])

    def _answer(self, request: Request, job_id: str = "", verb: str = "") -> Response:
        if not job_id:
            return self._page(request.query_params.get("cursor"))
        if job_id not in self.statuses:
            return problem(404, "Not found", "The requested resource could not be found.")
        if verb:
            if self.statuses[job_id] in ENDED:
                return problem(400, "Invalid request", "The training has ended.")
            self.statuses[job_id] = "canceled"
        return JSONResponse(self._training(job_id))

    def _page(self, cursor: str | None) -> Response:
        ids = sorted(self.statuses)
        start = 0 if cursor is None or self.fault is Fault.ENDLESS_LIST else int(cursor)
        stop = start + self.page_size
        has_more = stop < len(ids) or self.fault is Fault.ENDLESS_LIST
        following = f"https://api.replicate.com{TRAININGS}?cursor={stop}" if has_more else None
        return JSONResponse({"next": following, "previous": None, "results": [*map(self._training, ids[start:stop])]})

    def _training(self, job_id: str) -> dict[str, object]:
        status = self.statuses[job_id]
        return {
            "id": job_id,
            "model": "stability-ai/sdxl",
            "status": "aborted" if self.fault is Fault.UNKNOWN_WORD else status,
            "output": {"version": f"acme/mine:{job_id}"} if status == "succeeded" else None,
            "error": "bad images" if status == "failed" else None,
            "created_at": "2026-11-23T12:00:00Z",
            "started_at": None if status == "starting" else "2026-11-23T12:01:00Z",
            "completed_at": "2026-11-23T13:00:00Z" if status in ENDED else None,
        }


def problem(status: int, title: str, detail: str, **headers: str) -> Response:
    """Return an error in the format of RFC 7807."""
    return JSONResponse({"title": title, "detail": detail, "status": status}, status, headers)


class ReplicateStage:
    """The `Stage` that the contract tests use."""

    secret = SECRET
    capabilities = REPLICATE.capabilities

    def __init__(self, base_url: str, server: Replicate, way: FaultInjector) -> None:
        self._base_url = base_url
        self._server = server
        self._way = way
        server.begin()
        self.heal()
        self.job_ids = frozenset(server.statuses)

    def job_in(self, phase: Phase) -> JobRef:
        """Return the training that is named after its phase."""
        return JobRef(account_at(REPLICATE, self._base_url), f"training{phase}")

    def break_with(self, fault: Fault) -> None:
        """Apply a fault: the server implements some, and the fault injector in front of it the others."""
        self._server.fault = self._way.fault = fault

    def heal(self) -> None:
        """Remove the fault."""
        self._server.fault = self._way.fault = None

    def open(self) -> AbstractAsyncContextManager[JobController]:
        """Open the adapter, with short deadlines if the server does not respond."""
        is_silent = self._server.fault is Fault.SILENCE
        return opened(REPLICATE, self._base_url, secret=SECRET, is_impatient=is_silent)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[str, Replicate, FaultInjector]]:
    """Yield one server for all tests."""
    server = Replicate()
    way = FaultInjector(server)
    with served(way) as url:
        yield url, server, way


class TestReplicate(ProviderContract):
    """`replicate` fulfils the contract."""

    @pytest.fixture
    def stage(self, site: tuple[str, Replicate, FaultInjector]) -> ReplicateStage:
        """Return the server with its initial trainings."""
        return ReplicateStage(*site)


def pages_of(url: str) -> list[JobPage]:
    """Return the pages of the list."""

    async def main() -> list[JobPage]:
        async with opened(REPLICATE, url, secret=SECRET) as controller:
            pages = [await controller.list_page(ListQuery(2), None)]
            while pages[-1].next_cursor is not None:
                pages.append(await controller.list_page(ListQuery(2), pages[-1].next_cursor))
            return pages

    return asyncio.run(main())


def test_a_long_page_is_divided(site: tuple[str, Replicate, FaultInjector]) -> None:
    """Replicate's pages have 100 rows, whatever length is requested."""
    url, server, _ = site
    server.begin()
    server.page_size = 3
    pages = pages_of(url)

    assert [len(page.jobs) for page in pages] == [2, 1, 2]
    assert sorted(job.id for page in pages for job in page.jobs) == sorted(server.statuses)


def test_a_next_page_without_a_cursor_is_not_the_end_of_a_list() -> None:
    """A job that is missing from such a list must not count as absent."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"results": [], "next": "https://api.replicate.com/v1/trainings"})(scope, receive, send)

    with served(app) as url, pytest.raises(PermanentError, match="incomplete") as caught:
        pages_of(url)

    assert caught.value.kind is Kind.INVALID
