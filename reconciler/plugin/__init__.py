"""All that a provider may import, and nothing else: the port, its words, and three pure functions.

`reconciler.plugin.answers` reads JSON answers. Rules: importing this costs no HTTP library, for `validate` and `get`
load provider types too. A name that is exported here is API, as every name of `answers` is: third parties build on it,
and a test holds it against `tests/unit/public_api.txt`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import quote

from reconciler.errors import Delivered, Kind, Permanent, ProviderError, Transient
from reconciler.model.job import (
    TERMINAL,
    UNFINISHED,
    UNSET,
    Account,
    Capabilities,
    JobCheckpoint,
    JobError,
    JobEvent,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
    Phase,
    Unset,
)
from reconciler.model.spec import Document, Duration, Flag, Instant, Name, Word
from reconciler.ports import (
    AccountConfig,
    Credentials,
    JobController,
    JobReader,
    ProviderType,
    Rate,
    Response,
    Sign,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsPause,
    Transport,
)

__all__ = [
    "TERMINAL",
    "UNFINISHED",
    "UNSET",
    "Account",
    "AccountConfig",
    "Capabilities",
    "Credentials",
    "Delivered",
    "Document",
    "Duration",
    "Flag",
    "Instant",
    "JobCheckpoint",
    "JobController",
    "JobError",
    "JobEvent",
    "JobPage",
    "JobReader",
    "JobRef",
    "Kind",
    "ListQuery",
    "Name",
    "ObservedJob",
    "Permanent",
    "Phase",
    "ProviderError",
    "ProviderType",
    "Rate",
    "Response",
    "Sign",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsPause",
    "Transient",
    "Transport",
    "Unset",
    "Word",
    "clean",
    "failure",
    "redact",
]

WORDS_MAX = 1024
SECRET_MIN = 8
"""What is shorter is a placeholder such as `test`; to strike it out would spoil ids and words that hold it."""

_LEAVES_IT_OPEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_QUERY = re.compile(r"(https?://[^\s?]*)\?\S*")


def failure(response: Response, message: str) -> Transient | Permanent:
    """Return the error that an answer of 400 or more means, for the caller to raise.

    A 4xx says that nothing was done; 408, 425 and every 5xx leave it open.
    """
    match response.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Permanent(message, kind=Kind.DENIED)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Transient(message, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
        case status if status in _LEAVES_IT_OPEN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Transient(message, delivered=Delivered.UNKNOWN, retry_after_s=response.retry_after_s)
        case _:
            return Permanent(message, kind=Kind.REFUSED)


def clean(text: str, length: int = WORDS_MAX) -> str:
    """Return a provider's words as one printable line of at most `length` characters, URLs cut at `?`."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(_QUERY.sub(r"\1", printable).split())[:length].rstrip()


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret of at least `SECRET_MIN` characters struck out, as it is or percent-encoded."""
    for secret in secrets:
        if len(secret) >= SECRET_MIN:
            text = text.replace(secret, "[redacted]").replace(quote(secret, safe=""), "[redacted]")
    return text
