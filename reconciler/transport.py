"""The HTTP client of adapters, with limits on time, rate, size and destination.

Rules:

- This is the only module that imports httpx. No exception of httpx leaves it, because such an exception contains the
  request and thereby the key.
- A redirect is an error. Any other response is returned, because only an adapter knows what its status means.
- The secrets in a request's headers are added to the known secrets. Every known secret is redacted in every response.
- A request that may change something uses a new connection. No request is sent twice, except a read over a kept
  connection that turned out to be closed, and a throttled request that changes nothing.

Times are those of the event loop, so that tests can use a virtual clock.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache, partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.http_checks import (
    check_encoding,
    check_path,
    checked_headers,
    redacted_response,
    redirect_error,
    secrets_in_header,
    settings_error,
    text_of_error,
    too_long_error,
)
from reconciler.model.action_record import Sent
from reconciler.network_env import Proxy, proxy_to, tls_context
from reconciler.pool_stack import KEPT_S, PoolStack
from reconciler.ports import NO_TRACER, Response, Sign, Tracer
from reconciler.preflight import traced
from reconciler.redaction import KNOWN_SECRETS
from reconciler.request_span import add_status, request_span
from reconciler.throttle import Throttle

__all__ = ["BODY_MAX", "Deadlines", "HttpTransport", "Throttle"]

BODY_MAX = 16 * 1024 * 1024
"""The maximum size of a response, in bytes after decompression."""
SENDS_MAX = 5
"""The maximum number of times that a throttled request is sent, if it changes nothing."""

_ONLY_READS = frozenset({"GET", "HEAD"})
_CONNECTION_WORKED = frozenset({"connection.connect_tcp.started", "http11.receive_response_headers.complete"})
"""The httpcore trace events that show a new connection or a response. After one of them, a read is not repeated."""
_CLOSED = "the server closed the connection while TLS began: check that it uses https"
"""What a connection error without a text means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """The seconds to connect, and for the whole request with its response, once the throttle has permitted it."""

    connect_s: float = 5.0
    request_s: float = 45.0


DEADLINES = Deadlines()
Hook = Callable[[Sent], None]


class HttpTransport:
    """The `ports.Transport` for one base URL.

    `base_url` must be normalised (`local.credential_policy.normalise_base_url`). Use the transport as an async context
    manager. Each hook is called after each request, with or without a response. With `app`, requests go to that ASGI
    application. `tls` replaces the certificate settings of the environment. `tracer` records a span for each request.
    The constructor raises `PermanentError(unreachable)` if the proxy or certificate settings are unusable.
    """

    def __init__(
        self,
        base_url: str,
        throttle: Throttle,
        deadlines: Deadlines = DEADLINES,
        *,
        app: Any = None,
        hooks: tuple[Hook, ...] = (),
        tls: ssl.SSLContext | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._base_url = base_url
        self._tracer = tracer
        self._hooks = hooks
        self._host = urlsplit(base_url).netloc
        self._throttle = throttle
        self._deadlines = deadlines
        try:
            proxy, context = proxy_to(base_url, os.environ), tls or _context_for(base_url)
            self._via = f" (through the proxy {proxy.host})" if proxy is not None else ""
            if proxy is not None:
                KNOWN_SECRETS.add("proxy", *proxy.secrets)

            via = None if proxy is None else _httpx_proxy(proxy)

            def pool(kept: int) -> httpx.AsyncBaseTransport:
                if app is not None:
                    return _InProcess(app)
                limits = httpx.Limits(max_keepalive_connections=kept, keepalive_expiry=KEPT_S)
                return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=via)

            self._reads = PoolStack(partial(pool, 1))
            # No connection is kept for changes: if the server closed it, it would be unknown whether a request arrived.
            self._changes = PoolStack(partial(pool, 0))
            # The client only builds requests. Sending through it would be slower, and it would keep cookies.
            self._client = httpx.AsyncClient(
                transport=_InProcess(app), timeout=httpx.Timeout(None, connect=deadlines.connect_s), trust_env=False
            )
        except (ImportError, OSError, ValueError) as error:
            raise settings_error(self._host, error) from None

    async def __aenter__(self) -> Self:
        """Return the transport. A connection is opened when a request needs one."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._changes.aclose()
        await self._reads.aclose()

    @property
    def requests(self) -> int:
        """The number of requests that were sent to this account."""
        return self._throttle.requests

    def conceal(self, *secrets: str) -> None:
        """Redact these secrets too, as `ports.Transport` describes."""
        KNOWN_SECRETS.add((self._base_url, "concealed"), *secrets)

    def to_app(self, app: object) -> HttpTransport:
        """Return a transport to an ASGI application in this process, with the same throttle and deadlines.

        No connection is opened. An exception in the application is treated as a broken connection.
        """
        return HttpTransport(
            self._base_url, self._throttle, self._deadlines, app=app, hooks=self._hooks, tracer=self._tracer
        )

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
        """Send one request to `base_url + path`, and return the response, as `ports.Transport` describes."""
        check_path(path)
        request = self._request(method, path, query, json, headers)
        for name, value in (headers or {}).items():
            KNOWN_SECRETS.add((self._base_url, name.lower()), *secrets_in_header(name, value))
        for sends in range(1, SENDS_MAX + 1):
            response, is_throttled = await self._send_once(request, sign, sends)
            is_read = request.method in _ONLY_READS
            if not is_throttled or sends == SENDS_MAX or not self._throttle.may_repeat(response, is_read=is_read):
                break
        return response

    async def _send_once(self, request: httpx.Request, sign: Sign | None, sends: int) -> tuple[Response, bool]:
        """Send a request once it is permitted. Return the response, and whether the request was throttled."""
        async with self._throttle.acquire() as permit:
            if sign is not None:
                request.headers.update(checked_headers(sign(request.method, str(request.url), request.content)))
            clock = asyncio.get_running_loop().time
            started = clock()
            status: int | None = None
            method, url, waited_s = request.method, str(request.url), permit.waited_s
            try:
                with request_span(self._tracer, method, url, waited_s=waited_s, sends=sends) as span:
                    response = await self._answer(request)
                    status = response.status
                    add_status(span, status)
                permit.record(response)
            except TransientError as error:
                permit.succeeded, permit.last_error = False, str(error)
                raise
            finally:
                sent = Sent(method=method, status=status, took_s=clock() - started, waited_s=waited_s)
                for hook in self._hooks:
                    hook(sent)
        return response, permit.signal.is_throttled

    def _request(
        self, method: str, path: str, query: Mapping[str, str] | None, json: object, headers: Mapping[str, str] | None
    ) -> httpx.Request:
        try:
            url = httpx.URL(self._base_url + path, **({"params": query} if query else {}))
        except httpx.InvalidURL:
            why = f"a URL at {self._host} is not valid: check {self._throttle.names.url}"
            problem = PermanentError(why, kind=Kind.INVALID)
        else:
            return self._client.build_request(method, url, json=json, headers=checked_headers(headers or {}))
        raise problem

    async def _answer(self, request: httpx.Request) -> Response:
        try:
            async with asyncio.timeout(self._deadlines.request_s):
                if request.method not in _ONLY_READS:
                    request.extensions = {**request.extensions, "trace": traced()[1]}
                    return await self._exchange(self._changes, request)
                return await self._read(request)
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, ssl.SSLError) as error:
            unanswered = [self._unanswered(error)]
        # Raised outside the handler: its context is not the httpx error. Through a variable, it would refer to itself.
        raise unanswered.pop()

    async def _read(self, request: httpx.Request) -> Response:
        """Send a read, and repeat it over a new connection if the kept one was closed (RFC 9110, section 9.2.2)."""
        steps, trace = traced()
        request.extensions = {**request.extensions, "trace": trace}
        try:
            return await self._exchange(self._reads, request)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if steps & _CONNECTION_WORKED:
                raise
        await self._throttle.acquire_repeat()
        return await self._exchange(self._changes, request)

    async def _exchange(self, pools: PoolStack[httpx.AsyncBaseTransport], request: httpx.Request) -> Response:
        names = self._throttle.names
        async with pools.lease() as pool, aclosing(await pool.handle_async_request(request)) as answer:
            if answer.is_redirect:
                raise redirect_error(answer.status_code, answer.headers.get("location", ""), self._host, names)
            check_encoding(answer.headers, self._host, names)
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > BODY_MAX:
                    raise too_long_error(self._host, BODY_MAX, names)
        return await redacted_response(answer.status_code, answer.headers, bytes(body))

    def _unanswered(self, error: Exception) -> TransientError:
        match error:
            case httpx.ConnectError() if "certificate" in str(error).lower() or "ssl" in str(error).lower():
                what = f"the TLS connection to {self._host} failed: {text_of_error(error)}"
                return self._unsent(f"{what}; to trust a private certificate authority, set SSL_CERT_FILE")
            case httpx.ConnectTimeout():
                return self._unsent(f"cannot connect to {self._host} within {self._deadlines.connect_s:g} s")
            case httpx.ConnectError() | httpx.PoolTimeout() | httpx.ProxyError():
                return self._unsent(f"cannot connect to {self._host}: {text_of_error(error) or _CLOSED}")
            case TimeoutError():
                msg = f"no complete response from {self._host} within {self._deadlines.request_s:g} s"
            case httpx.DecodingError():
                msg = f"{self._host} sent a response that could not be decompressed"
            case _:
                msg = f"the connection to {self._host} broke before the response ended ({type(error).__name__})"
        return TransientError(msg, delivered=Delivered.UNKNOWN)

    def _unsent(self, message: str) -> TransientError:
        return TransientError(f"{message}{self._via}", delivered=Delivered.NO)


class _InProcess(httpx.AsyncBaseTransport):
    """A transport to an ASGI application. An exception in the application becomes a broken connection."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except Exception as error:
            msg = f"the application raised {type(error).__name__}"
            raise httpx.ReadError(msg, request=request) from error


def _httpx_proxy(proxy: Proxy) -> httpx.Proxy:
    return httpx.Proxy(proxy.url, ssl_context=_context_for(proxy.url) if proxy.url.startswith("https:") else None)


def _context_for(url: str) -> ssl.SSLContext:
    """Return the TLS context for a URL. Raises `OSError` if the configured certificates cannot be read."""
    if not url.startswith("https:"):
        # Plain http needs no certificates, and reading them takes longer than a pass. An empty context trusts none.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return tls_context(os.environ) or _default_context()


@cache
def _default_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
