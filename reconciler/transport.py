"""HTTP with an end to everything: time, rate, size, and where a request may go.

Rules: the only importer of httpx, and no exception of httpx leaves, for it holds the request and with it the key.
Every answer is returned, whatever its status; only an adapter knows what one means. Nothing is tried twice here.
Time is the event loop's, so that it can be virtual.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from reconciler.errors import Delivered, Kind, Permanent, Transient
from reconciler.model.action_record import Sent
from reconciler.ports import Response, Sign
from reconciler.throttle import Gate

__all__ = ["BODY_MAX", "RETRY_AFTER_MAX_S", "Deadlines", "Gate", "HttpTransport", "http_date", "retry_after_s"]

BODY_MAX = 16 * 1024 * 1024
RETRY_AFTER_MAX_S = 86_400.0
"""A provider that asks for more than a day is not believed."""

_NUMBERS = re.compile(r"\[(Errno|SSL)[^\]]*\] ?| ?\(_ssl\.c:\d+\)")
_ASKS_FOR_QUIET = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


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
        gate: Gate,
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
        is_private = base_url.startswith("https:")
        self._via = _proxy(self._host) if is_private else ""
        try:
            self._client = httpx.AsyncClient(
                transport=None if app is None else _InProcess(app),
                # The gate bounds concurrency; a second bound in the pool could only turn a turn into a wait.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
                timeout=httpx.Timeout(None, connect=deadlines.connect_s),
                follow_redirects=False,
                # From the environment come proxies and certificates, never a key (httpx reads no .netrc unless asked).
                # Over plain http a proxy would read the key.
                trust_env=is_private,
                # Plain http needs no certificates, and to read them takes longer than a pass over the sandbox. A bare
                # context trusts none.
                verify=is_private or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        except (ImportError, OSError, ValueError) as error:
            unreachable = self._unreachable(error)
            raise unreachable from None

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._client.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        """How many requests this account sent."""
        return self._gate.requests

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
        url = httpx.URL(self._base_url + path, params=query or None)
        request = self._client.build_request(method, url, json=json, headers=headers)
        async with self._gate.turn() as turn:
            if sign is not None:
                request.headers.update(sign(method, str(request.url), request.content))
            clock = asyncio.get_running_loop().time
            begun = clock()
            status: int | None = None
            try:
                response = await self._answer(request)
                status = response.status
                turn.is_well = not _is_trouble(status)
                turn.trouble = "" if turn.is_well else f"HTTP {status}"
            except Transient as error:
                turn.is_well, turn.trouble = False, str(error)
                raise
            finally:
                sent = Sent(method=method, status=status, took_s=clock() - begun, waited_s=turn.waited_s)
                for hook in self._hooks:
                    hook(sent)
            if response.status in _ASKS_FOR_QUIET and response.retry_after_s is not None:
                self._gate.close_for(response.retry_after_s)
        return response

    async def _answer(self, request: httpx.Request) -> Response:
        try:
            async with asyncio.timeout(self._deadlines.request_s):
                return await self._exchange(request)
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            unanswered = self._unanswered(error)
        raise unanswered  # outside of the handler, so that it does not carry httpx's error as its context

    async def _exchange(self, request: httpx.Request) -> Response:
        async with aclosing(await self._client.send(request, stream=True)) as answer:
            if answer.is_redirect:
                raise self._redirected(answer)
            if "," in answer.headers.get("content-encoding", ""):
                # One compression in another can make of a few bytes more than memory holds, before they are counted.
                msg = f"{self._host} gave an answer that is compressed more than once, which was not read"
                raise Permanent(msg, kind=Kind.INVALID)
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > BODY_MAX:
                    msg = f"{self._host} gave an answer of more than {BODY_MAX} bytes, which was not read to its end"
                    raise Permanent(msg, kind=Kind.INVALID)
        at = http_date(answer.headers.get("date"))
        return Response(
            status=answer.status_code,
            headers=dict(answer.headers),
            body=bytes(body),
            at=at,
            retry_after_s=retry_after_s(answer.headers, at),
        )

    def _redirected(self, answer: httpx.Response) -> Permanent:
        try:
            target = urlsplit(answer.headers.get("location", "")).hostname or self._host
        except ValueError:
            target = "an address that makes no sense"
        msg = (
            f"{self._host} answered HTTP {answer.status_code}, a redirect to {target!r}. Redirects are not followed, "
            "because the key would go along: give the right base URL"
        )
        return Permanent(msg, kind=Kind.REFUSED)

    def _unreachable(self, error: Exception) -> Permanent:
        """Say what of the environment is wrong. A proxy's address is not repeated: it may hold a password."""
        match error:
            case ImportError():
                why = "the proxy is a SOCKS one, for which httpx needs its extra: pip install 'httpx[socks]'"
            case OSError():
                why = f"SSL_CERT_FILE or SSL_CERT_DIR: {error.strerror or error}"
            case _:
                why = "HTTPS_PROXY, ALL_PROXY or NO_PROXY is not an address such as http://proxy.example.org:3128"
        return Permanent(f"no connection to {self._host} can be made: {why}", kind=Kind.UNREACHABLE)

    def _unanswered(self, error: Exception) -> Transient:
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
                return Transient(msg, delivered=Delivered.UNKNOWN)
            case _:
                msg = f"the connection to {self._host} broke before there was a whole answer ({type(error).__name__})"
                return Transient(msg, delivered=Delivered.UNKNOWN)

    def _unsent(self, message: str) -> Transient:
        return Transient(f"{message}{self._via}", delivered=Delivered.NO)


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


def _proxy(host: str) -> str:
    """Return what to say of the proxy on the way to a host: its name alone, for the rest may hold a password."""
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return ""
    return f" (through the proxy {urlsplit(proxy).hostname or 'that the environment names'})"


def _plain(error: Exception) -> str:
    """Return an error's words without the numbers that only its library's authors know."""
    return _NUMBERS.sub("", str(error)).strip()


def _is_trouble(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def http_date(text: str | None) -> datetime | None:
    """Return the moment that an HTTP date names, in UTC; None for anything else."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def retry_after_s(headers: Mapping[str, str], at: datetime | None) -> float | None:
    """Return how long the provider wants to be left alone, in seconds.

    `retry-after-ms` wins over `retry-after`, as in the official OpenAI client. A date counts from the answer's own
    `Date`, so that our clock does not matter; without one it says nothing.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        seconds = milliseconds / 1000
    elif (number := _number(headers.get("retry-after"))) is not None:
        seconds = number
    elif at is not None and (until := http_date(headers.get("retry-after"))) is not None:
        seconds = (until - at).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _check_path(path: str) -> None:
    """Raise unless the path stays below the base URL, also for a gateway that decodes what is percent-encoded."""
    segments = unquote(path).replace("\\", "/").split("/")
    if (
        not path.startswith("/")
        or "//" in path
        or not {".", ".."}.isdisjoint(segments)
        or not path.isascii()
        or not path.isprintable()
        or not {" ", "\\", "?", "#"}.isdisjoint(path)
    ):
        msg = f"{path!r} is not a path below the account's base URL: nothing was sent"
        raise Permanent(msg, kind=Kind.INVALID)
