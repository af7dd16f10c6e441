"""What goes wrong on the way, whatever the dialect: an ASGI application around the one that a stage serves.

Rules: it knows nothing of any provider's API; it sees JSON, times by the names that they usually have, and bytes. The
faults that need more than that are `stage.OWN`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.testing.harness import Fault

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HUGE_BYTES = 17 * 1024 * 1024
ELSEWHERE = "https://elsewhere.invalid/jobs?page=2"

_NAMES_A_TIME = re.compile(r".*(_at|At|Time|_finish)")
_SECONDS = re.compile(r"(T\d\d:\d\d:\d\d)(\.\d+)?")


@dataclass(frozen=True, slots=True)
class FaultyAnswer:
    """A whole answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def send(self, send: Send) -> None:
        """Send it, with its true length."""
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        length = (b"content-length", str(len(self.body)).encode())
        await send({"type": "http.response.start", "status": self.status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": self.body})


def _typed(status: int, kind: str, body: bytes) -> FaultyAnswer:
    return FaultyAnswer(status, ((b"content-type", kind.encode()),), body)


_REFUSAL = _typed(400, "application/json", b'{"error": {"message": "no"}, "message": "no"}')
_NULLS = b'{"error": {"code": null, "message": null, "type": null}}'


_INSTEAD: Mapping[Fault, FaultyAnswer] = {
    Fault.PAGE_OF_A_PROXY: _typed(200, "text/html", b"<!doctype html><title>Sign in</title>"),
    Fault.FOREIGN_NOT_FOUND: _typed(404, "application/json", b'{"detail": "Not Found"}'),
    Fault.REDIRECTED: FaultyAnswer(307, ((b"location", ELSEWHERE.encode()),), b""),
    Fault.REFUSAL_AS_TEXT: _typed(400, "text/plain", b"Bad Request"),
    Fault.REFUSAL_AS_PAGE: _typed(400, "text/html", b"<!doctype html><title>400 Bad Request</title>"),
    Fault.REFUSAL_AS_DETAIL: _typed(
        400, "application/json", b'{"detail": [{"type": "missing", "msg": "no", "loc": ["q"]}]}'
    ),
    Fault.REFUSAL_AS_STRING: _typed(400, "application/json", b'{"error": "no", "code": 400}'),
    Fault.REFUSAL_AS_NULLS: _typed(400, "application/json", _NULLS),
}
"""What is answered in the application's place: the request does not reach it."""


async def answer_of(app: App, scope: Message, receive: Receive) -> FaultyAnswer:
    """Return what an application answers. Raises what it raises."""
    start: Message = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return FaultyAnswer(start["status"], tuple(start["headers"]), bytes(body))


class FaultInjector:
    """An application, and what happens to its answers on the way, by `fault`; a fault that is not of the way passes."""

    def __init__(self, app: App) -> None:
        self.fault: Fault | None = None
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request. One that is refused on the way does not reach the application."""
        match self.fault:
            case Fault.SILENCE:
                while (await receive())["type"] != "http.disconnect":
                    pass
            case Fault.RESET_BEFORE_ACTING:
                await _break_off(send)
            case Fault.RESET_AFTER_ACTING:
                await answer_of(self._app, scope, receive)
                await _break_off(send)
            case Fault.REFUSED_ONCE:
                self.fault = None
                await _REFUSAL.send(send)
            case Fault() as fault if fault in _INSTEAD:
                await _INSTEAD[fault].send(send)
            case Fault() as fault if fault in _CHANGES:
                answer = await answer_of(self._app, scope, receive)
                await _CHANGES[fault](answer).send(send)
            case _:
                await self._app(scope, receive, send)


async def _break_off(send: Send) -> None:
    """Begin an answer, so that the server cannot put one of its own in its place, and break the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    msg = "the connection was to be broken"
    raise ConnectionResetError(msg)


def _cut_short(answer: FaultyAnswer) -> FaultyAnswer:
    return replace(answer, body=answer.body[: len(answer.body) // 2] or b"{")


def _gzipped(answer: FaultyAnswer) -> FaultyAnswer:
    headers = (*answer.headers, (b"content-encoding", b"gzip"))
    return FaultyAnswer(answer.status, headers, gzip.compress(answer.body, compresslevel=1))


def _huge(answer: FaultyAnswer) -> FaultyAnswer:
    return _gzipped(replace(answer, body=answer.body + b" " * HUGE_BYTES))


def _pointing_elsewhere(body: Any) -> Any:
    return {**body, "next": ELSEWHERE, "nextLink": ELSEWHERE, "next_page_url": ELSEWHERE}


def _without_rows(body: Any) -> Any:
    return {key: [] if isinstance(value, list) else value for key, value in body.items()}


def _with_a_garbled_row(body: Any) -> Any:
    rows = {key: value for key, value in body.items() if isinstance(value, list) and value}
    return {**body, **{key: ["nonsense", *value[1:]] for key, value in rows.items()}}


def _with_fractions(body: Any) -> Any:
    return _map_times(body, lambda time: _SECONDS.sub(r"\1.5", time) if isinstance(time, str) else time + 0.5)


def _without_times(body: Any) -> Any:
    return _map_times(body, lambda _: None)


def _map_times(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return the value with each time in it changed, and left out where that is to None."""
    if isinstance(value, list):
        return [_map_times(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {
        key: change(each) if _NAMES_A_TIME.fullmatch(key) and each is not None else _map_times(each, change)
        for key, each in value.items()
    }
    return {key: each for key, each in changed.items() if each is not None or value[key] is None}


def _to_json(change: Callable[[Any], Any]) -> Callable[[FaultyAnswer], FaultyAnswer]:
    def changed(answer: FaultyAnswer) -> FaultyAnswer:
        return replace(answer, body=json.dumps(change(json.loads(answer.body))).encode())

    return changed


_CHANGES: Mapping[Fault, Callable[[FaultyAnswer], FaultyAnswer]] = {
    Fault.CUT_SHORT: _cut_short,
    Fault.EMPTY: lambda answer: replace(answer, status=200, body=b""),
    Fault.ACCEPTED_SILENTLY: lambda _: FaultyAnswer(204, (), b""),
    Fault.ACCEPTED_IN_OWN_WORDS: lambda _: _typed(202, "application/json", b'{"status": "success"}'),
    Fault.GZIPPED: _gzipped,
    Fault.HUGE: _huge,
    Fault.EMPTY_PAGE: _to_json(_without_rows),
    Fault.GARBLED_ROW: _to_json(_with_a_garbled_row),
    Fault.POINTS_ELSEWHERE: _to_json(_pointing_elsewhere),
    Fault.FRACTIONAL_TIMES: _to_json(_with_fractions),
    Fault.NO_TIMES: _to_json(_without_times),
}
