"""The ids of the current span, for the lines of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_ids: ContextVar[Mapping[str, str]] = ContextVar("trace_ids", default=MappingProxyType({}))


@contextmanager
def within_span(trace_id: str, span_id: str) -> Iterator[None]:
    """Within the `with` block, and in the tasks that are started within it, `add_trace_ids` adds these ids."""
    token = _ids.set({"trace_id": trace_id, "span_id": span_id})
    try:
        yield
    finally:
        _ids.reset(token)


def add_trace_ids(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the current span to an event of the log, as a processor of `structlog`. Without a span, add none.

    Source of the names: https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/.
    """
    event.update(_ids.get())
    return event
