"""The check right before a request for a change is sent, which may have waited for its turn.

Rules: the check is a context variable, so that adapters need not pass it on. A request is for a change exactly if it is
sent in the body of `abort_unless`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reconciler.errors import SupersededError

_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)


@contextmanager
def abort_unless(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Check `is_wanted` right before each request of the body. If it returns False, raise `SupersededError` instead."""
    token = _is_wanted.set(is_wanted)
    try:
        yield
    finally:
        _is_wanted.reset(token)


def is_change() -> bool:
    """Whether the current task sends a request for a change, in the body of `abort_unless`."""
    return _is_wanted.get() is not None


def raise_if_unwanted() -> None:
    """Raise `SupersededError` if the current task sends a request for a change that is no longer wanted."""
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        msg = "the change was no longer wanted when the request was about to be sent, so it was not sent"
        raise SupersededError(msg)
