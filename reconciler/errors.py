"""The errors of providers, of publishing, and of requests that lost their purpose.

Rules: an error decides what happens next, and the code that raises it makes that decision once. `TransientError` is
retried; `PermanentError` needs a person. An adapter raises nothing else on purpose; any other exception of an adapter
becomes a `DefectError`. A message never holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Delivered(StrEnum):
    """Whether the provider may have acted on a request that failed."""

    NO = "no"
    """Certainly not: the connection was refused, or the provider answered 429."""
    UNKNOWN = "unknown"
    """Unclear: there was no answer, or one that does not tell (5xx)."""


class Kind(StrEnum):
    """Why a retry will not help."""

    DENIED = "denied"
    """401: the credential is not accepted for any request."""
    FORBIDDEN = "forbidden"
    """403: the credential is not allowed to do this, perhaps for one job only."""
    REFUSED = "refused"
    """The provider understood the request and refused it."""
    INVALID = "invalid"
    """The answer is not one of this provider's: wrong URL, a page of a proxy, another dialect."""
    MISSING = "missing"
    """A credential, an extra or a setting is missing."""
    UNREACHABLE = "unreachable"
    """The proxy or certificate settings of this machine make a connection impossible."""


def error_location(error: BaseException) -> str:
    """Return the class of an error and the place where it was raised, such as `KeyError in mine.py, line 40`.

    The error's message is left out, because a library may quote its input in it. Only the operating system's text is
    kept.
    """
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    file = frame.tb_frame.f_code.co_filename.rpartition("/")[2] if frame is not None else ""
    where = f" in {file}, line {frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}{why}"


class ProviderError(Exception):
    """The base of the errors of adapters. It is not raised itself."""


class TransientError(ProviderError):
    """An error that a retry may overcome. `retry_after_s` is the provider's own lower bound, in seconds."""

    def __init__(self, message: str, *, delivered: Delivered, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.retry_after_s = retry_after_s


class PermanentError(ProviderError):
    """An error that lasts until a person changes something."""

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class DefectError(PermanentError):
    """A bug in an adapter. It says nothing about the provider."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"a bug in its provider type: {error_location(error)}", kind=Kind.INVALID)


class ConflictError(Exception):
    """Another writer published statuses first. Decisions must be made again from the statuses that it published."""


class SupersededError(Exception):
    """A change was no longer wanted when its request was about to be sent, so it was not sent."""


class PublishError(Exception):
    """Statuses could not be published. The message says why."""
