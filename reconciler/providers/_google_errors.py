"""Classification of the error responses of Google's APIs.

Source: google-genai 3.4.0 `errors.py`. The error format is `{"error": {"code", "message", "status"}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from reconciler.plugin import PermanentError, Response
from reconciler.plugin.answers import gateway_message, json_object, text
from reconciler.providers._json_api import error_line, not_found, refusal


def error_object(response: Response) -> Mapping[str, Any]:
    """Return the error object of a response; empty if the response is not in Google's error format."""
    try:
        error = json_object(response).get("error")
    except PermanentError:
        return {}
    return error if isinstance(error, dict) and isinstance(error.get("status"), str) else {}


def error_text(response: Response) -> str:
    """Return the status and the message of an error as one line."""
    message = " ".join(filter(None, [text(error_object(response).get(key)) for key in ("status", "message")]))
    message = message or gateway_message(response) or ""
    return error_line(response, message)


def raise_unless_ok(response: Response, *, is_of_job: bool = False) -> None:
    """Raise `TransientError` or `PermanentError` if the status of the response is 400 or more.

    `is_of_job` is whether the request was about one job.
    """
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    details = error_text(response)
    if response.status == HTTPStatus.NOT_FOUND:
        raise not_found(details, is_of_job=is_of_job)
    raise refusal(response, details)
