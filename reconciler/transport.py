"""HTTP with an end to everything: time, rate, size, and where a request may go.

Rules: the only importer of httpx, and no exception of httpx leaves, for it holds the request and with it the key.
Every answer is returned, whatever its status; only an adapter knows what one means. What a request authorises itself
with is noted, and every known secret is struck out of every answer. A request that may change something goes over a
connection of its own, and nothing is tried twice but a question over a connection that was closed.
Time is the event loop's, so that it can be virtual.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import httpx

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.action_record import Sent
from reconciler.model.foreign import one_line
from reconciler.network_env import Proxy, proxy_to, tls_context
from reconciler.ports import Response, Sign
from reconciler.redaction import KNOWN, secrets_in_header
from reconciler.throttle import Throttle
from reconciler.time_headers import http_date, retry_after_s

__all__ = ["BODY_MAX", "Deadlines", "HttpTransport", "Throttle"]

BODY_MAX = 16 * 1024 * 1024

_NUMBERS = re.compile(r"\[(Errno|SSL)[^\[\]]*\] ?| ?\(_ssl\.c:\d+\)")
_ONLY_READS = frozenset({"GET", "HEAD"})
_NOT_OVER_A_CLOSED_CONNECTION = frozenset(
    {"connection.connect_tcp.started", "http11.receive_response_headers.complete"}
)
"""What httpcore tells of a request whose connection was new, or that had an answer."""
HOST_MAX = 253
WORDS_MAX = 200
STRUCK_BESIDE = 256 * 1024
"""A longer answer is looked through in a thread, so that no other account waits."""
_ASKS_FOR_QUIET = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""The answers whose Retry-After is about the whole account; AWS throttles with 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a request may take. Waiting for a turn does not count."""

    connect_s: float = 5.0
    request_s: float = 45.0


DEADLINES = Deadlines()
Hook = Callable[[Sent], None]


class HttpTransport:
    """`ports.Transport` over one connection pool, to one base URL.

    `base_url` is normalised (`local.credential_policy.normalise_base_url`). Use it as an async context manager. Every
    hook is given each request that left.
    """

    def __init__(
        self,
        base_url: str,
        gate: Throttle,
        deadlines: Deadlines = DEADLINES,
        *,
        app: Any = None,
        hooks: tuple[Hook, ...] = (),
    ) -> None:
        self._base_url = base_url
        self._hooks = hooks
        self._host = urlsplit(base_url).netloc
        self._gate = gate
        self._deadlines = deadlines
        try:
            proxy, context = proxy_to(base_url, os.environ), _context_for(base_url)
            self._via = f" (through the proxy {proxy.host})" if proxy is not None else ""
            if proxy is not None:
                KNOWN.note("proxy", *proxy.secrets)

            def client(kept: int | None) -> httpx.AsyncClient:
                return httpx.AsyncClient(
                    transport=None if app is None else _InProcess(app),
                    # The gate bounds concurrency; a second bound in the pool could only turn a turn into a wait.
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=kept),
                    timeout=httpx.Timeout(None, connect=deadlines.connect_s),
                    follow_redirects=False,
                    trust_env=False,
                    proxy=None if proxy is None else _as_httpx_wants_it(proxy),
                    verify=context,
                )

            self._reads = client(None)
            # A kept connection may be closed at the other end, and then nobody knows whether a request over it arrived.
            self._changes = client(0)
        except (ImportError, OSError, ValueError) as error:
            unreachable = self._unreachable(error)
            raise unreachable from None

    async def __aenter__(self) -> Self:
        """Open the connection pools."""
        await self._reads.__aenter__()
        await self._changes.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._changes.__aexit__(kind, error, trace)
        await self._reads.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        """How many requests this account sent."""
        return self._gate.requests

    def conceal(self, *secrets: str) -> None:
        """Remember secrets that go out in no header: see `ports.Transport`."""
        KNOWN.note((self._base_url, "concealed"), *secrets)

    def to_app(self, app: object) -> HttpTransport:
        """Return a transport to an ASGI application in this process: same gate, same deadlines, no connections.

        Whatever the application raises is seen as a broken connection.
        """
        return HttpTransport(self._base_url, self._gate, self._deadlines, app=app, hooks=self._hooks)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        sign: Sign | None = None,
    ) -> Response:
        """Send one request to `base_url + path`, and return the answer: see `ports.Transport`."""
        _check_path(path)
        request = self._request(method, path, query, json, headers)
        for name, value in (headers or {}).items():
            KNOWN.note((self._base_url, name.lower()), *secrets_in_header(name, value))
        async with self._gate.turn() as turn:
            if sign is not None:
                request.headers.update(_sendable(sign(method, str(request.url), request.content)))
            clock = asyncio.get_running_loop().time
            begun = clock()
            status: int | None = None
            try:
                response = await self._answer(request)
                status = response.status
                turn.is_well = not _is_trouble(status)
                turn.trouble = "" if turn.is_well else f"HTTP {status}"
            except TransientError as error:
                turn.is_well, turn.trouble = False, str(error)
                raise
            finally:
                sent = Sent(method=method, status=status, took_s=clock() - begun, waited_s=turn.waited_s)
                for hook in self._hooks:
                    hook(sent)
            if response.status in _ASKS_FOR_QUIET and response.retry_after_s is not None:
                self._gate.close_for(response.retry_after_s)
        return response

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, json: object, headers: Mapping[str, str] | None
    ) -> httpx.Request:
        try:
            url = httpx.URL(self._base_url + path, **({"params": query} if query else {}))
        except httpx.InvalidURL:
            problem = PermanentError(f"the address at {self._host} is not one that can be asked", kind=Kind.INVALID)
        else:
            return self._reads.build_request(method, url, json=json, headers=_sendable(headers or {}))
        raise problem

    async def _answer(self, request: httpx.Request) -> Response:
        try:
            async with asyncio.timeout(self._deadlines.request_s):
                if request.method not in _ONLY_READS:
                    return await self._exchange(self._changes, request)
                return await self._read(request)
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            unanswered = self._unanswered(error)
        raise unanswered  # outside of the handler, so that it does not carry httpx's error as its context

    async def _read(self, request: httpx.Request) -> Response:
        """Ask over a kept connection, and again over a new one where that turns out to be closed (RFC 9110, 9.2.2)."""
        steps: set[str] = set()

        async def note(step: str, _: Mapping[str, Any]) -> None:
            steps.add(step)

        request.extensions = {**request.extensions, "trace": note}
        try:
            return await self._exchange(self._reads, request)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if steps & _NOT_OVER_A_CLOSED_CONNECTION:
                raise
        await self._gate.once_more()
        return await self._exchange(self._changes, request)

    async def _exchange(self, client: httpx.AsyncClient, request: httpx.Request) -> Response:
        async with aclosing(await client.send(request, stream=True)) as answer:
            if answer.is_redirect:
                raise self._redirected(answer)
            if "," in answer.headers.get("content-encoding", ""):
                # One compression in another can make of a few bytes more than memory holds, before they are counted.
                msg = f"{self._host} gave an answer that is compressed more than once, which was not read"
                raise PermanentError(msg, kind=Kind.INVALID)
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > BODY_MAX:
                    msg = f"{self._host} gave an answer of more than {BODY_MAX} bytes, which was not read to its end"
                    raise PermanentError(msg, kind=Kind.INVALID)
        at = http_date(answer.headers.get("date"))
        text = body.decode(errors="replace")
        struck = await asyncio.to_thread(KNOWN.strike, text) if len(text) > STRUCK_BESIDE else KNOWN.strike(text)
        return Response(
            status=answer.status_code,
            headers={name: KNOWN.strike(value) for name, value in answer.headers.items()},
            body=bytes(body) if struck is text else struck.encode(errors="replace"),
            at=at,
            retry_after_s=retry_after_s(answer.headers, at),
        )

    def _redirected(self, answer: httpx.Response) -> PermanentError:
        msg = (
            f"{self._host} answered HTTP {answer.status_code}, a redirect to {self._target_of(answer)}. Redirects are "
            "not followed, because the key would go along: give the right base URL"
        )
        return PermanentError(msg, kind=Kind.REFUSED)

    def _target_of(self, answer: httpx.Response) -> str:
        """Return the host that a redirect leads to, unless it is made of the key: a host's name is shown as it is."""
        try:
            host = urlsplit(answer.headers.get("location", "")).hostname or self._host
        except ValueError:
            return "an address that makes no sense"
        if KNOWN.has_letters_of(host):
            return "another host, whose name is not shown because it holds letters of a secret"
        return repr(one_line(host, HOST_MAX))

    def _unreachable(self, error: Exception) -> PermanentError:
        """Say what of the environment is wrong. A proxy's address is not repeated: it may hold a password."""
        match error:
            case ImportError():
                why = "the proxy is a SOCKS one, for which httpx needs its extra: pip install 'httpx[socks]'"
            case OSError():
                why = error.strerror or type(error).__name__
            case _:
                why = str(error)
        return PermanentError(f"no connection to {self._host} can be made: {why}", kind=Kind.UNREACHABLE)

    def _unanswered(self, error: Exception) -> TransientError:
        match error:
            case httpx.ConnectError() if "certificate" in str(error).lower() or "ssl" in str(error).lower():
                how = "SSL_CERT_FILE can name the authority to believe"
                return self._unsent(f"the certificate or TLS of {self._host} was not accepted: {_plain(error)}; {how}")
            case httpx.ConnectTimeout():
                return self._unsent(f"no connection to {self._host} within {self._deadlines.connect_s:g} s")
            case httpx.ConnectError() | httpx.PoolTimeout() | httpx.ProxyError():
                return self._unsent(f"cannot connect to {self._host}: {_plain(error)}")
            case TimeoutError():
                msg = f"no answer from {self._host} within {self._deadlines.request_s:g} s"
                return TransientError(msg, delivered=Delivered.UNKNOWN)
            case _:
                msg = f"the connection to {self._host} broke before there was a whole answer ({type(error).__name__})"
                return TransientError(msg, delivered=Delivered.UNKNOWN)

    def _unsent(self, message: str) -> TransientError:
        return TransientError(f"{message}{self._via}", delivered=Delivered.NO)


class _InProcess(httpx.AsyncBaseTransport):
    """An ASGI application as the other end: what it raises, its client sees as a connection that broke."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except Exception as error:
            msg = f"the application raised {type(error).__name__}"
            raise httpx.ReadError(msg, request=request) from error


def _as_httpx_wants_it(proxy: Proxy) -> httpx.Proxy:
    is_private = proxy.url.startswith("https:")
    return httpx.Proxy(proxy.url, ssl_context=_context_for(proxy.url) if is_private else None)


def _context_for(url: str) -> ssl.SSLContext:
    """Return what certificates are checked against. Raises OSError."""
    if not url.startswith("https:"):
        # To read certificates takes longer than a pass over the sandbox. A bare context trusts none.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return tls_context(os.environ) or _usual_context()


@cache
def _usual_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _plain(error: Exception) -> str:
    """Return an error's words without the numbers that only its library's authors know."""
    return KNOWN.strike(one_line(_NUMBERS.sub("", str(error)), WORDS_MAX))


def _is_trouble(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _sendable(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return headers that can all be sent; raise without a word of one that cannot, for it may be a key."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            msg = (
                f"the header {name.lower()} cannot be sent, so nothing was: the key, token or setting that it is "
                "made of begins or ends with a blank, or holds a line break or a character that is not ASCII"
            )
            raise PermanentError(msg, kind=Kind.MISSING)
    return headers


def _check_path(path: str) -> None:
    """Raise unless the path stays below the base URL, also for a gateway that decodes what is percent-encoded.

    An empty one is the base URL itself.
    """
    segments = unquote(path).replace("\\", "/").split("/")
    if path and (
        not path.startswith("/")
        or "//" in path
        or not {".", ".."}.isdisjoint(segments)
        or not path.isascii()
        or not path.isprintable()
        or not {" ", "\\", "?", "#"}.isdisjoint(path)
    ):
        msg = "what was to be asked for is not a path below the base URL, so nothing was sent"
        raise PermanentError(msg, kind=Kind.INVALID)
