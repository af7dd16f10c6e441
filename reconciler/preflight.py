"""The checks right before a request is sent, because the request may have waited for its turn.

Rules: the checks are stored in context variables, so that adapters need not pass them on. A request is a change request
if and only if it is sent within `abort_unless`. `sent_only_if` applies to every request of the tasks that are started
within it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reconciler.errors import NotSentError, SupersededError

_ABOUT_TO_SEND = "http11.send_request_headers.started"
"""The httpcore trace event after which the first byte of a request is written."""
_is_wanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_wanted", default=None)
_may_send: ContextVar[Callable[[], bool] | None] = ContextVar("may_send", default=None)


@contextmanager
def sent_only_if(check: Callable[[], bool]) -> Iterator[None]:
    """Within the `with` block, call `check` right before each request.

    If it returns False, raise `NotSentError` instead of sending the request.
    """
    token = _may_send.set(check)
    try:
        yield
    finally:
        _may_send.reset(token)


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
    """Raise `SupersededError` if the current task is about to send a change request that is no longer wanted.

    Raise `NotSentError` if the current task may send no request.
    """
    raise_if_forbidden()
    is_wanted = _is_wanted.get()
    if is_wanted is not None and not is_wanted():
        msg = "the change was no longer wanted when the request was about to be sent, so it was not sent"
        raise SupersededError(msg)


def may_send() -> bool:
    """Return whether the current task may send requests now (`sent_only_if`)."""
    check = _may_send.get()
    return check is None or check()


def traced() -> tuple[set[str], Callable[[str, object], Awaitable[None]]]:
    """Return a set of trace events, and the function that httpcore calls with each event and that adds it to the set.

    Right before the first byte of the request, the function calls `raise_if_forbidden`, because the connection may have
    taken long. Call `traced` in the task that sends the request.
    """
    events: set[str] = set()

    async def note(event: str, _: object) -> None:
        events.add(event)
        if event == _ABOUT_TO_SEND:
            raise_if_forbidden()

    return events, note


def raise_if_forbidden() -> None:
    """Raise `NotSentError` if the current task may send no request (`sent_only_if`)."""
    if not may_send():
        msg = "this process no longer leads, so this request was not sent"
        raise NotSentError(msg)
