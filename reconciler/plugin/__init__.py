"""The names that a provider may import: the ports of a provider, their types, and two pure functions.

`reconciler.plugin.answers` parses JSON responses.

Rules: importing this package loads no HTTP library, because `validate` and `get` load provider types too. Every name
that this package or `answers` exports is public API for third parties. A test compares the names with
`tests/unit/public_api.txt`.
"""

from __future__ import annotations

from http import HTTPStatus

from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.capabilities import Capabilities
from reconciler.model.foreign import one_line
from reconciler.model.job import (
    TERMINAL,
    UNFINISHED,
    UNSET,
    Accepted,
    Account,
    AlreadyOver,
    JobCounts,
    JobError,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
    Phase,
    Unset,
)
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.retirement import ModelEnd, Retirement
from reconciler.model.spec import Document, Duration, Flag, Instant, Name, Word
from reconciler.ports import (
    AccountConfig,
    Credentials,
    JobController,
    JobReader,
    JobsOfKind,
    ProviderType,
    Rate,
    Response,
    Sign,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsKinds,
    SupportsModelEnds,
    SupportsPause,
    Transport,
)
from reconciler.rate_signals import is_throttled

__all__ = [
    "BATCH_JOB",
    "FINE_TUNING_JOB",
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
    "JobCounts",
    "JobError",
    "JobEvent",
    "JobPage",
    "JobReader",
    "JobRef",
    "JobsOfKind",
    "Kind",
    "ListQuery",
    "ModelEnd",
    "Name",
    "ObservedJob",
    "PermanentError",
    "Phase",
    "ProviderError",
    "ProviderType",
    "Rate",
    "Response",
    "Retirement",
    "Sign",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsKinds",
    "SupportsModelEnds",
    "SupportsPause",
    "TransientError",
    "Transport",
    "Unset",
    "Word",
    "clean",
    "failure",
]

WORDS_MAX = 1024
"""The default maximum length of a text that `clean` returns, in characters."""

_UNCLEAR = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


def failure(response: Response, message: str) -> TransientError | PermanentError:
    """Return the error for a response with a status of 400 or more. The caller raises it.

    A throttled request, with 429 or another 4xx status, is a `TransientError(no)`. After 408, 425 or any 5xx, it is
    unknown whether the request had an effect: `TransientError(unknown)`. Any other response is a `PermanentError`:
    `denied` for 401, `forbidden` for 403, and otherwise `refused`.
    """
    is_refused = is_throttled(response.status, response.headers, response.body)
    if is_refused and response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(message, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            return PermanentError(message, kind=Kind.DENIED)
        case HTTPStatus.FORBIDDEN:
            return PermanentError(message, kind=Kind.FORBIDDEN)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return TransientError(message, delivered=Delivered.NO, retry_after_s=response.retry_after_s)
        case status if status in _UNCLEAR or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(message, delivered=Delivered.UNKNOWN, retry_after_s=response.retry_after_s)
        case _:
            return PermanentError(message, kind=Kind.REFUSED)


def clean(text: str, length: int = WORDS_MAX) -> str:
    """Return a provider's text as one printable line of at most `length` characters, with URLs cut at `?`."""
    return one_line(text, length)
