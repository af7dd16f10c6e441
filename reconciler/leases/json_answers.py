"""What the services of leases respond: checked JSON, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.errors import Kind, PermanentError, ProviderError
from reconciler.model.foreign import one_line
from reconciler.plugin import failure
from reconciler.plugin.answers import gateway_message
from reconciler.ports import Response

TEXT_MAX = 200
"""The maximum number of characters of a response that a message quotes."""


def object_of(value: object) -> Mapping[str, Any]:
    """Return a value if it is a JSON object, else an empty object."""
    return value if isinstance(value, dict) else {}


def number_of(value: object) -> int:
    """Return a number that the response contains as a number or as a text, or 0 if it contains none."""
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0


def body_of(response: Response) -> Mapping[str, Any]:
    """Return the body of a successful response. Raises `PermanentError(invalid)` if it is not a JSON object."""
    try:
        body = response.json()
    except PermanentError:
        body = None
    if not isinstance(body, dict):
        msg = f"the response (HTTP {response.status}) is not a JSON object: check the address of the lease"
        raise PermanentError(msg, kind=Kind.INVALID)
    return body


def error_of(response: Response, what: str, hint: str | None = None) -> ProviderError:
    """Return the error for a response that is not a success.

    `what` names the service and the request. `hint` is what a person can do, or None if that is not known.
    """
    message = f"{what}: HTTP {response.status}"
    if said := gateway_message(response):
        message += f": {one_line(said, TEXT_MAX)}"
    return failure(response, message if hint is None else f"{message}; {hint}")
