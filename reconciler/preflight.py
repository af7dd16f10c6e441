"""The check right before a change request is sent, because the request may have waited for its turn.

Rules: the check is stored in a context variable, so that adapters need not pass it on. A request is a change request if
and only if it is sent within `abort_unless`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reconciler.errors import SupersededError

_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


@contextmanager
def abort_unless(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Within the `with` block, call `is_wanted` right before each request.

    If it returns False, raise `SupersededError` instead of sending the request.
    """
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


def is_change() -> bool:
    """Return whether the current task sends change requests, because it runs within `abort_unless`."""
    return _is_wanted.get() is not None


def raise_if_unwanted() -> None:
    """Raise `SupersededError` if the current task is about to send a change request that is no longer wanted."""
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        msg = "the change was no longer wanted when the request was about to be sent, so it was not sent"
        raise SupersededError(msg)
