"""The usual forms in which the body of a 2xx response says that a request failed.

Gateways and some services report an error with HTTP 200. Such a response must not count as accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

_ERRORS = ("error", "errors", "fault")
_FLAGS = ("success", "ok")
_CODES = ("code", "status", "statusCode", "status_code")
_FAILURES = frozenset({"error", "fail", "failed", "failure"})
_MESSAGES = frozenset({"message", "Message", "msg", "detail", "details", "title", "reason", "error_description"})
_BESIDE_A_MESSAGE = frozenset({"code", "type", "instance", "path", "timestamp", "requestId", "request_id", "trace_id"})
"""The fields that an error may contain beside its message. They do not show that a request was accepted."""


def says_failure(body: Mapping[str, Any]) -> bool:
    """Return whether a body contains an error, `success: false`, `status: error`, or a code of 400 or more."""
    return (
        any(_has_content(body.get(key)) for key in _ERRORS)
        or any(body.get(key) is False for key in _FLAGS)
        or str(body.get("status")).lower() in _FAILURES
        or any(type(code) is int and code >= HTTPStatus.BAD_REQUEST for code in map(body.get, _CODES))
    )


def is_only_message(body: Mapping[str, Any]) -> bool:
    """Return whether a body contains a message, and nothing that shows that the request was accepted."""
    filled = {key for key, value in body.items() if _has_content(value)}
    return bool(filled & _MESSAGES) and filled <= _MESSAGES | _BESIDE_A_MESSAGE and not _is_success(body.get("code"))


def _has_content(value: Any) -> bool:
    """Return whether a value is truthy. An object or a list counts as truthy only if one of its values is."""
    return any(value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value])


def _is_success(code: Any) -> bool:
    """Return whether a code in a body is 0 or an HTTP status of success."""
    return type(code) is int and (code == 0 or HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES)
