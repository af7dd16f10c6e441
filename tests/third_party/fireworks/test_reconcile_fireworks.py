"""The adapter fulfils the contract: a small server implements the API, and reconcile's contract suite tests both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from reconcile_fireworks import COLLECTION, FIREWORKS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reconciler.plugin import JobController, JobRef, Phase
from reconciler.testing import RETRY_AFTER_S, Fault, FaultInjector, ProviderContract, account_at, opened, served

ACCOUNT = "acme"
ROOT = f"/v1/accounts/{ACCOUNT}/{COLLECTION}"
SECRET = "fw-canary-0123456789"  # noqa: S105 - a canary
STATES = {
    Phase.QUEUED: "JOB_STATE_PENDING",
    Phase.RUNNING: "JOB_STATE_RUNNING",
    Phase.SUCCEEDED: "JOB_STATE_COMPLETED",
    Phase.FAILED: "JOB_STATE_FAILED",
    Phase.CANCELLED: "JOB_STATE_CANCELLED",
}
ENDED = {STATES[phase] for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)}
REFUSALS = {
    Fault.UNAUTHORISED: (401, 16),
    Fault.FORBIDDEN: (403, 7),
    Fault.RATE_LIMITED: (429, 8),
    Fault.SERVER_ERROR: (500, 13),
}


class Fireworks:
    """The server: the jobs of one account, and the faults that only this API has."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.fault: Fault | None = None

    def begin(self) -> None:
        """Reset the server."""
        self.states = {f"job-{phase}": state for phase, state in STATES.items()}
        self.fault = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._respond(Request(scope, receive))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        path = request.url.path.removeprefix(ROOT)
        if not request.url.path.startswith(ROOT):
            return JSONResponse({"detail": "Not Found"}, 404)
        if self.fault in REFUSALS:
            status, code = REFUSALS[self.fault]
            said = f"no, and a careless server says it all: {dict(request.headers)}"
            return JSONResponse({"code": code, "message": said}, status, {"retry-after": str(RETRY_AFTER_S)})
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return JSONResponse({"code": 16, "message": "who are you?"}, 401)
        return self._answer(request, path)

    def _answer(self, request: Request, path: str) -> Response:
        job_id, _, verb = path.removeprefix("/").partition(":")
        if not job_id:
            return self._page(request.query_params.get("pageToken"), int(request.query_params["pageSize"]))
        if job_id not in self.states:
            return JSONResponse({"code": 5, "message": f"job {job_id} not found", "details": []}, 404)
        if verb == "cancel":
            if self.states[job_id] in ENDED:
                return JSONResponse({"code": 9, "message": "the job is over"}, 400)
            self.states[job_id] = "JOB_STATE_CANCELLING"
            return JSONResponse({})
        return JSONResponse(self._job(job_id))

    def _page(self, token: str | None, size: int) -> Response:
        names = sorted(self.states)
        start = 0 if token is None or self.fault is Fault.ENDLESS_LIST else int(token)
        more = str(start + size) if start + size < len(names) or self.fault is Fault.ENDLESS_LIST else ""
        return JSONResponse(
            {COLLECTION: [self._job(each) for each in names[start : start + size]], "nextPageToken": more}
        )

    def _job(self, job_id: str) -> dict[str, object]:
        state = self.states[job_id]
        ended = {"completedTime": "2026-11-23T13:00:00Z"} if state in ENDED else {}
        return {
            "name": f"{ROOT.removeprefix('/v1/')}/{job_id}",
            "baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct",
            "state": "JOB_STATE_RETICULATING" if self.fault is Fault.UNKNOWN_WORD else state,
            "createTime": "2026-11-23T12:00:00Z",
            **ended,
        }


class FireworksStage:
    """The harness that `ProviderContract` needs."""

    secret = SECRET
    capabilities = FIREWORKS.capabilities

    def __init__(self, base_url: str, server: Fireworks, way: FaultInjector) -> None:
        self._base_url = base_url
        self._server = server
        self._way = way
        server.begin()
        self.heal()
        self.job_ids = frozenset(server.states)

    def job_in(self, phase: Phase) -> JobRef:
        """Return the job that is named after its phase."""
        return JobRef(account_at(FIREWORKS, self._base_url, {"account": ACCOUNT}), f"job-{phase}")

    def break_with(self, fault: Fault) -> None:
        """Let it happen at the server, or on the way to it."""
        self._server.fault = self._way.fault = fault

    def heal(self) -> None:
        """Let nothing happen."""
        self._server.fault = self._way.fault = None

    def open(self) -> AbstractAsyncContextManager[JobController]:
        """Open the account."""
        is_silent = self._server.fault is Fault.SILENCE
        return opened(FIREWORKS, self._base_url, {"account": ACCOUNT}, secret=SECRET, is_impatient=is_silent)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[str, Fireworks, FaultInjector]]:
    """Yield one server for all tests."""
    server = Fireworks()
    way = FaultInjector(server)
    with served(way) as url:
        yield url, server, way


class TestFireworks(ProviderContract):
    """`fireworks` fulfils the contract."""

    @pytest.fixture
    def stage(self, site: tuple[str, Fireworks, FaultInjector]) -> FireworksStage:
        """Return the server with its initial jobs."""
        return FireworksStage(*site)


def test_a_resource_name_and_a_bare_id_are_one_job() -> None:
    """A resource name of another account is invalid."""
    options = FIREWORKS.options.model_validate({"account": ACCOUNT})

    assert FIREWORKS.canonical_id("job-1", options) == "job-1"
    assert FIREWORKS.canonical_id(f"accounts/{ACCOUNT}/{COLLECTION}/job-1", options) == "job-1"
    with pytest.raises(ValueError, match="not a job of the account 'acme'"):
        FIREWORKS.canonical_id(f"accounts/other/{COLLECTION}/job-1", options)


def test_every_request_that_changes_something_has_a_body() -> None:
    """Fireworks' own client also sends `{}` with a cancel."""
    bodies: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        bodies.append(json.loads(await Request(scope, receive).body()))
        await JSONResponse({})(scope, receive, send)

    async def main(url: str) -> None:
        async with opened(FIREWORKS, url, {"account": ACCOUNT}, secret=SECRET) as controller:
            await controller.cancel_job(JobRef(account_at(FIREWORKS, url, {"account": ACCOUNT}), "job-1"))

    with served(app) as url:
        asyncio.run(main(url))

    assert bodies == [{}]
