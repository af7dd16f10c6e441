"""Functions for adapters of JSON APIs: parts of requests, counts in strings, errors, and the outcome of a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from reconciler.plugin import (
    Accepted,
    AlreadyOver,
    JobRef,
    Kind,
    ObservedJob,
    PermanentError,
    Phase,
    Response,
    TransientError,
    failure,
)
from reconciler.plugin.answers import acceptance, json_object, require_same_job

_COUNT = re.compile(r"[0-9]{1,18}")
_UNSPECIFIC = re.compile(
    r"HTTP 404: (NOT_FOUND )?(the )?(requested )?((entity|resource) )?((was|is) )?not found\W*", re.IGNORECASE
)
"""Matches an error that does not say what was not found, such as Google's `Requested entity was not found.`"""


def bearer(token: str) -> Mapping[str, str]:
    """Return the header that authorises a request with a key or token."""
    return {"authorization": f"Bearer {token}"}


def job_path(ref: JobRef) -> str:
    """Return the last part of the path of a job: a slash, and its id with every special character percent-encoded."""
    return f"/{quote(ref.id, safe='')}"


def count_in_text(value: Any) -> int | None:
    """Return the count in a JSON string of 1 to 18 digits, or None for any other value.

    Google's JSON format writes 64-bit numbers as strings.
    """
    return int(value) if isinstance(value, str) and _COUNT.fullmatch(value) else None


def error_line(response: Response, message: str | None) -> str:
    """Return the status of an error response, and its message unless it is None or empty, as one line."""
    return f"HTTP {response.status}: {message}" if message else f"HTTP {response.status}"


def not_found(details: str, *, is_of_job: bool) -> PermanentError:
    """Return the error for a 404 that does not show that the job is absent.

    Args:
        details: the status and the message of the response.
        is_of_job: whether the request was about one job. If the message does not say what was not found, it may be the
            job.
    """
    cause, checks = "something other than the job was not found", "the base URL and the provider's options"
    if is_of_job and _UNSPECIFIC.fullmatch(details):
        cause, checks = "the provider does not say what was not found", f"the job's id, {checks}"
    return PermanentError(f"{cause} ({details}): check {checks}", kind=Kind.INVALID)


def refusal(response: Response, details: str) -> TransientError | PermanentError:
    """Return the error for a response with a status of 400 or more. The caller raises it.

    Args:
        response: the response.
        details: the provider's text. The error contains it only if the error is permanent.
    """
    error = failure(response, f"the provider refused the request ({details})")
    if isinstance(error, TransientError):
        # The provider's text is left out. It may contain a request id, and then every failure during one outage would
        # be logged as a new failure.
        error = failure(response, f"the provider responded with HTTP {response.status}")
    return error


def change_outcome(
    response: Response,
    ref: JobRef,
    read: Callable[[Mapping[str, Any], datetime | None], ObservedJob],
    without_effect: frozenset[Phase],
) -> Accepted | AlreadyOver:
    """Return the outcome of a change request with a 2xx response.

    Args:
        response: the response. If it contains no job, `acceptance` returns the outcome.
        ref: the job.
        read: returns the job in a JSON object. Its second argument is the time of the provider's clock, or None.
        without_effect: the phases of the job in the response that show that the request had no effect.

    Raises `PermanentError(invalid)` if the response contains another job, and the errors of `acceptance`.
    """
    job = _job_in(response, read)
    if job is not None and ref.id in job.ids:
        return AlreadyOver(require_same_job(job, ref)) if job.phase in without_effect else Accepted()
    accepted = acceptance(response)
    if job is not None:
        require_same_job(job, ref)
    return accepted


def _job_in(
    response: Response, read: Callable[[Mapping[str, Any], datetime | None], ObservedJob]
) -> ObservedJob | None:
    """Return the job in a response, or None if it contains none.

    Raises `PermanentError(invalid)` for a job of another account: the request may still have had an effect.
    """
    try:
        return read(json_object(response), response.at)
    except PermanentError as error:
        if error.kind is not Kind.MISSING:
            return None
        raise PermanentError(str(error), kind=Kind.INVALID) from None
