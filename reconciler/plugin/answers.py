"""Parse a provider's JSON answers, and decide what they mean for a request.

Rules: a reader returns None for a value of another type than it reads, and raises nothing. A field that is left out is
`UNSET`. Every text is cleaned; secrets were redacted before. An answer that is not a JSON object is an error, never an
absence.
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

__all__ = [
    "MOOT_FOR_A_CANCEL",
    "acceptance",
    "already_over_or_raise",
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
"""The most entries of a list of errors that a message repeats."""
PLAIN_MAX = 4096
"""The most bytes of a plain text that are read for a message."""
_MESSAGE_KEYS = ("message", "Message", "error_description", "detail", "error", "errors", "fault", "title")
"""Keys under which gateways put the message for a person, the most specific first."""
_YEAR_10000 = 253_402_300_800
MOOT_FOR_A_CANCEL = TERMINAL | {Phase.CANCELLING}
"""The phases in which a cancel has nothing left to do."""


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the body of an answer. Raises `PermanentError(invalid)` if it is not a JSON object."""
    body = response.json()
    if not isinstance(body, dict):
        msg = f"the answer (HTTP {response.status}) is not a JSON object: this is not the API that was expected"
        raise PermanentError(msg, kind=Kind.INVALID)
    return body


def jobs_of(
    body: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], ObservedJob]
) -> tuple[tuple[ObservedJob, ...], int]:
    """Return the jobs in the answer to a list, and how many of its rows are garbled: not objects, or without a name.

    One garbled row hides no other row. `read` turns a row into a job. If it raises `PermanentError(missing)`, that is
    about the account and is raised. Raises `PermanentError(invalid)` if the answer is not a list, or if none of its
    rows is a job.
    """
    rows = body.get(key)
    jobs = [_readable(row, read) for row in rows] if isinstance(rows, list) else [None]
    read_jobs = tuple(job for job in jobs if job is not None)
    if jobs and not read_jobs:
        msg = "the answer is not a list of jobs: this is not the API that was expected"
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
    """Return the name of a job. Raises `PermanentError(invalid)` if there is none."""
    name = row.get(key)
    if not isinstance(name, str) or not name or not name.isprintable():
        msg = "the provider returned something that is not a job: it has no name"
        raise PermanentError(msg, kind=Kind.INVALID)
    return name


def field(row: Mapping[str, Any], path: str, reader: Callable[[Any], T | None]) -> T | None | Unset:
    """Return the value at a dotted path, as read by `reader`, or `UNSET` if the path is left out."""
    value: Any = row
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return UNSET
        value = value[key]
    return reader(value)


def text(value: Any) -> str | None:
    """Read a text, cleaned. Any other value is None."""
    return clean(value) if isinstance(value, str) else None


def word(value: Any) -> str:
    """Return a status word, or the JSON of a value that is no text."""
    return clean(value if isinstance(value, str) else json.dumps(value), _WORD_MAX)


def cursor(value: Any) -> str | None:
    """Read the token of the next page. An empty or missing one ends the list."""
    return value if isinstance(value, str) and value else None


def instant(value: Any) -> datetime | None:
    """Read an RFC 3339 time with any fraction. A time that no job can have (no zone, 1970 or before) is None."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo and moment.timestamp() > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def seconds(value: Any) -> datetime | None:
    """Read Unix seconds with any fraction. A time that no job can have is None."""
    if type(value) not in (int, float) or not 0 < value < _YEAR_10000:
        return None
    return datetime.fromtimestamp(value, UTC)


def count(value: Any) -> int | None:
    """Read a whole number. A negative number, a fraction and any other value are None."""
    return value if type(value) is int and value >= 0 else None


def require_same_job(job: ObservedJob, ref: JobRef) -> ObservedJob:
    """Return the job under the id that was requested. Raises `PermanentError(invalid)` if it is another job."""
    if ref.id not in job.ids:
        msg = "the provider answered with another job than the requested one"
        raise PermanentError(msg, kind=Kind.INVALID)
    return replace(job, id=ref.id, aliases=tuple(sorted(job.ids - {ref.id})))


def gateway_message(response: Response) -> str | None:
    """Return the message of an error in a shape that is not the provider's own, or None.

    Such an error is plain text, or it comes from a gateway: API Management (`message`), FastAPI (`detail`, also a
    list), RFC 7807 (`title`, `detail`), OAuth (`error`, `error_description`), Apigee (`fault`), or a list of `errors`.
    """
    if response.headers.get("content-type", "").startswith("text/plain"):
        return text(response.body[:PLAIN_MAX].decode(errors="replace")) or None
    try:
        body = json_object(response)
    except PermanentError:
        return None
    return next(filter(None, (_message_in(body.get(key)) for key in _MESSAGE_KEYS)), None)


def _message_in(value: Any) -> str | None:
    """Return the message in a value: a text, an object that has one, or the first few of a list."""
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
    """Return `Accepted` for an answer with a status below 400, whatever its content.

    Services answer a cancel with 202 or 204, without content, or with text of their own. None of this is a reason to
    repeat the request. Raises `PermanentError(refused)` for an answer with an `error`, and `PermanentError(invalid)`
    for one that is not JSON, which is a page of a proxy.
    """
    body = response.json() if response.body.strip() else None
    error = body.get("error") if isinstance(body, dict) else None
    parts = [error] if isinstance(error, str) else list(error.values()) if isinstance(error, dict) else []
    if words := [text(each) or "" for each in parts if each]:
        msg = f"the provider refused this (HTTP {response.status}: {': '.join(filter(None, words))})"
        raise PermanentError(msg, kind=Kind.REFUSED)
    return Accepted()


async def already_over_or_raise(
    reader: JobReader, ref: JobRef, refusal: PermanentError, moot: frozenset[Phase] = MOOT_FOR_A_CANCEL
) -> AlreadyOver:
    """Return `AlreadyOver` if the job of a refused request is in a phase in which the request is moot.

    The job is retrieved again for that. Raises the refusal otherwise, also if the job cannot be observed, because then
    the refusal is the better report.
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
