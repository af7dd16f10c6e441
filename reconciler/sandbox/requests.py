"""Parsing and handling of API requests, without HTTP: the input is text, and the output is JSON.

Some faults are implemented here, because they change how the world is called: an endless list, a stale replica, and a
lost or late cancel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.sandbox import serialization
from reconciler.sandbox.collection import Collection
from reconciler.sandbox.faults import Call, Endless, Fault, LateCancel, LostCancel, Operation, StaleRead
from reconciler.sandbox.world import InvalidRequestError, JobView, World

LIMIT_MAX = 100
"""The maximum size of a page."""
_LIMIT_DEFAULT = {Operation.LIST: 20, Operation.EVENTS: 20, Operation.CHECKPOINTS: 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A parsed request. Each operation reads only the fields that it needs.

    `after` is the id of the last row of the previous page, or None for the first page. `metadata` selects jobs, as in
    `World.list_jobs`. `fields` contains the properties of a new job.
    """

    call: Call
    at: datetime
    job_id: str = ""
    after: str | None
    limit: int
    metadata: Mapping[str, str] | None
    fields: Mapping[str, object]
    show: Callable[[JobView], serialization.Json]
    """Returns the JSON object of a job."""


def parse_request(
    world: World,
    collection: Collection,
    operation: Operation,
    job_id: str | None,
    at: datetime,
    query: Mapping[str, str],
    body: bytes,
) -> ApiRequest:
    """Return the parsed request. Raises `InvalidRequestError` if a parameter or the body is invalid.

    Args:
        world: the world of the request, which knows the cursors.
        collection: the collection of the request.
        operation: the operation.
        job_id: the id in the path, or None if the path has none.
        at: the time of the request.
        query: the query.
        body: the body, which only a create request needs.
    """
    after = query.get("after")
    limit = _limit(query.get("limit"), _LIMIT_DEFAULT.get(operation, LIMIT_MAX))
    is_list = operation is Operation.LIST
    return ApiRequest(
        call=Call(operation, job_id, world.page_number(after, limit) if is_list else 1),
        at=at,
        job_id=job_id or "",
        after=after,
        limit=limit,
        metadata=_metadata(query) if is_list else None,
        fields=_fields(body, collection) if operation is Operation.CREATE else {},
        show=collection.show,
    )


def handle(world: World, request: ApiRequest, fault: Fault | None) -> serialization.Json:
    """Return the JSON response of the world. `fault` is the fault that applies, or None.

    Raises `UnknownJobError` if the job does not exist, and `InvalidRequestError` if the world refuses the request.
    """
    return _HANDLERS[request.call.operation](world, request, fault)


def _list(world: World, request: ApiRequest, fault: Fault | None) -> serialization.Json:
    is_endless = isinstance(fault, Endless)
    found = world.list_jobs(
        _as_of(request, fault),
        after=None if is_endless else request.after,
        limit=request.limit,
        metadata=request.metadata,
    )
    return serialization.page([request.show(view) for view in found.jobs], has_more=found.has_more or is_endless)


def _create(world: World, request: ApiRequest, _: Fault | None) -> serialization.Json:
    return request.show(world.create(request.at, request.fields))


def _retrieve(world: World, request: ApiRequest, fault: Fault | None) -> serialization.Json:
    return request.show(world.retrieve(request.job_id, _as_of(request, fault)))


def _cancel(world: World, request: ApiRequest, fault: Fault | None) -> serialization.Json:
    if isinstance(fault, LostCancel):
        return _retrieve(world, request, fault)
    takes = fault.for_ if isinstance(fault, LateCancel) else None
    return request.show(world.cancel(request.job_id, request.at, takes=takes))


def _pause(world: World, request: ApiRequest, _: Fault | None) -> serialization.Json:
    return request.show(world.pause(request.job_id, request.at))


def _resume(world: World, request: ApiRequest, _: Fault | None) -> serialization.Json:
    return request.show(world.resume(request.job_id, request.at))


def _events(world: World, request: ApiRequest, _: Fault | None) -> serialization.Json:
    return _page_of(serialization.events(world.retrieve(request.job_id, request.at)), request)


def _checkpoints(world: World, request: ApiRequest, _: Fault | None) -> serialization.Json:
    return _page_of(serialization.checkpoints(world.retrieve(request.job_id, request.at)), request)


_HANDLERS: Mapping[Operation, Callable[[World, ApiRequest, Fault | None], serialization.Json]] = {
    Operation.LIST: _list,
    Operation.CREATE: _create,
    Operation.RETRIEVE: _retrieve,
    Operation.CANCEL: _cancel,
    Operation.PAUSE: _pause,
    Operation.RESUME: _resume,
    Operation.EVENTS: _events,
    Operation.CHECKPOINTS: _checkpoints,
}


def _as_of(request: ApiRequest, fault: Fault | None) -> datetime:
    return request.at - fault.for_ if isinstance(fault, StaleRead) else request.at


def _page_of(rows: list[serialization.Json], request: ApiRequest) -> serialization.Json:
    """Return the requested page of rows. The page after an unknown cursor is empty."""
    ids = [row["id"] for row in rows]
    start = 0
    if request.after is not None:
        start = ids.index(request.after) + 1 if request.after in ids else len(rows)
    stop = start + request.limit
    return serialization.page(rows[start:stop], has_more=stop < len(rows))


def _limit(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LIMIT_MAX:
        msg = f"Invalid 'limit': expected a whole number from 1 to {LIMIT_MAX}, but got {text!r}."
        raise InvalidRequestError(msg, param="limit")
    return int(text)


def _metadata(query: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the filter `metadata[k]=v`, or None. `metadata=null` selects the jobs without metadata."""
    if query.get("metadata") == "null":
        return {}
    wanted = {key[len("metadata[") : -1]: query[key] for key in query if key.startswith("metadata[") and key[-1] == "]"}
    return wanted or None


def _fields(body: bytes, collection: Collection) -> Mapping[str, object]:
    """Return the properties of a new job that a create request sets.

    Raises `InvalidRequestError` if the body is not a JSON object or lacks a required parameter.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        msg = "The body is not a JSON object."
        raise InvalidRequestError(msg)
    missing = next((key for key in collection.required if document.get(key) is None), None)
    if missing is not None:
        msg = f"Missing required parameter: '{missing}'."
        raise InvalidRequestError(msg, param=missing)
    return {key: document[key] for key in collection.used if document.get(key) is not None}
