"""Classification of error responses of OpenAI-compatible services: an absence, a refusal, or a failure.

Rules:

- Only the provider's own not-found error for this id shows that a job is absent.
- If a service uses an HTTP status with an unusual meaning, its dialect contains an `ErrorPattern` for it.
- The message of a permanent error contains the provider's message, because a person must act on it. The message of a
  temporary error does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.plugin import JobRef, Kind, PermanentError, Response
from reconciler.plugin.answers import OUT_OF_CREDIT, gateway_message, json_object, text
from reconciler.providers._json_api import error_line, not_found, refusal
from reconciler.providers._not_found import BATCH, FINE_TUNE, names_missing

JOB_WORDS = ("fine", "tun", "job")
"""A code such as `fine_tune_not_found` names a fine-tuning job if it contains one of these substrings."""
_NOUN = rf"{BATCH}|{FINE_TUNE}"
_WRONG_URL = re.compile(r"(invalid|unknown)( request)? url", re.IGNORECASE)
_QUOTED_CODE = re.compile(r"'code': '(\w+)'")
"""Finds the upstream's code in the message of a gateway that quotes the upstream's error as a Python dict."""
_QUOTED_404 = "Error code: 404 - "
"""The beginning of a message of the `openai` client that quotes a 404: 2.x appends the whole body, 3.x its message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPattern:
    """An error whose HTTP status is misleading. It is recognised by that status and a part of its message."""

    status: int
    message_part: str
    kind: Kind
    meaning: str


def is_job_not_found(response: Response, ref: JobRef, job_words: tuple[str, ...] = JOB_WORDS) -> bool:
    """Return whether this is the provider's own not-found error for this job.

    No recording of such an error is known, so the check is strict. The code must be `not_found` or name a job; if there
    is no code, the message must contain the id. A 404 from a proxy or about a URL, project or model does not count. A
    message that contains the id after a slash is about a URL.
    """
    error = _error_object(response) if response.status == HTTPStatus.NOT_FOUND else None
    if error is None:
        return False
    code, message = error.get("code"), str(error.get("message"))
    if _WRONG_URL.search(message) or f"/{ref.id}" in message:
        return False
    if code == str(HTTPStatus.NOT_FOUND.value) and message.startswith(_QUOTED_404):
        quoted = _QUOTED_CODE.search(message)
        code = quoted[1] if quoted else None
    if isinstance(code, str):
        return _is_a_missing_job(code, job_words)
    return code is None and error.get("type") == "invalid_request_error" and names_missing(message, ref, _NOUN)


def _is_a_missing_job(code: str, job_words: tuple[str, ...]) -> bool:
    """Return whether a code means that the job does not exist: `fine_tune_not_found`, but not `model_not_found`."""
    word = code.lower()
    ending = next((each for each in ("not_found", "notfound") if word.endswith(each)), None)
    if ending is None:
        return False
    subject = word.removesuffix(ending)
    names_a_job = subject.endswith("_") and any(each in subject for each in job_words)
    return not subject or (names_a_job and subject.replace("_", "a").isalnum())


def error_text(response: Response) -> str:
    """Return the status and the message of an error as one line."""
    error = _error_object(response) or {}
    message = text(error.get("message")) or text(error.get("code")) or gateway_message(response)
    return error_line(response, message)


def raise_unless_ok(
    response: Response, error_patterns: tuple[ErrorPattern, ...] = (), *, is_of_job: bool = False
) -> None:
    """Raise `TransientError` or `PermanentError` if the status of the response is 400 or more.

    An error that matches one of `error_patterns` has the kind and the meaning of that pattern. `is_of_job` is whether
    the request was about one job.
    """
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    details = error_text(response)
    for pattern in error_patterns:
        if response.status == pattern.status and pattern.message_part in details:
            msg = f"{pattern.meaning} ({details})"
            raise PermanentError(msg, kind=pattern.kind)
    if response.status == HTTPStatus.NOT_FOUND:
        raise not_found(details, is_of_job=is_of_job)
    body = _error_object(response) or {}
    is_billing = any(OUT_OF_CREDIT.fullmatch(str(body.get(key))) for key in ("code", "type"))
    if response.status == HTTPStatus.TOO_MANY_REQUESTS and is_billing:
        cause = f"the provider account has no credit left or is at a spending limit ({details})"
        msg = f"{cause}: add credit, or raise the limit"
        raise PermanentError(msg, kind=Kind.REFUSED)
    raise refusal(response, details)


def _error_object(response: Response) -> Mapping[str, Any] | None:
    """Return the error object of a response; None if the response is not in OpenAI's format, `{"error": {...}}`."""
    try:
        error = json_object(response).get("error")
    except PermanentError:
        return None
    return error if isinstance(error, dict) else None
