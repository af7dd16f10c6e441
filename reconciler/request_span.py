"""The span of one HTTP request, with the attributes of OpenTelemetry's semantic conventions for HTTP clients.

Rules: neither the query, the fragment and the user of a URL, nor a header or a body, becomes an attribute.

Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (stable).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import Delivered, TransientError
from reconciler.ports import Attributes, Span, Tracer

_PORTS = {"http": 80, "https": 443}
_FAILURES = {Delivered.NO: "not_delivered", Delivered.UNKNOWN: "no_response"}


@contextmanager
def request_span(tracer: Tracer, method: str, url: str, *, waited_s: float, sends: int) -> Iterator[Span]:
    """Record the span of a request while the block runs.

    Args:
        tracer: records the span.
        method: the method, in upper case.
        url: the URL of the request.
        waited_s: how long the request waited for its turn, in seconds, before the span began.
        sends: how often the request was sent, including this time.
    """
    attributes: dict[str, str | int | float | bool] = {
        "http.request.method": method,
        **_address(urlsplit(url)),
        "reconcile.request.waited": round(waited_s, 3),
    }
    if sends > 1:
        attributes["http.request.resend_count"] = sends - 1
    with tracer.span(method, attributes, is_request=True) as span:
        try:
            yield span
        except TransientError as error:
            span.fail(_FAILURES[error.delivered])
            raise


def add_status(span: Span, status: int) -> None:
    """Add the status of the response. For a client, a status from 400 on is a failure."""
    span.add({"http.response.status_code": status})
    if status >= HTTPStatus.BAD_REQUEST:
        span.fail(str(status))


def _address(url: SplitResult) -> Attributes:
    host, port = url.hostname or "", url.port or _PORTS.get(url.scheme, 0)
    netloc = url.netloc.rpartition("@")[2]
    return {"url.full": f"{url.scheme}://{netloc}{url.path}", "server.address": host, "server.port": port}
