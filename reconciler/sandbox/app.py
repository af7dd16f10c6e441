"""The HTTP API of the sandbox: OpenAI's API for fine-tuning jobs and batches over two worlds, with declared faults.

A valid request with the right key fails only if a declared fault applies to it. The time comes from `now`, so the
`Date` header follows a virtual clock.

Besides OpenAI's API there are routes for tests: `GET /sandbox/requests` lists the most recent requests to the API
(`world.REQUESTS_MAX` for each kind), with `?job_id=ID`, once or more, only those about these jobs. `POST` and `DELETE
/sandbox/faults` change the faults.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from itertools import count

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconciler.model.spec import render_instant
from reconciler.sandbox.collection import BATCHES, FINE_TUNING_JOBS, Collection
from reconciler.sandbox.faults import FAULTS, Fault, Operation, Slow
from reconciler.sandbox.requests import handle, parse_request
from reconciler.sandbox.responses import NoResponse, error_response, faulty_response, replacement_for
from reconciler.sandbox.world import BatchWorld, InvalidRequestError, Request, UnknownJobError, World


def create_app(
    world: World,
    now: Callable[[], datetime],
    *,
    api_key: str | None = None,
    save: Callable[[str], None] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    batches: BatchWorld | None = None,
) -> Starlette:
    """Return the application for one or two worlds.

    Args:
        world: the fine-tuning jobs with their faults, or a `BatchWorld` that is served alone.
        now: returns the current time.
        api_key: the accepted key. The response to any other key is HTTP 401. With None, every key is accepted.
        save: called with the state of the world of a request, before the response is sent, if the request has changed
            that world or matched a fault rule. None saves nothing.
        sleep: the function that waits; tests pass the one of a virtual clock.
        batches: the batches with their faults, to be served besides `world`; None serves only `world`.

    A reset fault raises `ConnectionResetByFaultError` from the application. The server then closes the connection in
    the middle of the response.
    """
    worlds = [each for each in (world, batches) if each is not None]
    apis = [
        _Api(world=each, collection=_collection(each), now=now, api_key=api_key, save=save, sleep=sleep)
        for each in worlds
    ]
    routes = [
        Route(f"{api.collection.path}{path}", partial(api.answer, operation), methods=[method])
        for api in apis
        for method, path, operation in api.collection.routes
    ]
    control = _Control(worlds)
    control_routes = [
        Route("/sandbox/requests", control.list_requests, methods=["GET"]),
        Route("/sandbox/faults", control.add_faults, methods=["POST"]),
        Route("/sandbox/faults", control.clear_faults, methods=["DELETE"]),
    ]
    return Starlette(routes=routes + control_routes, exception_handlers={HTTPException: _no_such_url})


def _collection(world: World) -> Collection:
    return BATCHES if isinstance(world, BatchWorld) else FINE_TUNING_JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    world: World
    collection: Collection
    now: Callable[[], datetime]
    api_key: str | None
    save: Callable[[str], None] | None
    sleep: Callable[[float], Awaitable[None]]
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def answer(self, operation: Operation, request: HttpRequest) -> Response:
        """Handle one request to the API, and record it."""
        body = await request.body()
        at = self.now()
        before, matched = self.world.changes, self.world.faults.matched
        response, fault = self._respond(operation, request, body, at)
        has_acted = self.world.changes != before
        if self.save is not None and (has_acted or self.world.faults.matched != matched):
            self.save(self.world.to_json())
        self.world.requests.append(
            Request(
                at=at,
                method=request.method,
                path=request.url.path,
                verb=operation,
                job_id=request.path_params.get("job_id"),
                acted=has_acted,
                status=None if isinstance(response, NoResponse) else response.status_code,
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
        """Return the response, and the applied fault or None. Nothing is awaited here, so requests do not overlap."""
        job_id = request.path_params.get("job_id")
        fault: Fault | None = None
        try:
            self._authenticate(request)
            api_request = parse_request(self.world, self.collection, operation, job_id, at, request.query_params, body)
            fault = self.world.faults.pick(api_request.call)
            response = replacement_for(fault) or faulty_response(fault, handle(self.world, api_request, fault))
        except _WrongKeyError as error:
            response = error_response(401, str(error), code="invalid_api_key")
        except UnknownJobError as error:
            response = self.collection.absence(str(error))
        except InvalidRequestError as error:
            status = self.collection.refusal if operation is Operation.CANCEL else HTTPStatus.BAD_REQUEST
            response = error_response(status, str(error), param=error.param)
        return response, fault

    def _authenticate(self, request: HttpRequest) -> None:
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            msg = "This is not the API key that the sandbox was started with."
            raise _WrongKeyError(msg)


@dataclass(frozen=True, slots=True)
class _Control:
    """The handlers of the routes for tests."""

    worlds: Sequence[World]

    async def list_requests(self, request: HttpRequest) -> Response:
        """Return the requests that the worlds have recorded, world by world, oldest first."""
        jobs = {*request.query_params.getlist("job_id")}
        found = (each for world in self.worlds for each in world.requests if not jobs or each.job_id in jobs)
        return JSONResponse({"requests": [_request_row(each) for each in found]})

    async def add_faults(self, request: HttpRequest) -> Response:
        """Append one fault rule, or a list of them, to the rules of each world."""
        try:
            body = json.loads(await request.body())
            rules = FAULTS.validate_python(body if isinstance(body, list) else [body])
        except ValidationError as error:
            message = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            return error_response(422, message, code="invalid_fault")
        except ValueError:
            return error_response(422, "The body is not JSON.", code="invalid_fault")
        for world in self.worlds:
            world.faults.add(rules)
        return JSONResponse({"added": len(rules)})

    async def clear_faults(self, _: HttpRequest) -> Response:
        """Remove all fault rules of each world, including those from the Provider document."""
        for world in self.worlds:
            world.faults.clear()
        return Response(status_code=204)


class _WrongKeyError(Exception):
    pass


async def _no_such_url(request: HttpRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(status, f"Invalid URL ({request.method} {request.url.path})")


_REQUEST_FIELDS = tuple(each.name for each in fields(Request))


def _request_row(request: Request) -> dict[str, object]:
    return {name: getattr(request, name) for name in _REQUEST_FIELDS} | {"at": render_instant(request.at)}
