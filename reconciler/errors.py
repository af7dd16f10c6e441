"""The errors that adapters, publishers and the throttle raise.

Rules: the class of an error determines what happens next, and the code that raises it chooses the class. A
`TransientError` may be resolved by a retry. A `PermanentError` lasts until a person changes something. Any other
exception that an adapter raises is treated as a `DefectError`. A message must not contain a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Delivered(StrEnum):
    """Whether the provider may have acted on a request that failed."""

    NO = "no"
    """The provider did not act on the request: for example, the connection failed or the response was HTTP 429."""
    UNKNOWN = "unknown"
    """The provider may have acted on the request: there was no response, or an inconclusive one such as HTTP 500."""


class Kind(StrEnum):
    """Why a request failed, if it fails again until a person changes something."""

    DENIED = "denied"
    """HTTP 401: the provider does not accept the credential for any request."""
    FORBIDDEN = "forbidden"
    """HTTP 403: the credential does not allow this request. Other requests may still be allowed."""
    REFUSED = "refused"
    """The provider refused the request, or responded with a redirect, which is not followed."""
    INVALID = "invalid"
    """The response is not what this provider's API returns, or the URL of the request is not valid."""
    MISSING = "missing"
    """A credential, an extra or a setting is missing or cannot be used."""
    UNREACHABLE = "unreachable"
    """The proxy or certificate settings of this machine cannot be used, so no connection can be made."""


def error_location(error: BaseException) -> str:
    """Return the class of an error and the place where it was raised, such as `KeyError in mine.py, line 40`.

    The error's message is left out, because a library may quote its input in it. For an `OSError` the operating
    system's description is appended. For an error that was never raised, the place is left out.
    """
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    file = frame.tb_frame.f_code.co_filename.rpartition("/")[2] if frame is not None else ""
    where = f" in {file}, line {frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}{why}"


def bug(error: BaseException) -> str:
    """Return the message that reports an unexpected error as a bug, with the place where it was raised."""
    return f"a bug: {error_location(error)}; please report it"


class ProviderError(Exception):
    """Base class of the errors that an adapter raises. It is never raised directly."""


class TransientError(ProviderError):
    """An error that a retry may resolve.

    `retry_after_s` is the shortest delay before a retry, in seconds, or None if the provider requests no
    delay.
    """

    def __init__(self, message: str, *, delivered: Delivered, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.retry_after_s = retry_after_s


class NotSentError(TransientError):
    """The error of a request that the throttle did not send. It says nothing new about the provider."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, delivered=Delivered.NO, retry_after_s=retry_after_s)


class PermanentError(ProviderError):
    """An error that lasts until a person changes something."""

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class ReceiverGoneError(PermanentError):
    """The receiver accepts no further notifications: HTTP 410 in the Standard Webhooks specification."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=Kind.REFUSED)


class DefectError(PermanentError):
    """A bug in an adapter. It says nothing about the provider or its jobs."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"a bug in the provider type: {error_location(error)}; please report it", kind=Kind.INVALID)


class ConflictError(Exception):
    """Another writer published statuses first, so decisions must be made again from the published statuses."""


class SupersededError(Exception):
    """A change request was not sent, because the change was no longer wanted when its turn came."""


class PublishError(Exception):
    """Statuses could not be published. The message states the cause."""
