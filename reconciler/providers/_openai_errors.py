"""What an answer of the OpenAI dialect means that is not a job: an absence, a refusal, trouble.

Rules: only the provider's own words for this very id are an absence. What a service says in a way of its own, against
the meaning of its status, is a `ErrorPattern`: data of its dialect. The provider's words go into the message of what a
person must act on, and not into that of what passes by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.plugin import JobRef, Kind, PermanentError, Response, TransientError, failure
from reconciler.plugin.answers import gateway_message, json_object, text

_SPEAKS_OF_A_JOB = ("fine", "tun", "job")
_WRONG_URL = re.compile(r"(invalid|unknown)( request)? url", re.IGNORECASE)
_BILLING = re.compile(r"insufficient_quota|credit_balance_exhausted|\w*_(spend|usage)_limit_exceeded")
"""Codes of a 429 that no waiting cures (learn.microsoft.com, dev-proxy, "openai-insufficient-quota")."""
_QUOTED_CODE = re.compile(r"'code': '(\w+)'")
"""How a gateway that puts the upstream's error into its own message repeats the code: as Python writes it."""
_QUOTED_404 = "Error code: 404 - "
"""How openai's client begins such a message: 2.x goes on with the whole body, and 3.x with its message alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPattern:
    """An answer that does not mean what its status says: an error of that status whose message holds these words."""

    status: int
    words: str
    kind: Kind
    meaning: str


def says_there_is_no_job(response: Response, ref: JobRef) -> bool:
    """Return whether this is the provider's own not-found answer for this job.

    No captured body is known, so it is read with care: a code that speaks of a job, or no code and a message that names
    the id. A 404 about a URL, a project or a model, or from something in between, is not one.
    """
    complaint = _complaint(response) if response.status == HTTPStatus.NOT_FOUND else None
    if complaint is None:
        return False
    code, message = complaint.get("code"), str(complaint.get("message"))
    if _WRONG_URL.search(message):
        return False
    if code == str(HTTPStatus.NOT_FOUND.value) and message.startswith(_QUOTED_404):
        quoted = _QUOTED_CODE.search(message)
        code = quoted[1] if quoted else None
    if isinstance(code, str):
        return _is_a_missing_job(code)
    return code is None and complaint.get("type") == "invalid_request_error" and ref.id in message


def _is_a_missing_job(code: str) -> bool:
    """Whether a code says that there is no job, as `fine_tune_not_found` does; `model_not_found` does not."""
    word = code.lower()
    ending = next((each for each in ("not_found", "notfound") if word.endswith(each)), None)
    if ending is None:
        return False
    of_what = word.removesuffix(ending)
    is_of_a_job = of_what.endswith("_") and any(each in of_what for each in _SPEAKS_OF_A_JOB)
    return not of_what or (is_of_a_job and of_what.replace("_", "a").isalnum())


def words(response: Response) -> str:
    """Return the status, and what the provider says to it."""
    complaint = _complaint(response) or {}
    said = text(complaint.get("message")) or text(complaint.get("code")) or gateway_message(response)
    return f"HTTP {response.status}: {said}" if said else f"HTTP {response.status}"


def raise_unless_ok(response: Response, sayings: tuple[ErrorPattern, ...] = ()) -> None:
    """Raise what an answer of 400 or more means."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    said = words(response)
    for saying in sayings:
        if response.status == saying.status and saying.words in said:
            msg = f"{saying.meaning} ({said})"
            raise PermanentError(msg, kind=saying.kind)
    if response.status == HTTPStatus.NOT_FOUND:
        msg = f"this is not the answer of the API that was expected ({said}): check the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    complaint = _complaint(response) or {}
    is_billing = any(_BILLING.fullmatch(str(complaint.get(key))) for key in ("code", "type"))
    if response.status == HTTPStatus.TOO_MANY_REQUESTS and is_billing:
        msg = f"the provider account has no credit left or is at a limit of its own ({said}): waiting does not help"
        raise PermanentError(msg, kind=Kind.REFUSED)
    error = failure(response, f"the provider refused this ({said})")
    if isinstance(error, TransientError):
        # Its words hold counters and request ids, so that the same trouble would look like news each time.
        error = failure(response, f"the provider answered HTTP {response.status}")
    raise error


def _complaint(response: Response) -> Mapping[str, Any] | None:
    """Return what stands in the dialect's own error envelope, `{"error": {...}}`; None if the answer has none."""
    try:
        error = json_object(response).get("error")
    except PermanentError:
        return None
    return error if isinstance(error, dict) else None
