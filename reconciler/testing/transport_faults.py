"""Faults that work with any provider: an ASGI application in front of the simulated provider of a stage.

The application does not know the provider's API. It replaces or truncates responses, and changes lists and times in any
JSON. The faults in `harness.PROVIDER_FAULTS` need the provider's own formats, and are not implemented here.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from reconciler.testing.harness import Fault

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HUGE_BYTES = 17 * 1024 * 1024
OTHER_HOST_URL = "https://elsewhere.invalid/jobs?page=2"

_NAMES_A_TIME = re.compile(r".*(_at|At|Time|_finish)")
_SECONDS = re.compile(r"(T\d\d:\d\d:\d\d)(\.\d+)?")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete HTTP response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def send(self, send: Send) -> None:
        """Send the response, with the length of its body as `Content-Length`."""
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        length = (b"content-length", str(len(self.body)).encode())
        await send({"type": "http.response.start", "status": self.status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": self.body})


def _typed(status: int, kind: str, body: bytes) -> HttpResponse:
    return HttpResponse(status, ((b"content-type", kind.encode()),), body)


_REFUSAL = _typed(400, "application/json", b'{"error": {"message": "no"}, "message": "no"}')
_NULLS = b'{"error": {"code": null, "message": null, "type": null}}'


_REPLACEMENTS: Mapping[Fault, HttpResponse] = {
    Fault.PAGE_OF_A_PROXY: _typed(200, "text/html", b"<!doctype html><title>Sign in</title>"),
    Fault.FOREIGN_NOT_FOUND: _typed(404, "application/json", b'{"detail": "Not Found"}'),
    Fault.REDIRECTED: HttpResponse(307, ((b"location", OTHER_HOST_URL.encode()),), b""),
    Fault.REFUSAL_AS_TEXT: _typed(400, "text/plain", b"Bad Request"),
    Fault.REFUSAL_AS_PAGE: _typed(400, "text/html", b"<!doctype html><title>400 Bad Request</title>"),
    Fault.REFUSAL_AS_DETAIL: _typed(
        400, "application/json", b'{"detail": [{"type": "missing", "msg": "no", "loc": ["q"]}]}'
    ),
    Fault.REFUSAL_AS_STRING: _typed(400, "application/json", b'{"error": "no", "code": 400}'),
    Fault.REFUSAL_AS_NULLS: _typed(400, "application/json", _NULLS),
}
"""Responses that replace the one from the application. The request does not reach the application."""


async def response_of(app: App, scope: Message, receive: Receive) -> HttpResponse:
    """Return the response of an application. An exception of the application is not caught."""
    start: Message = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return HttpResponse(start["status"], tuple(start["headers"]), bytes(body))


class FaultInjector:
    """An ASGI application that forwards requests to another one, and applies the current fault.

    A fault in `PROVIDER_FAULTS` has no effect here.
    """

    def __init__(self, app: App) -> None:
        self.fault: Fault | None = None
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request, with the current fault."""
        match self.fault:
            case Fault.SILENCE:
                while (await receive())["type"] != "http.disconnect":
                    pass
            case Fault.RESET_BEFORE_ACTING:
                await _break_off(send)
            case Fault.RESET_AFTER_ACTING:
                await response_of(self._app, scope, receive)
                await _break_off(send)
            case Fault.REFUSED_ONCE:
                self.fault = None
                await _REFUSAL.send(send)
            case Fault() as fault if fault in _REPLACEMENTS:
                await _REPLACEMENTS[fault].send(send)
            case Fault() as fault if fault in _CHANGES:
                response = await response_of(self._app, scope, receive)
                await _CHANGES[fault](response).send(send)
            case _:
                await self._app(scope, receive, send)


async def _break_off(send: Send) -> None:
    """Send the head of a response, and raise. After that, the server can only close the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    msg = "the fault breaks the connection"
    raise ConnectionResetError(msg)


def _cut_short(response: HttpResponse) -> HttpResponse:
    return replace(response, body=response.body[: len(response.body) // 2] or b"{")


def _gzipped(response: HttpResponse) -> HttpResponse:
    return _as_gzip(response, gzip.compress(response.body, compresslevel=1))


def _huge(response: HttpResponse) -> HttpResponse:
    begun, compressor = _compressed_padding()
    rest = compressor.copy()
    return _as_gzip(response, begun + rest.compress(response.body) + rest.flush())


@cache
def _compressed_padding() -> tuple[bytes, zlib._Compress]:
    """Return `HUGE_BYTES` spaces in gzip's format, and the compressor that continues them."""
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return compressor.compress(b" " * HUGE_BYTES), compressor


def _as_gzip(response: HttpResponse, body: bytes) -> HttpResponse:
    return HttpResponse(response.status, (*response.headers, (b"content-encoding", b"gzip")), body)


def _pointing_elsewhere(body: Any) -> Any:
    if isinstance(body, list):  # a list without pages
        return body
    return {**body, "next": OTHER_HOST_URL, "nextLink": OTHER_HOST_URL, "next_page_url": OTHER_HOST_URL}


def _without_rows(body: Any) -> Any:
    if isinstance(body, list):
        return []
    return {key: [] if isinstance(value, list) else value for key, value in body.items()}


def _with_a_garbled_row(body: Any) -> Any:
    if isinstance(body, list):
        return ["nonsense", *body[1:]]
    rows = {key: value for key, value in body.items() if isinstance(value, list) and value}
    return {**body, **{key: ["nonsense", *value[1:]] for key, value in rows.items()}}


def _with_fractions(body: Any) -> Any:
    return _map_times(body, lambda time: _SECONDS.sub(r"\1.5", time) if isinstance(time, str) else time + 0.5)


def _without_times(body: Any) -> Any:
    return _map_times(body, lambda _: None)


def _map_times(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return the value with `change` applied to each time in it. A time that becomes None is removed."""
    if isinstance(value, list):
        return [_map_times(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {
        key: change(each) if _NAMES_A_TIME.fullmatch(key) and each is not None else _map_times(each, change)
        for key, each in value.items()
    }
    return {key: each for key, each in changed.items() if each is not None or value[key] is None}


def _to_json(change: Callable[[Any], Any]) -> Callable[[HttpResponse], HttpResponse]:
    def changed(response: HttpResponse) -> HttpResponse:
        return replace(response, body=json.dumps(change(json.loads(response.body))).encode())

    return changed


_CHANGES: Mapping[Fault, Callable[[HttpResponse], HttpResponse]] = {
    Fault.CUT_SHORT: _cut_short,
    Fault.EMPTY: lambda response: replace(response, status=200, body=b""),
    Fault.ACCEPTED_SILENTLY: lambda _: HttpResponse(204, (), b""),
    Fault.ACCEPTED_IN_OWN_WORDS: lambda _: _typed(202, "application/json", b'{"status": "success"}'),
    Fault.GZIPPED: _gzipped,
    Fault.HUGE: _huge,
    Fault.EMPTY_PAGE: _to_json(_without_rows),
    Fault.GARBLED_ROW: _to_json(_with_a_garbled_row),
    Fault.POINTS_ELSEWHERE: _to_json(_pointing_elsewhere),
    Fault.FRACTIONAL_TIMES: _to_json(_with_fractions),
    Fault.NO_TIMES: _to_json(_without_times),
}
