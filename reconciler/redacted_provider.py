"""An adapter, as the rest of the product sees it: nothing that it returns or raises holds a secret.

Rules: it goes around every adapter, also one that speaks to its provider in a way of its own; it has the methods that
the adapter has, and no others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from reconciler.errors import ProviderError
from reconciler.model.job import Accepted, AlreadyOver, JobCheckpoint, JobEvent, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.ports import JobController, SupportsCheckpoints, SupportsEvents, SupportsPause
from reconciler.redaction import KNOWN

T = TypeVar("T")


def guarded(controller: JobController) -> JobController:
    """Return the adapter with every secret struck out of what comes from it."""
    able: list[type[_Guarded]] = []
    able += [_Pausing] * isinstance(controller, SupportsPause)
    able += [_Logging] * isinstance(controller, SupportsEvents)
    able += [_Leaving] * isinstance(controller, SupportsCheckpoints)
    return cast("JobController", type("Guarded", (*able, _Guarded), {})(controller))


class _Guarded:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        return await _without_secrets(self._inner.list_page(query, cursor))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        return await _without_secrets(self._inner.get_job(ref))

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.cancel_job(ref))


class _Pausing(_Guarded):
    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.pause_job(ref))

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.resume_job(ref))


class _Logging(_Guarded):
    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        return await _without_secrets(self._inner.list_events(ref, limit))


class _Leaving(_Guarded):
    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        return await _without_secrets(self._inner.list_checkpoints(ref, limit))


async def _without_secrets(answer: Awaitable[T]) -> T:
    try:
        return without_secrets(await answer)
    except ProviderError as error:
        error.args = (KNOWN.strike(str(error)),)
        error.__cause__, error.__suppress_context__ = None, True
        raise


def without_secrets(record: T) -> T:
    """Return a record with each secret struck out of its texts; the same record where it holds none."""
    return cast("T", _struck(record)) if KNOWN.is_in("\n".join(_texts(record))) else record


def _texts(value: Any) -> Iterator[str]:
    if type(value) is str:  # the words of an enum are our own
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _texts(getattr(value, each.name))


def _struck(value: Any) -> Any:
    if type(value) is str:
        return KNOWN.strike(value)
    if isinstance(value, tuple):
        return tuple(map(_struck, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _struck(getattr(value, each.name)) for each in fields(value)})
    return value
