"""Reading a provider's JSON answers, and what they mean for a request.

Rules: a reader returns None for what is of another kind than it reads, and raises nothing; a field that is left out is
`UNSET`. Every word of a provider is cleaned; secrets have been struck out before. What is not a JSON object
at all is an error, never an absence.
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
    "asked_for",
    "count",
    "cursor",
    "field",
    "foreign_words",
    "instant",
    "jobs_of",
    "json_object",
    "name_of",
    "seconds",
    "text",
    "unknown_job",
    "word",
]

T = TypeVar("T")

_WORD_MAX = 64
DETAILS_MAX = 3
PLAIN_MAX = 4096
_SAYS = ("message", "Message", "error_description", "detail", "error", "errors", "fault", "title")
_YEAR_10000 = 253_402_300_800
MOOT_FOR_A_CANCEL = TERMINAL | {Phase.CANCELLING}
"""The phases in which a cancel has nothing to do any more."""


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the answer's body. Raises `PermanentError(invalid)` where it is not a JSON object."""
    body = response.json()
    if not isinstance(body, dict):
        msg = f"the answer (HTTP {response.status}) is not a JSON object: this is not the API that was expected"
        raise PermanentError(msg, kind=Kind.INVALID)
    return body


def jobs_of(
    body: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], ObservedJob]
) -> tuple[tuple[ObservedJob, ...], int]:
    """Return the jobs of a list's answer, and how many of its rows are garbled: no objects, or without a name.

    A garbled row hides no other. `read` makes a job of a row; its `PermanentError(missing)` is about the account, and
    is raised. Raises `PermanentError(invalid)` where the answer is not a list, or none of its rows is a job.
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
            raise  # it is the account that is wrong, and not the row
        return None


def name_of(row: Mapping[str, Any], key: str) -> str:
    """Return what names a job. Raises `PermanentError(invalid)` where nothing does."""
    name = row.get(key)
    if not isinstance(name, str) or not name or not name.isprintable():
        msg = "the provider gave something in place of a job that is none: it has no name"
        raise PermanentError(msg, kind=Kind.INVALID)
    return name


def field(row: Mapping[str, Any], path: str, reader: Callable[[Any], T | None]) -> T | None | Unset:
    """Return what stands at a dotted path, read; `UNSET` where that, or what leads there, is left out."""
    value: Any = row
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return UNSET
        value = value[key]
    return reader(value)


def text(value: Any) -> str | None:
    """Read a text."""
    return clean(value) if isinstance(value, str) else None


def word(value: Any) -> str:
    """Return a status word as it stands, and what is not even a text as its JSON."""
    return clean(value if isinstance(value, str) else json.dumps(value), _WORD_MAX)


def cursor(value: Any) -> str | None:
    """Read the token of the next page; an empty one ends the list, as one that is left out."""
    return value if isinstance(value, str) and value else None


def instant(value: Any) -> datetime | None:
    """Read RFC 3339 with any fraction; what no job can have (no zone, 1970 or before) is None."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo and moment.timestamp() > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def seconds(value: Any) -> datetime | None:
    """Read Unix seconds with any fraction; what no job can have is None."""
    if type(value) not in (int, float) or not 0 < value < _YEAR_10000:
        return None
    return datetime.fromtimestamp(value, UTC)


def count(value: Any) -> int | None:
    """Read a whole number; one below 0, a fraction and anything else is None."""
    return value if type(value) is int and value >= 0 else None


def asked_for(job: ObservedJob, ref: JobRef) -> ObservedJob:
    """Return the job under the id that was requested. Raises `PermanentError(invalid)` if it is another job."""
    if ref.id not in job.ids:
        msg = "the provider answered with another job than the one that was asked for"
        raise PermanentError(msg, kind=Kind.INVALID)
    return replace(job, id=ref.id, aliases=tuple(sorted(job.ids - {ref.id})))


def foreign_words(response: Response) -> str | None:
    """Return what an error says in a shape that is not the provider's own; None where it says nothing.

    That is plain text, or one of the shapes of gateways: API Management (`message`), FastAPI (`detail`, also a list),
    RFC 7807 (`title`, `detail`), OAuth (`error`, `error_description`), Apigee (`fault`), and lists of `errors`.
    """
    if response.headers.get("content-type", "").startswith("text/plain"):
        return text(response.body[:PLAIN_MAX].decode(errors="replace")) or None
    try:
        body = json_object(response)
    except PermanentError:
        return None
    return next(filter(None, (_said(body.get(key)) for key in _SAYS)), None)


def _said(value: Any) -> str | None:
    """Return what stands in a field for people: a text, or an object that has one, or the first few of a list."""
    match value:
        case str():
            return text(value)
        case dict():
            said = next(
                filter(None, (text(value.get(key)) for key in ("message", "msg", "faultstring", "detail"))), None
            )
            return ": ".join(filter(None, [_place(value.get("loc")), said])) if said else None
        case list():
            flat = [each for each in value[:DETAILS_MAX] if not isinstance(each, list)]
            return "; ".join(filter(None, map(_said, flat))) or None
        case _:
            return None


def _place(value: Any) -> str | None:
    return clean(".".join(map(str, value)), _WORD_MAX) if isinstance(value, list) else None


def unknown_job(said: str) -> PermanentError:
    """Return the error for a request that is about a job which the provider does not know, in its own words."""
    return PermanentError(f"the provider does not know this job: {said}", kind=Kind.REFUSED)


def acceptance(response: Response) -> Accepted:
    """Return that an answer of less than 400 took the request, whatever it holds beside that.

    Services answer a cancel with 202 or 204, with nothing, or with words of their own, and none of this is a reason to
    ask again. Raises `PermanentError(refused)` for an answer that holds an `error`, and `PermanentError(invalid)` for
    one that is not JSON, which is a page of something in between.
    """
    body = response.json() if response.body.strip() else None
    error = body.get("error") if isinstance(body, dict) else None
    said = [error] if isinstance(error, str) else list(error.values()) if isinstance(error, dict) else []
    if words := [text(each) or "" for each in said if each]:
        msg = f"the provider refused this (HTTP {response.status}: {': '.join(filter(None, words))})"
        raise PermanentError(msg, kind=Kind.REFUSED)
    return Accepted()


async def already_over_or_raise(
    reader: JobReader, ref: JobRef, refusal: PermanentError, moot: frozenset[Phase] = MOOT_FOR_A_CANCEL
) -> AlreadyOver:
    """Retrieve the job that a refusal is about, and return it if it is in a phase in which the request is moot.

    Raises the refusal otherwise, also where the job cannot be seen, for then the refusal is the news.
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
