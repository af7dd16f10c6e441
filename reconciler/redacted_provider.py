"""A wrapper around adapters that redacts every known secret in their results and errors.

Rules: every adapter is wrapped, because an adapter may use its own HTTP client and thus bypass `transport`. The wrapper
supports the same optional ports as the adapter (pause, events, checkpoints, ends of models) and no others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar, cast

from reconciler.errors import ProviderError
from reconciler.model.job import Accepted, AlreadyOver, JobPage, JobRef, ListQuery, ObservedJob
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.retirement import ModelEnd
from reconciler.ports import JobController, SupportsCheckpoints, SupportsEvents, SupportsModelEnds, SupportsPause
from reconciler.redaction import KNOWN_SECRETS

T = TypeVar("T")


def redacted(controller: JobController) -> JobController:
    """Return the adapter, wrapped so that its results and each `ProviderError` contain no known secret.

    Any other exception is passed on unchanged.
    """
    # `isinstance` with a runtime protocol checks for methods, so the wrapper must define none that the adapter lacks.
    mixins: list[type[_Redacted]] = []
    mixins += [_Pausing] * isinstance(controller, SupportsPause)
    mixins += [_Logging] * isinstance(controller, SupportsEvents)
    mixins += [_Checkpointing] * isinstance(controller, SupportsCheckpoints)
    mixins += [_ListingModelEnds] * isinstance(controller, SupportsModelEnds)
    return cast("JobController", type("Redacted", (*mixins, _Redacted), {})(controller))


class _Redacted:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        return await _without_secrets(self._inner.list_page(query, cursor))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        return await _without_secrets(self._inner.get_job(ref))

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.cancel_job(ref))


class _Pausing(_Redacted):
    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.pause_job(ref))

    async def resume_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        return await _without_secrets(self._inner.resume_job(ref))


class _Logging(_Redacted):
    async def list_events(self, ref: JobRef, limit: int) -> tuple[JobEvent, ...]:
        return await _without_secrets(self._inner.list_events(ref, limit))


class _Checkpointing(_Redacted):
    async def list_checkpoints(self, ref: JobRef, limit: int) -> tuple[JobCheckpoint, ...]:
        return await _without_secrets(self._inner.list_checkpoints(ref, limit))


class _ListingModelEnds(_Redacted):
    async def list_model_ends(self) -> tuple[ModelEnd, ...]:
        return await _without_secrets(self._inner.list_model_ends())


async def _without_secrets(answer: Awaitable[T]) -> T:
    try:
        return without_secrets(await answer)
    except ProviderError as error:
        error.args = (KNOWN_SECRETS.redact(str(error)),)
        # The cause and context may quote the request with its key.
        error.__cause__, error.__suppress_context__ = None, True
        raise


def without_secrets(record: T) -> T:
    """Return a copy of a record with every known secret redacted, or the same record if it contains none."""
    return cast("T", _redact_in(record)) if KNOWN_SECRETS.is_in("\n".join(_texts(record))) else record


def _texts(record: Any) -> list[str]:
    """Return the texts in a record. A pass searches the rows of all pages, so this is a loop instead of a recursion."""
    found: list[str] = []
    left = [(record,)]
    while left:
        for value in left.pop():
            kind = type(value)
            if kind is str:  # a member of a text enum is never a provider's text
                found.append(value)
            elif isinstance(value, tuple):
                left.append(value)
            elif value is not None and (values_of := _values_of(kind)) is not None:
                left.append(values_of(value))
    return found


def _values_of(kind: type) -> _ValuesOf | None:
    """Return a function that returns the values of a dataclass's fields, or None for any other class."""
    if kind not in _KINDS:
        names = [each.name for each in fields(kind)] if is_dataclass(kind) else []
        # For a single name, `attrgetter` does not return a tuple.
        _KINDS[kind] = attrgetter(*names) if len(names) > 1 else partial(_only_value, names[0]) if names else None
    return _KINDS[kind]


def _only_value(name: str, value: Any) -> tuple[Any, ...]:
    return (getattr(value, name),)


_ValuesOf: TypeAlias = Callable[[Any], tuple[Any, ...]]
_KINDS: dict[type, _ValuesOf | None] = {}


def _redact_in(value: Any) -> Any:
    if type(value) is str:
        return KNOWN_SECRETS.redact(value)
    if isinstance(value, tuple):
        return tuple(map(_redact_in, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _redact_in(getattr(value, each.name)) for each in fields(value)})
    return value
