"""What an answer of the OpenAI dialect means that is not a job: an absence, a refusal, trouble.

Rules: only the provider's own words for this very id are an absence. What a service says in a way of its own, against
the meaning of its status, is a `Saying`: data of its dialect. The provider's words go into the message of what a person
must act on, and not into that of what passes by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.plugin import JobRef, Kind, Permanent, Response, Transient, failure
from reconciler.plugin.answers import json_object, text

_JOB_NOT_FOUND = re.compile(r"(\w*(fine|tun|job)\w*_)?not_?found", re.IGNORECASE)
_WRONG_URL = re.compile(r"(invalid|unknown)( request)? url", re.IGNORECASE)
_BILLING = re.compile(r"insufficient_quota|credit_balance_exhausted|\w*_(spend|usage)_limit_exceeded")
"""Codes of a 429 that no waiting cures (learn.microsoft.com, dev-proxy, "openai-insufficient-quota")."""
_QUOTED_CODE = re.compile(r"'code': '(\w+)'")
"""How a gateway that puts the upstream's error into its own message repeats the code: as Python writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
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
    if code == str(HTTPStatus.NOT_FOUND.value) and (quoted := _QUOTED_CODE.search(message)):
        code = quoted[1]
    if isinstance(code, str):
        return _JOB_NOT_FOUND.fullmatch(code) is not None
    return code is None and complaint.get("type") == "invalid_request_error" and ref.id in message


def words(response: Response) -> str:
    """Return the status, and what the provider says to it."""
    complaint = _complaint(response) or {}
    said = text(complaint.get("message")) or text(complaint.get("code"))
    return f"HTTP {response.status}: {said}" if said else f"HTTP {response.status}"


def raise_unless_ok(response: Response, sayings: tuple[Saying, ...] = ()) -> None:
    """Raise what an answer of 400 or more means."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    said = words(response)
    for saying in sayings:
        if response.status == saying.status and saying.words in said:
            msg = f"{saying.meaning} ({said})"
            raise Permanent(msg, kind=saying.kind)
    if response.status == HTTPStatus.NOT_FOUND:
        msg = f"this is not the answer of the API that was expected ({said}): check the base URL"
        raise Permanent(msg, kind=Kind.INVALID)
    complaint = _complaint(response) or {}
    is_billing = any(_BILLING.fullmatch(str(complaint.get(key))) for key in ("code", "type"))
    if response.status == HTTPStatus.TOO_MANY_REQUESTS and is_billing:
        msg = f"the provider account has no credit left or is at a limit of its own ({said}): waiting does not help"
        raise Permanent(msg, kind=Kind.REFUSED)
    error = failure(response, f"the provider refused this ({said})")
    if isinstance(error, Transient):
        # Its words hold counters and request ids, so that the same trouble would look like news each time.
        error = failure(response, f"the provider answered HTTP {response.status}")
    raise error


def _complaint(response: Response) -> Mapping[str, Any] | None:
    """Return what stands in the dialect's own error envelope, `{"error": {...}}`; None if the answer has none."""
    try:
        error = json_object(response).get("error")
    except Permanent:
        return None
    return error if isinstance(error, dict) else None
