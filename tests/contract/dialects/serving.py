"""The other end of an adapter in any dialect: a world behind a real socket, and the contract's faults on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum, auto
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reconciler.adapters.credentials import EnvCredentials
from reconciler.model.job import TERMINAL, Account, JobRef, Phase
from reconciler.ports import AccountConfig, JobController
from reconciler.providers import load
from reconciler.sandbox.answers import Hang, Reset
from reconciler.sandbox.options import SandboxOptions
from reconciler.sandbox.world import JobView, UnknownJob, World
from reconciler.testing import Disturbed, Fault
from reconciler.transport import Deadlines, Gate, HttpTransport
from tests.contract.stages import FREELY, NOW, Served

Json = dict[str, Any]

IMPATIENTLY = Deadlines(connect_s=0.25, request_s=0.25)
PATIENTLY = Deadlines(connect_s=5, request_s=5)
"""Where nothing is silent, so that a busy machine spoils no test."""
UNHEARD_OF = "Reticulating"
PHASES = (Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)
JOBS = [
    {"id": f"ftjob-{phase}", "age": "2h", "life": [{"phase": "queued", "for": "1h"}, {"phase": phase.value}]}
    for phase in PHASES
]


class Operation(Enum):
    """What can be asked."""

    LIST = auto()
    RETRIEVE = auto()
    CANCEL = auto()


class Why(Enum):
    """Why something is refused."""

    WRONG_KEY = auto()
    FORBIDDEN = auto()
    THROTTLED = auto()
    BROKEN = auto()
    NO_SUCH_JOB = auto()
    TOO_LATE = auto()


_REFUSALS = {
    Fault.UNAUTHORISED: Why.WRONG_KEY,
    Fault.FORBIDDEN: Why.FORBIDDEN,
    Fault.RATE_LIMITED: Why.THROTTLED,
    Fault.SERVER_ERROR: Why.BROKEN,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, understood."""

    operation: Operation
    job_id: str = ""
    token: str | None = None
    limit: int = 100


class Dialect(Protocol):
    """How a provider is asked, and how it says things."""

    def asked(self, request: Request, body: bytes) -> Asked | None:
        """Return what is asked; None for a URL that the API does not have."""
        ...

    def is_authentic(self, request: Request, body: bytes) -> bool:
        """Whether the request proves that it knows the secret."""
        ...

    def job(self, view: JobView, word: str | None) -> Json:
        """Return a job as a retrieve shows it, with another status word if one is given."""
        ...

    def row(self, view: JobView, word: str | None) -> Json:
        """Return a job as a list shows it."""
        ...

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page of a list."""
        ...

    def taken(self) -> Response:
        """Return what a cancel that was taken is answered with."""
        ...

    def refusal(self, why: Why, said: str) -> Response:
        """Return an error in the provider's own envelope."""
        ...


class DialectServer:
    """An ASGI application: the dialect's API over a world."""

    def __init__(self, dialect: Dialect, world: World, now: Callable[[], datetime]) -> None:
        self.fault: Fault | None = None
        self._dialect = dialect
        self._world = world
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = self._respond(request, await request.body())
        response.headers["date"] = format_datetime(self._now().astimezone(UTC), usegmt=True)
        await response(scope, receive, send)

    def _respond(self, request: Request, body: bytes) -> Response:
        asked = self._dialect.asked(request, body)
        if asked is None or self.fault is Fault.FOREIGN_NOT_FOUND:
            return JSONResponse({"detail": "Not Found"}, 404)
        if not self._dialect.is_authentic(request, body):
            return self._dialect.refusal(Why.WRONG_KEY, "the request does not prove that it knows the secret")
        if self.fault in _REFUSALS:
            said = f"a careless provider says it all: {dict(request.headers)}"
            return self._dialect.refusal(_REFUSALS[self.fault], said)
        if self.fault in (Fault.SILENCE, Fault.RESET_BEFORE_ACTING):
            return Hang() if self.fault is Fault.SILENCE else Reset()
        if self.fault is Fault.PAGE_OF_A_PROXY:
            return HTMLResponse("<!doctype html><title>Sign in</title>")
        return self._spoilt(self._answer(asked))

    def _spoilt(self, response: Response) -> Response:
        match self.fault:
            case Fault.RESET_AFTER_ACTING:
                return Reset()
            case Fault.CUT_SHORT:
                return Response(bytes(response.body)[:-1] or b"{", media_type="application/json")
            case Fault.EMPTY:
                return Response(media_type="application/json")
            case _:
                return response

    def _answer(self, asked: Asked) -> Response:
        if asked.operation is Operation.LIST:
            return JSONResponse(self._page(asked))
        try:
            view = self._world.retrieve(asked.job_id, self._now())
        except UnknownJob:
            return self._dialect.refusal(Why.NO_SUCH_JOB, asked.job_id)
        if asked.operation is Operation.RETRIEVE:
            return JSONResponse(self._dialect.job(view, self._word()))
        if view.phase in TERMINAL | {Phase.CANCELLING}:
            return self._dialect.refusal(Why.TOO_LATE, f"the job is {view.phase}")
        self._world.cancel(asked.job_id, self._now())
        return self._dialect.taken()

    def _page(self, asked: Asked) -> Json:
        is_endless = self.fault is Fault.ENDLESS_LIST
        after = None if asked.token is None or is_endless else asked.token.removeprefix("behind/")
        found = self._world.list_jobs(self._now(), after=after, limit=asked.limit)
        has_more = found.has_more or is_endless
        rows = [self._dialect.row(view, self._word()) for view in found.jobs]
        return self._dialect.page(rows, f"behind/{found.jobs[-1].job.id}" if has_more else None)

    def _word(self) -> str | None:
        return UNHEARD_OF if self.fault is Fault.UNKNOWN_WORD else None


class DialectStage:
    """A fresh world for one test of the contract, spoken to through a type's own dialect."""

    def __init__(
        self, served: Served, type_name: str, options: Mapping[str, str], dialect: Dialect, *, key: str, secret: str
    ) -> None:
        self._type = load(type_name)
        self._options = self._type.options.model_validate(options)
        self._key = key
        self.secret = secret
        self.capabilities = self._type.capabilities
        self.account = Account(type_name, served.base_url.removesuffix("/v1"), self._type.scope(self._options))
        self.job_ids = frozenset(f"ftjob-{phase}" for phase in PHASES)
        world = SandboxOptions.model_validate({"jobs": JOBS, "cancelTakes": "30s", "cancelWord": "cancelling"})
        self._server = DialectServer(dialect, World(world, NOW), lambda: NOW)
        self._way = Disturbed(self._server)
        served.app = self._way

    def job_in(self, phase: Phase) -> JobRef:
        """Return the job that is named after its phase."""
        return JobRef(self.account, f"ftjob-{phase}")

    def break_with(self, fault: Fault) -> None:
        """From now on, this happens at the other end, or on the way to it."""
        self._server.fault = self._way.fault = fault

    def heal(self) -> None:
        """From now on, nothing happens."""
        self._server.fault = self._way.fault = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JobController]:
        """Open the account with the key."""
        config = AccountConfig(account=self.account, options=self._options, state_dir=None, now=lambda: NOW)
        credentials = EnvCredentials("KEY", {"KEY": self._key})
        deadlines = IMPATIENTLY if self._server.fault is Fault.SILENCE else PATIENTLY
        async with (
            HttpTransport(self.account.base_url, Gate(FREELY), deadlines) as transport,
            self._type.open(config, transport, credentials) as controller,
        ):
            yield controller
