"""What a call asks, and what the world says to it. Still no HTTP: text comes in, JSON goes out.

Some faults live here, because they are about what the world is asked: a list that goes round, a replica that lags, a
cancel that is lost or late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.sandbox import serialization
from reconciler.sandbox.faults import Call, Endless, Fault, LateCancel, LostCancel, Operation, StaleRead
from reconciler.sandbox.world import ImpossibleRequestError, World

LIMIT_MAX = 100
_LIMIT_DEFAULT = {Operation.LIST: 20, Operation.EVENTS: 20, Operation.CHECKPOINTS: 10}
_NEEDED = ("model", "training_file")
_TAKEN = (*_NEEDED, "validation_file", "suffix", "metadata", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call, read. What its operation has no use for is empty."""

    call: Call
    at: datetime
    job_id: str = ""
    after: str | None
    limit: int
    metadata: Mapping[str, str] | None
    fields: Mapping[str, object]


def read(
    world: World, operation: Operation, job_id: str | None, at: datetime, query: Mapping[str, str], body: bytes
) -> Question:
    """Return what is asked. Raises `ImpossibleRequestError` where that cannot be understood."""
    after = query.get("after")
    limit = _limit(query.get("limit"), _LIMIT_DEFAULT.get(operation, LIMIT_MAX))
    is_list = operation is Operation.LIST
    return Question(
        call=Call(operation, job_id, world.page_number(after, limit) if is_list else 1),
        at=at,
        job_id=job_id or "",
        after=after,
        limit=limit,
        metadata=_metadata(query) if is_list else None,
        fields=_fields(body) if operation is Operation.CREATE else {},
    )


def ask(world: World, question: Question, fault: Fault | None) -> serialization.Json:
    """Return the world's answer. Raises `UnknownJobError` and `ImpossibleRequestError`."""
    return _ANSWERS[question.call.operation](world, question, fault)


def _list(world: World, question: Question, fault: Fault | None) -> serialization.Json:
    is_endless = isinstance(fault, Endless)
    found = world.list_jobs(
        _as_of(question, fault),
        after=None if is_endless else question.after,
        limit=question.limit,
        metadata=question.metadata,
    )
    return serialization.page([serialization.job(view) for view in found.jobs], has_more=found.has_more or is_endless)


def _create(world: World, question: Question, _: Fault | None) -> serialization.Json:
    return serialization.job(world.create(question.at, question.fields))


def _retrieve(world: World, question: Question, fault: Fault | None) -> serialization.Json:
    return serialization.job(world.retrieve(question.job_id, _as_of(question, fault)))


def _cancel(world: World, question: Question, fault: Fault | None) -> serialization.Json:
    if isinstance(fault, LostCancel):
        return _retrieve(world, question, fault)
    takes = fault.for_ if isinstance(fault, LateCancel) else None
    return serialization.job(world.cancel(question.job_id, question.at, takes=takes))


def _pause(world: World, question: Question, _: Fault | None) -> serialization.Json:
    return serialization.job(world.pause(question.job_id, question.at))


def _resume(world: World, question: Question, _: Fault | None) -> serialization.Json:
    return serialization.job(world.resume(question.job_id, question.at))


def _events(world: World, question: Question, _: Fault | None) -> serialization.Json:
    return _cut(serialization.events(world.retrieve(question.job_id, question.at)), question)


def _checkpoints(world: World, question: Question, _: Fault | None) -> serialization.Json:
    return _cut(serialization.checkpoints(world.retrieve(question.job_id, question.at)), question)


_ANSWERS: Mapping[Operation, Callable[[World, Question, Fault | None], serialization.Json]] = {
    Operation.LIST: _list,
    Operation.CREATE: _create,
    Operation.RETRIEVE: _retrieve,
    Operation.CANCEL: _cancel,
    Operation.PAUSE: _pause,
    Operation.RESUME: _resume,
    Operation.EVENTS: _events,
    Operation.CHECKPOINTS: _checkpoints,
}


def _as_of(question: Question, fault: Fault | None) -> datetime:
    return question.at - fault.for_ if isinstance(fault, StaleRead) else question.at


def _cut(rows: list[serialization.Json], question: Question) -> serialization.Json:
    """Return the page of rows that the question is about; an unknown cursor is the end."""
    ids = [row["id"] for row in rows]
    start = 0
    if question.after is not None:
        start = ids.index(question.after) + 1 if question.after in ids else len(rows)
    stop = start + question.limit
    return serialization.page(rows[start:stop], has_more=stop < len(rows))


def _limit(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LIMIT_MAX:
        msg = f"Invalid 'limit': expected a whole number from 1 to {LIMIT_MAX}, but got {text!r}."
        raise ImpossibleRequestError(msg, param="limit")
    return int(text)


def _metadata(query: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the filter `metadata[k]=v`; `metadata=null` asks for the jobs that have none."""
    if query.get("metadata") == "null":
        return {}
    wanted = {key[len("metadata[") : -1]: query[key] for key in query if key.startswith("metadata[") and key[-1] == "]"}
    return wanted or None


def _fields(body: bytes) -> Mapping[str, object]:
    """Return what a request to create a job says, as far as the sandbox has a use for it."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        msg = "The body is not a JSON object."
        raise ImpossibleRequestError(msg)
    fields = {key: said[key] for key in _TAKEN if said.get(key) is not None}
    missing = next((key for key in _NEEDED if key not in fields), None)
    if missing is not None:
        msg = f"Missing required parameter: '{missing}'."
        raise ImpossibleRequestError(msg, param=missing)
    return fields
