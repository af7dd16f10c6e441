"""HTTP responses, including faulty ones.

Some faults replace the response, and the request does not reach the world (`replacement_for`). Others change the
response to a request that has reached the world (`faulty_response`).
"""

from __future__ import annotations

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from reconciler.sandbox import serialization
from reconciler.sandbox.faults import Fault, PartialPage, SimpleFault, Status, UnknownWord

_SERVER_ERROR = 500
_QUOTA = "insufficient_quota"
_QUOTA_CODES = {
    _QUOTA,
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


class ConnectionResetByFaultError(ConnectionResetError):
    """Raised by the application if a fault breaks the connection in the middle of a response."""


class NoResponse(Response):
    """A response that never arrives completely."""


class Hang(NoResponse):
    """No response until the client disconnects."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Wait for the client to disconnect."""
        while (await receive())["type"] != "http.disconnect":
            pass


class Reset(NoResponse):
    """The head of a response, and then a broken connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Send the head of a response, and raise `ConnectionResetByFaultError`.

        Without a head, the framework would respond to the exception with HTTP 500. After a head, the server can only
        close the connection.
        """
        beginning = [*self.raw_headers, (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": beginning})
        msg = "the sandbox broke the connection"
        raise ConnectionResetByFaultError(msg)


def error_response(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Response:
    """Return an error in OpenAI's format. `param` names the invalid parameter. None is written as `null`."""
    return JSONResponse(serialization.error(message, param=param, code=code), status)


def replacement_for(fault: Fault | None) -> Response | None:
    """Return the response that a fault sends in place of the world's; None if the request reaches the world."""
    match fault:
        case Status():
            return _status(fault)
        case PartialPage():
            return _error(_SERVER_ERROR, "The server had an error while processing your request.")
        case SimpleFault(fault="hang"):
            return Hang()
        case SimpleFault(fault="reset-before-acting"):
            return Reset()
        case SimpleFault(fault="html"):
            return HTMLResponse("<!doctype html><title>Sign in</title><p>Sign in to continue.")
        case SimpleFault(fault="wrong-body-404"):
            return JSONResponse({"detail": "Not Found"}, 404)
        case _:
            return None


def faulty_response(fault: Fault | None, body: serialization.Json) -> Response:
    """Return the response with the world's `body`. A fault that changes responses is applied; None is no fault."""
    match fault:
        case UnknownWord():
            return JSONResponse(_with_unknown_status(body, fault))
        case SimpleFault(fault="reset-after-acting"):
            return Reset()
        case SimpleFault(fault="garbage"):
            whole = bytes(JSONResponse(body).body)
            return Response(whole[: len(whole) // 2], media_type="application/json")
        case SimpleFault(fault="empty"):
            return Response(media_type="application/json")
        case _:
            return JSONResponse(body)


def _status(fault: Status) -> Response:
    response = _error(fault.status, f"A declared fault of the sandbox returns this {fault.status}.", fault.code)
    if fault.retry_after is not None:
        response.headers["retry-after"] = str(int(fault.retry_after.total_seconds()))
    return response


def _error(status: int, message: str, code: str | None = None) -> Response:
    fallback = "server_error" if status >= _SERVER_ERROR else "invalid_request_error"
    type_ = _QUOTA if code in _QUOTA_CODES else _TYPES.get(status, fallback)
    return JSONResponse(serialization.error(message, type_=type_, code=code or _CODES.get(status)), status)


def _with_unknown_status(body: serialization.Json, fault: UnknownWord) -> serialization.Json:
    if body["object"] == "list":
        return {**body, "data": [_with_unknown_status(row, fault) for row in body["data"]]}
    return {**body, "status": fault.word} if fault.job in (None, body["id"]) else body
