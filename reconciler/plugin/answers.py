"""Parse a provider's JSON responses, and determine what they mean for a request.

Rules: a function that reads a value (`text`, `cursor`, `instant`, `seconds`, `count`) returns None for a value of
another type and never raises. A missing field is `UNSET`. Text for people is cleaned. Known secrets have already been
redacted in the response. A response that is not a JSON object is an error, never an absence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler.plugin import (
    TERMINAL,
    UNSET,
    Accepted,
    AlreadyOver,
    JobReader,
    JobRef,
    Kind,
    ObservedJob,
    PermanentError,
    Phase,
    ProviderError,
    Response,
    Unset,
    clean,
)
from reconciler.plugin._refusals import is_only_message, says_failure
from reconciler.rate_signals import OUT_OF_CREDIT, THROTTLING_CODES, aws_code

__all__ = [
    "MOOT_FOR_A_CANCEL",
    "OUT_OF_CREDIT",
    "THROTTLING_CODES",
    "acceptance",
    "already_over_or_raise",
    "aws_code",
    "count",
    "cursor",
    "field",
    "gateway_message",
    "instant",
    "jobs_of",
    "json_object",
    "name_of",
    "require_same_job",
    "seconds",
    "text",
    "unknown_job",
    "word",
]

T = TypeVar("T")

_WORD_MAX = 64
DETAILS_MAX = 3
"""The maximum number of errors that a message contains if a response lists several."""
PLAIN_MAX = 4096
"""The maximum number of bytes of a plain-text response that are read for a message."""
_MESSAGE_KEYS = ("message", "Message", "error_description", "detail", "error", "errors", "fault", "title")
"""The keys under which responses from gateways contain a message for people, the most specific first."""
COUNT_MAX = 2**63 - 1
"""The largest count that is read. Python cannot write a number of more than 4,300 digits."""
_YEAR_10000 = 253_402_300_800
MOOT_FOR_A_CANCEL = TERMINAL | {Phase.CANCELLING}
"""The phases in which a cancel would have no effect."""


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the body of a response as a mapping. Raises `PermanentError(invalid)` if it is not a JSON object."""
    body = response.json()
    if not isinstance(body, dict):
        msg = f"the response (HTTP {response.status}) is not a JSON object: check the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    return body


def jobs_of(
    body: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], ObservedJob]
) -> tuple[tuple[ObservedJob, ...], int]:
    """Return the jobs in a list response, and the number of its rows that cannot be read.

    A row cannot be read if it is not an object, or if `read` raises a `PermanentError` whose kind is not `missing`.

    Args:
        body: the body of the response.
        key: the key of the list in the body.
        read: returns the job in a row. If it raises `PermanentError(missing)`, the cause is the account and not the
            row, so the error is passed on.

    Raises `PermanentError(invalid)` if there is no list at `key`, or if the list has rows and none can be read.
    """
    rows = body.get(key)
    jobs = [_readable(row, read) for row in rows] if isinstance(rows, list) else [None]
    read_jobs = tuple(job for job in jobs if job is not None)
    if jobs and not read_jobs:
        msg = "the response contains no list of jobs that can be read: check the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    return read_jobs, len(jobs) - len(read_jobs)


def _readable(row: Any, read: Callable[[Mapping[str, Any]], ObservedJob]) -> ObservedJob | None:
    try:
        return read(row) if isinstance(row, dict) else None
    except PermanentError as error:
        if error.kind is Kind.MISSING:
            raise  # the cause is the account, not the row
        return None


def name_of(row: Mapping[str, Any], key: str) -> str:
    """Return the name or id of a job in a row. Raises `PermanentError(invalid)` if it is missing or not printable."""
    name = row.get(key)
    if not isinstance(name, str) or not name or not name.isprintable():
        msg = f"the provider returned something that is not a job: it has no printable {key}"
        raise PermanentError(msg, kind=Kind.INVALID)
    return name


def field(row: Mapping[str, Any], path: str, reader: Callable[[Any], T | None]) -> T | None | Unset:
    """Return the value at a dotted path, as read by `reader`, or `UNSET` if the path does not exist."""
    value: Any = row
    for key in path.split(".") if "." in path else (path,):
        if not isinstance(value, dict) or key not in value:
            return UNSET
        value = value[key]
    return reader(value)


def text(value: Any) -> str | None:
    """Return the cleaned text, or None for a value that is not text."""
    return clean(value) if isinstance(value, str) else None


def word(value: Any) -> str:
    """Return a status word, cleaned and cut at 64 characters. A value that is not text is first written as JSON."""
    return clean(value if isinstance(value, str) else json.dumps(value), _WORD_MAX)


def cursor(value: Any) -> str | None:
    """Return the token of the next page, or None if it is empty, missing or not text, which ends the list."""
    return value if isinstance(value, str) and value else None


def instant(value: Any) -> datetime | None:
    """Return the time of an ISO 8601 text in UTC, or None for any other value.

    The result is also None for a time without a zone, and for a time that no job can have (the beginning of 1970 or
    earlier).
    """
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo and moment.timestamp() > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def seconds(value: Any) -> datetime | None:
    """Return the time of a Unix timestamp in seconds, in UTC, or None for any other value.

    The result is also None for a time that no job can have (the beginning of 1970 or earlier, or after the year 9999).
    """
    if type(value) not in (int, float) or not 0 < value < _YEAR_10000:
        return None
    return datetime.fromtimestamp(value, UTC)


def count(value: Any) -> int | None:
    """Return the value if it is a whole number from 0 to `COUNT_MAX`, or None for any other value."""
    return value if type(value) is int and 0 <= value <= COUNT_MAX else None


def require_same_job(job: ObservedJob, ref: JobRef) -> ObservedJob:
    """Return the job with the requested id as its `id`.

    Raises `PermanentError(invalid)` if the requested id is not among the job's ids.
    """
    if ref.id not in job.ids:
        msg = "the provider returned a job other than the requested one"
        raise PermanentError(msg, kind=Kind.INVALID)
    return replace(job, id=ref.id, aliases=tuple(sorted(job.ids - {ref.id})))


def gateway_message(response: Response) -> str | None:
    """Return the message of an error response that is not in the provider's own format, or None if it has none.

    Such a response is plain text, or JSON from a gateway: API Management (`message`), FastAPI (`detail`, also a list),
    RFC 7807 (`title`, `detail`), OAuth (`error`, `error_description`), Apigee (`fault`), or a list of `errors`.
    """
    if response.headers.get("content-type", "").startswith("text/plain"):
        return text(response.body[:PLAIN_MAX].decode(errors="replace")) or None
    try:
        body = json_object(response)
    except PermanentError:
        return None
    return next(filter(None, (_message_in(body.get(key)) for key in _MESSAGE_KEYS)), None)


def _message_in(value: Any) -> str | None:
    """Return the message in a value: a text, an object that contains one, or the first entries of a list."""
    match value:
        case str():
            return text(value)
        case dict():
            message = next(
                filter(None, (text(value.get(key)) for key in ("message", "msg", "faultstring", "detail"))), None
            )
            return ": ".join(filter(None, [_place(value.get("loc")), message])) if message else None
        case list():
            flat = [each for each in value[:DETAILS_MAX] if not isinstance(each, list)]
            return "; ".join(filter(None, map(_message_in, flat))) or None
        case _:
            return None


def _place(value: Any) -> str | None:
    return clean(".".join(map(str, value)), _WORD_MAX) if isinstance(value, list) else None


def unknown_job(message: str) -> PermanentError:
    """Return the error for a request about a job that the provider does not know, with the provider's message."""
    return PermanentError(f"the provider does not know this job: {message}", kind=Kind.REFUSED)


def acceptance(response: Response) -> Accepted:
    """Return `Accepted` for a response with a status below 400, unless it contains an error or only a message.

    Providers accept a cancel with HTTP 200, 202 or 204, without content or with various JSON. Raises
    `PermanentError(refused)` if the response says that the request failed. Raises `PermanentError(invalid)` if the
    body does not show the outcome: it contains only a message, or is not a JSON object but, for example, the page of a
    proxy.
    """
    if not response.body.strip() or response.json() is None:
        return Accepted()
    body = json_object(response)
    details = f"HTTP {response.status}: {gateway_message(response) or word(body)}"
    if says_failure(body):
        msg = f"the provider refused the request ({details})"
        raise PermanentError(msg, kind=Kind.REFUSED)
    if is_only_message(body):
        msg = f"the response does not show whether the provider accepted the request ({details})"
        raise PermanentError(msg, kind=Kind.INVALID)
    return Accepted()


async def already_over_or_raise(
    reader: JobReader, ref: JobRef, refusal: PermanentError, moot: frozenset[Phase] = MOOT_FOR_A_CANCEL
) -> AlreadyOver:
    """Retrieve the job of a refused request, and return `AlreadyOver` if the request would have no effect.

    Args:
        reader: the account.
        ref: the job.
        refusal: the error of the refused request.
        moot: the phases in which the request would have no effect.

    Raises `refusal` if its kind is not `refused`, if the job is in another phase, or if the job does not exist or
    cannot be retrieved.
    """
    if refusal.kind is not Kind.REFUSED:
        raise refusal
    try:
        job = await reader.get_job(ref)
    except ProviderError:
        job = None
    if job is None or job.phase not in moot:
        raise refusal
    return AlreadyOver(job)
