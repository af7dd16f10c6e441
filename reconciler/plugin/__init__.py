"""All that a provider may import, and nothing else: the port, its words, and two pure functions.

`reconciler.plugin.answers` reads JSON answers. Rules: importing this costs no HTTP library, for `validate` and `get`
load provider types too. A name that is exported here is API, as every name of `answers` is: third parties build on it,
and a test holds it against `tests/unit/public_api.txt`.
"""

from __future__ import annotations

from http import HTTPStatus

from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.model.foreign import one_line
from reconciler.model.job import (
    TERMINAL,
    UNFINISHED,
    UNSET,
    Accepted,
    Account,
    AlreadyOver,
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
    "Accepted",
    "Account",
    "AccountConfig",
    "AlreadyOver",
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
    "PermanentError",
    "Phase",
    "ProviderError",
    "ProviderType",
    "Rate",
    "Response",
    "Sign",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsPause",
    "TransientError",
    "Transport",
    "Unset",
    "Word",
    "clean",
    "failure",
]

WORDS_MAX = 1024

_LEAVES_IT_OPEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


def failure(response: Response, message: str) -> TransientError | PermanentError:
    """Return the error that an answer of 400 or more means, for the caller to raise.

    A 4xx says that nothing was done; 408, 425 and every 5xx leave it open.
    """
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            return PermanentError(message, kind=Kind.DENIED)
        case HTTPStatus.FORBIDDEN:
            return PermanentError(message, kind=Kind.FORBIDDEN)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return TransientError(message, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
        case status if status in _LEAVES_IT_OPEN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(message, delivered=Delivered.UNKNOWN, retry_after_s=response.retry_after_s)
        case _:
            return PermanentError(message, kind=Kind.REFUSED)


def clean(text: str, length: int = WORDS_MAX) -> str:
    """Return a provider's words as one printable line of at most `length` characters, URLs cut at `?`."""
    return one_line(text, length)
