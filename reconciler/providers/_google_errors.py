"""What an answer of Google's APIs means that is not what was asked for.

Source: google-genai 3.4.0 `errors.py`; the envelope is `{"error": {"code", "message", "status"}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from reconciler.plugin import Kind, PermanentError, Response, TransientError, failure
from reconciler.plugin.answers import gateway_message, json_object, text


def complaint(response: Response) -> Mapping[str, Any]:
    """Return what stands in Google's own envelope; empty without one."""
    try:
        error = json_object(response).get("error")
    except PermanentError:
        return {}
    return error if isinstance(error, dict) and isinstance(error.get("status"), str) else {}


def words(response: Response) -> str:
    """Return the status, and what Google says to it."""
    said = " ".join(filter(None, [text(complaint(response).get(key)) for key in ("status", "message")]))
    said = said or gateway_message(response) or ""
    return f"HTTP {response.status}: {said}" if said else f"HTTP {response.status}"


def raise_unless_ok(response: Response) -> None:
    """Raise what an answer of 400 or more means."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    said = words(response)
    if response.status == HTTPStatus.NOT_FOUND:
        msg = f"this is not an answer about a job of this account ({said}): check its options and base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    error = failure(response, f"the provider refused this ({said})")
    if isinstance(error, TransientError):
        # Its words hold counters and request ids, so that the same trouble would look like news each time.
        error = failure(response, f"the provider answered HTTP {response.status}")
    raise error
