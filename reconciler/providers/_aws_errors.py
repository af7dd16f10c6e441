"""What an answer of AWS means that is not what was asked for.

Rules: an error is known by its code, in a header or in the body, and hardly by its status: much is a 400 that elsewhere
is a 403, a 404 or a 429.

Sources: botocore 1.44.5 `parsers.py`, `retries/standard.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from reconciler.plugin import Delivered, Kind, PermanentError, Response, TransientError, clean, failure
from reconciler.plugin.answers import gateway_message, json_object, text

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
"""What a policy says of one action on one resource."""
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
    """Return the code of AWS's own error, such as `ConflictException`; None if the answer has none."""
    code = response.headers.get("x-amzn-errortype") or _complaint(response).get("__type")
    return code.partition(":")[0].rpartition("#")[2] if isinstance(code, str) and code else None


def error_words(response: Response) -> str:
    """Return the error as one line for people."""
    complaint = _complaint(response)
    message = text(complaint.get("message")) or text(complaint.get("Message")) or gateway_message(response)
    return ": ".join(filter(None, [f"HTTP {response.status}", clean(error_code(response) or ""), message]))


def raise_unless_ok(response: Response) -> None:
    """Raise what an answer of 400 or more means."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    code, said = error_code(response), error_words(response)
    if response.status == HTTPStatus.NOT_FOUND and code is None:
        msg = f"this is not an answer of AWS ({said}): check region and base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    if code in THROTTLED:
        msg = f"the provider asks for fewer requests ({code})"
        raise TransientError(msg, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
    if code in _DENIED | _FORBIDDEN:
        msg = f"the provider refused the credentials ({said})"
        raise PermanentError(msg, kind=Kind.DENIED if code in _DENIED else Kind.FORBIDDEN)
    error = failure(response, f"the provider refused this ({said})")
    if isinstance(error, TransientError):
        # Its words hold request ids, so that the same trouble would look like news each time.
        error = failure(response, f"the provider answered HTTP {response.status}")
    raise error


def _complaint(response: Response) -> Mapping[str, Any]:
    try:
        return json_object(response)
    except PermanentError:
        return {}
