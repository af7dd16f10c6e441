"""Reading a provider's JSON answers, and what they mean for a request.

Rules: a reader returns None for what is of another kind than it reads, and raises nothing; a field that is left out is
`UNSET`. Every word of a provider is cleaned. What is not a JSON object at all is an error, never an absence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler.plugin import (
    TERMINAL,
    UNSET,
    JobReader,
    JobRef,
    Kind,
    ObservedJob,
    Permanent,
    Phase,
    ProviderError,
    Response,
    Unset,
    clean,
    redact,
)

__all__ = [
    "MOOT_FOR_A_CANCEL",
    "asked_for",
    "cursor",
    "field",
    "instant",
    "json_object",
    "name_of",
    "rows_of",
    "seconds",
    "text",
    "unknown_job",
    "unless_moot",
    "without_secrets",
    "word",
]

T = TypeVar("T")

_WORD_MAX = 64
_YEAR_10000 = 253_402_300_800
MOOT_FOR_A_CANCEL = TERMINAL | {Phase.CANCELLING}


def without_secrets(response: Response, *secrets: str) -> Response:
    """Return the answer with each secret struck out, before anything else reads it."""
    body = response.body.decode(errors="replace")
    if "\\" in body:
        # JSON may write any character as an escape, so a secret is looked for in what the text says.
        with suppress(ValueError, RecursionError):
            body = json.dumps(_struck(json.loads(body), secrets), ensure_ascii=False)
    return replace(response, body=redact(body, secrets).encode(errors="replace"))


def _struck(value: Any, secrets: tuple[str, ...]) -> Any:
    match value:
        case str():
            return redact(value, secrets)
        case list():
            return [_struck(each, secrets) for each in value]
        case dict():
            return {redact(key, secrets): _struck(each, secrets) for key, each in value.items()}
        case _:
            return value


def json_object(response: Response) -> Mapping[str, Any]:
    """Return the answer's body. Raises `Permanent(invalid)` where it is not a JSON object."""
    body = response.json()
    if not isinstance(body, dict):
        msg = f"the answer (HTTP {response.status}) is not a JSON object: this is not the API that was expected"
        raise Permanent(msg, kind=Kind.INVALID)
    return body


def rows_of(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the jobs of a list's answer. Raises `Permanent(invalid)` where it is not one."""
    rows = body.get(key)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = "the answer is not a list of jobs: this is not the API that was expected"
        raise Permanent(msg, kind=Kind.INVALID)
    return rows


def name_of(row: Mapping[str, Any], key: str) -> str:
    """Return what names a job. Raises `Permanent(invalid)` where nothing does."""
    name = row.get(key)
    if not isinstance(name, str) or not name or not name.isprintable():
        msg = "the provider gave something in place of a job that is none: it has no name"
        raise Permanent(msg, kind=Kind.INVALID)
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


def asked_for(job: ObservedJob, ref: JobRef) -> ObservedJob:
    """Return the job under the id that it was asked for by. Raises `Permanent(invalid)` where it is another one."""
    if ref.id not in job.ids:
        msg = "the provider answered with another job than the one that was asked for"
        raise Permanent(msg, kind=Kind.INVALID)
    return replace(job, id=ref.id, aliases=tuple(sorted(job.ids - {ref.id})))


def unknown_job(said: str) -> Permanent:
    """Return the error for a request that is about a job which the provider does not know, in its own words."""
    return Permanent(f"the provider does not know this job: {said}", kind=Kind.REFUSED)


async def unless_moot(
    reader: JobReader, ref: JobRef, refusal: Permanent, moot: frozenset[Phase] = MOOT_FOR_A_CANCEL
) -> ObservedJob:
    """Return the job if it is in a phase in which the request that was refused is moot: over, or on its way there.

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
    return job
