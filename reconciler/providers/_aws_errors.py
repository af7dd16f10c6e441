"""Classification of AWS error responses.

An error is identified by its code, which is in a header or in the body. The status is less specific: AWS returns HTTP
400 for many errors for which other services return HTTP 403, 404 or 429.

Sources: botocore 1.44.5 `parsers.py`, `retries/standard.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from reconciler.plugin import Delivered, Kind, PermanentError, Response, TransientError, clean
from reconciler.plugin.answers import THROTTLING_CODES, aws_code, gateway_message, json_object, text
from reconciler.providers._json_api import refusal

_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
"""Codes for an action that a policy forbids for one resource. Other jobs may be unaffected."""
_DENIED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def error_code(response: Response) -> str | None:
    """Return the code of an AWS error, such as `ConflictException`; None if the response contains no code."""
    return aws_code(response.headers, response.body)


def error_text(response: Response) -> str:
    """Return the status, the code and the message of an error as one line."""
    error = _error_object(response)
    message = text(error.get("message")) or text(error.get("Message")) or gateway_message(response)
    return ": ".join(filter(None, [f"HTTP {response.status}", clean(error_code(response) or ""), message]))


def raise_unless_ok(response: Response) -> None:
    """Raise `TransientError` or `PermanentError` if the status of the response is 400 or more."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    code, details = error_code(response), error_text(response)
    if response.status == HTTPStatus.NOT_FOUND and code is None:
        msg = f"this response is not from AWS ({details}): check the region and the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    if code in THROTTLING_CODES:
        msg = f"the provider throttles requests ({code})"
        raise TransientError(msg, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
    if code in _DENIED | _FORBIDDEN:
        msg = f"the provider refused the credentials ({details}): check them and their permissions"
        raise PermanentError(msg, kind=Kind.DENIED if code in _DENIED else Kind.FORBIDDEN)
    raise refusal(response, details)


def _error_object(response: Response) -> Mapping[str, Any]:
    try:
        return json_object(response)
    except PermanentError:
        return {}
