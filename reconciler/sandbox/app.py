"""The OpenAI fine-tuning API over a world, with faults on demand.

One rule: whatever goes wrong here was declared. The moment comes from `now`, so the `Date` header follows a virtual
clock. Beside the API stands the operator's own corner: `GET /sandbox/requests` tells what truly happened, `POST` and
`DELETE /sandbox/faults` change what goes wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import count

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconciler.model.spec import render_instant
from reconciler.sandbox.faults import FAULTS, Fault, Operation, Slow
from reconciler.sandbox.requests import ask, read
from reconciler.sandbox.responses import NoAnswer, instead, refusal, spoilt
from reconciler.sandbox.world import ImpossibleRequestError, Request, UnknownJobError, World

JOBS = "/v1/fine_tuning/jobs"
_ROUTES = (
    ("GET", "", Operation.LIST),
    ("POST", "", Operation.CREATE),
    ("GET", "/{job_id}", Operation.RETRIEVE),
    ("POST", "/{job_id}/cancel", Operation.CANCEL),
    ("POST", "/{job_id}/pause", Operation.PAUSE),
    ("POST", "/{job_id}/resume", Operation.RESUME),
    ("GET", "/{job_id}/events", Operation.EVENTS),
    ("GET", "/{job_id}/checkpoints", Operation.CHECKPOINTS),
)


def create_app(
    world: World,
    now: Callable[[], datetime],
    *,
    api_key: str | None = None,
    save: Callable[[str], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Starlette:
    """Return the API over a world.

    Without `api_key` anyone may ask; with one, whoever does not bear it gets a 401. `save` is given the world's text
    after each change, before the answer goes out. A call that meets a reset raises `ConnectionResetByFaultError` from
    the application; a server closes the connection on it, in the middle of the answer.
    """
    api = _Api(world=world, now=now, api_key=api_key, save=save, sleep=sleep)
    routes = [
        Route(f"{JOBS}{path}", partial(api.answer, operation), methods=[method]) for method, path, operation in _ROUTES
    ]
    corner = [
        Route("/sandbox/requests", api.tell_requests, methods=["GET"]),
        Route("/sandbox/faults", api.add_faults, methods=["POST"]),
        Route("/sandbox/faults", api.clear_faults, methods=["DELETE"]),
    ]
    return Starlette(routes=routes + corner, exception_handlers={HTTPException: _no_such_url})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    world: World
    now: Callable[[], datetime]
    api_key: str | None
    save: Callable[[str], None] | None
    sleep: Callable[[float], Awaitable[None]]
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def answer(self, operation: Operation, request: HttpRequest) -> Response:
        """Answer one call of the API, and note it down."""
        body = await request.body()
        at = self.now()
        before = self.world.changes
        response, fault = self._respond(operation, request, body, at)
        has_acted = self.world.changes != before
        if self.save is not None and (has_acted or fault is not None):
            self.save(self.world.to_json())
        self.world.requests.append(
            Request(
                at=at,
                method=request.method,
                path=request.url.path,
                verb=operation,
                job_id=request.path_params.get("job_id"),
                acted=has_acted,
                status=None if isinstance(response, NoAnswer) else response.status_code,
            )
        )
        response.headers["date"] = format_datetime(at.astimezone(UTC), usegmt=True)
        response.headers["x-request-id"] = f"req_sandbox_{next(self.numbers)}"
        if isinstance(fault, Slow):
            await self.sleep(fault.for_.total_seconds())
        return response

    def _respond(
        self, operation: Operation, request: HttpRequest, body: bytes, at: datetime
    ) -> tuple[Response, Fault | None]:
        """Return the answer, and the fault that the call met. Nothing here waits, so no other call comes between."""
        job_id = request.path_params.get("job_id")
        fault: Fault | None = None
        try:
            self._authenticate(request)
            question = read(self.world, operation, job_id, at, request.query_params, body)
            fault = self.world.faults.pick(question.call)
            response = instead(fault) or spoilt(fault, ask(self.world, question, fault))
        except _WrongKeyError as error:
            response = refusal(401, str(error), code="invalid_api_key")
        except UnknownJobError as error:
            said = f"Could not find fine tune: {error}"
            response = refusal(404, said, param="fine_tuning_job_id", code="fine_tune_not_found")
        except ImpossibleRequestError as error:
            response = refusal(400, str(error), param=error.param)
        return response, fault

    async def tell_requests(self, _: HttpRequest) -> Response:
        """Return every request that the API has seen, oldest first."""
        told = [{**asdict(each), "at": render_instant(each.at)} for each in self.world.requests]
        return JSONResponse({"requests": told})

    async def add_faults(self, request: HttpRequest) -> Response:
        """Put one rule, or a list of them, behind those that are there."""
        try:
            body = json.loads(await request.body())
            rules = FAULTS.validate_python(body if isinstance(body, list) else [body])
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            return refusal(422, said, code="invalid_fault")
        except ValueError:
            return refusal(422, "The body is not JSON.", code="invalid_fault")
        self.world.faults.add(rules)
        return JSONResponse({"added": len(rules)})

    async def clear_faults(self, _: HttpRequest) -> Response:
        """Heal everything, declared faults included."""
        self.world.faults.clear()
        return Response(status_code=204)

    def _authenticate(self, request: HttpRequest) -> None:
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            msg = "This is not the API key that the sandbox was started with."
            raise _WrongKeyError(msg)


class _WrongKeyError(Exception):
    pass


async def _no_such_url(request: HttpRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refusal(status, f"Invalid URL ({request.method} {request.url.path})")
