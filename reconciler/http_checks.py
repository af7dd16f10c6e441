"""The checks of requests and responses for which no HTTP library is needed.

Rules: `transport` applies the checks to every request and response. A request that fails a check is not sent, and the
error never repeats a value that may be a key. A response is redacted before an adapter sees it.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from reconciler.errors import Kind, PermanentError
from reconciler.model.foreign import one_line
from reconciler.ports import PROVIDER, PeerNames, Response
from reconciler.redaction import KNOWN_SECRETS
from reconciler.time_headers import http_date, retry_after_s

HOST_MAX = 253
"""The maximum length of a host in a message, in characters."""
ERROR_TEXT_MAX = 200
"""The maximum length of a library's text in a message, in characters."""
REDACT_IN_THREAD_ABOVE = 256 * 1024
"""A response with more characters is redacted in a thread, so that it does not delay other accounts."""

_LIBRARY_NUMBERS = re.compile(r"\[(Errno|SSL)[^\[\]]*\] ?| ?\(_ssl\.c:\d+\)")
_AUTHORISES = re.compile(r"auth|cookie|credential|key|password|secret|token", re.IGNORECASE)
"""Matches the names of headers whose values are secret."""


def check_path(path: str) -> None:
    """Raise `PermanentError(invalid)` unless a path stays below the base URL. The empty path is the base URL itself.

    A gateway may decode percent-encoding before it resolves the path, so the decoded path is searched for dot
    segments.
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
        msg = (
            "the path of the request leaves the base URL or contains a character that is not allowed, so nothing was "
            "sent: check spec.jobId of the job and spec.options of its Provider document"
        )
        raise PermanentError(msg, kind=Kind.INVALID)


def checked_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers unchanged.

    Raises `PermanentError(missing)` if a value cannot be sent. The message contains only the name of the header.
    """
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            msg = (
                f"the header {name.lower()} is not valid, so no request was sent: correct its key, token or setting, "
                "which begins or ends with a blank, or contains a line break or a character that is not ASCII"
            )
            raise PermanentError(msg, kind=Kind.MISSING)
    return headers


def secrets_in_header(name: str, value: str) -> list[str]:
    """Return the secrets in a request header.

    A scheme such as `Bearer` is not a secret, and neither is a one-time signature, which contains several words. For
    basic authentication, the decoded user and password are returned too.
    """
    scheme, _, rest = value.partition(" ")
    if not _AUTHORISES.search(name) or " " in rest.strip():
        return []
    found = [rest.strip() or value]
    if scheme.lower() == "basic":
        with suppress(ValueError):
            found += base64.b64decode(rest).decode().split(":", 1)
    return found


def redirect_host(location: str, own_host: str) -> str:
    """Return the host that a redirect leads to, for a message.

    `location` is the address of the redirect. If it names no host, the result is `own_host`, the host of the request.
    If the address is invalid, or the host's name contains part of a secret, return a description instead.
    """
    try:
        host = urlsplit(location).hostname or own_host
    except ValueError:
        return "an invalid address"
    if KNOWN_SECRETS.has_letters_of(host):
        return "another host, whose name is not shown because it contains part of a secret"
    return repr(one_line(host, HOST_MAX))


def check_encoding(headers: Mapping[str, str], host: str, names: PeerNames = PROVIDER) -> None:
    """Raise `PermanentError(invalid)` if a response is compressed more than once.

    Nested compression can expand a few bytes beyond the available memory before the size is checked.
    """
    if "," in headers.get("content-encoding", ""):
        msg = f"{host} sent a response that is compressed more than once: check {names.url}"
        raise PermanentError(msg, kind=Kind.INVALID)


def too_long_error(host: str, limit: int, names: PeerNames = PROVIDER) -> PermanentError:
    """Return the `PermanentError(invalid)` for a response of more than `limit` bytes."""
    return PermanentError(
        f"{host} sent a response of more than {limit // 1024**2} MiB: check {names.url}", kind=Kind.INVALID
    )


def redirect_error(status: int, location: str, own_host: str, names: PeerNames = PROVIDER) -> PermanentError:
    """Return the `PermanentError(refused)` for a redirect, which is not followed. See `redirect_host`."""
    msg = (
        f"{own_host} responded with HTTP {status}, a redirect to {redirect_host(location, own_host)}. Redirects are "
        f"not followed, because {names.content} would be sent there too: correct {names.url}"
    )
    return PermanentError(msg, kind=Kind.REFUSED)


def settings_error(host: str, error: Exception) -> PermanentError:
    """Return the `PermanentError(unreachable)` for an error of the proxy or certificate settings.

    The message never contains the address of a proxy, because the address may contain a password.
    """
    match error:
        case ImportError():
            why = "httpx needs an extra for a SOCKS proxy: pip install 'httpx[socks]'"
        case OSError():
            why = error.strerror or type(error).__name__
        case _:
            why = str(error)
    return PermanentError(f"cannot connect to {host}: {why}", kind=Kind.UNREACHABLE)


def text_of_error(error: Exception) -> str:
    """Return the text of an error as one redacted line, without the error numbers of its library."""
    return KNOWN_SECRETS.redact(one_line(_LIBRARY_NUMBERS.sub("", str(error)), ERROR_TEXT_MAX))


async def redacted_response(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    """Return the response with every known secret redacted in its headers and body."""
    at = http_date(headers.get("date"))
    text = body.decode(errors="replace")
    if len(text) > REDACT_IN_THREAD_ABOVE:
        redacted = await asyncio.to_thread(KNOWN_SECRETS.redact, text)
    else:
        redacted = KNOWN_SECRETS.redact(text)
    return Response(
        status=status,
        headers={name: KNOWN_SECRETS.redact(value) for name, value in headers.items()},
        # Keep the original bytes if nothing was redacted, because decoding may have replaced invalid bytes.
        body=body if redacted is text else redacted.encode(errors="replace"),
        at=at,
        retry_after_s=retry_after_s(headers, at),
    )
