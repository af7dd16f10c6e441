"""The port for traces: spans of passes, accounts and requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Attributes = Mapping[str, str | int | float | bool]
"""The attributes of a span, by name. A value must contain no text that may be secret, such as the query of a URL."""


class Span(Protocol):
    """One operation that a trace shows, with its duration."""

    def add(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...

    def fail(self, kind: str) -> None:
        """Record that the operation failed. `kind` has few possible values, so that failures can be grouped by it."""
        ...


class Tracer(Protocol):
    """A recorder of spans. No method raises, waits, or depends on whether a collector can be reached."""

    def span(self, name: str, attributes: Attributes, *, is_request: bool = False) -> AbstractContextManager[Span]:
        """Record a span while the block runs.

        It is a child of the span within which it begins, also if that span belongs to the task that started the task.
        An exception that leaves the block is recorded by its class, and raised again. `is_request` is whether the span
        is a request to another service.
        """
        ...


class _NoSpan:
    def add(self, attributes: Attributes) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass


class _NoTracer:
    @contextmanager
    def span(self, name: str, attributes: Attributes, *, is_request: bool = False) -> Iterator[Span]:  # noqa: ARG002
        yield _NO_SPAN


_NO_SPAN = _NoSpan()
NO_TRACER: Tracer = _NoTracer()
"""The tracer that records nothing."""
