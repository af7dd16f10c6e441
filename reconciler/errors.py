"""What can go wrong at a provider, in the only two words that the loop needs.

An error says what happens next, and it is decided once, where it is raised: `TransientError` comes again,
`PermanentError` wants a person. An adapter raises nothing else; what one raises nevertheless is a `DefectError`. A
message never holds a secret.
"""

from __future__ import annotations

from enum import StrEnum


class Delivered(StrEnum):
    """Whether the provider may have acted on the request that failed."""

    NO = "no"
    """Surely not: the connection was refused, or the provider said 429."""
    UNKNOWN = "unknown"
    """No answer, or an answer that leaves it open (5xx)."""


class Kind(StrEnum):
    """Why asking again will not help."""

    DENIED = "denied"
    """401: the credential is not accepted, whatever it is used for."""
    FORBIDDEN = "forbidden"
    """403: the credential may not do this, which may be about one job alone."""
    REFUSED = "refused"
    """The provider understood and said no."""
    INVALID = "invalid"
    """The answer is not one that this provider gives: wrong URL, a proxy's page, another dialect."""
    MISSING = "missing"
    """A credential, an extra or a setting that is needed is not there."""
    UNREACHABLE = "unreachable"
    """What this machine says of proxies or certificates makes no connection possible."""


def kind_of(error: BaseException) -> str:
    """Return the name of an error's class and where it was raised, such as `KeyError in mine.py, line 40`.

    What it says is left out, because a library may quote what it was given; only the system's own words are kept.
    """
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    said = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    file = frame.tb_frame.f_code.co_filename.rpartition("/")[2] if frame is not None else ""
    where = f" in {file}, line {frame.tb_lineno}" if frame is not None else ""
    return f"{type(error).__name__}{where}{said}"


class ProviderError(Exception):
    """Base of the two below; not raised itself."""


class TransientError(ProviderError):
    """May work later. `retry_after_s` is the provider's own lower bound, in seconds."""

    def __init__(self, message: str, *, delivered: Delivered, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.retry_after_s = retry_after_s


class PermanentError(ProviderError):
    """Will not work until a person changes something."""

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class DefectError(PermanentError):
    """A bug in an adapter, met while a question was answered. It says nothing of the provider."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"a bug in its provider type: {kind_of(error)}", kind=Kind.INVALID)


class ConflictError(Exception):
    """Somebody else published statuses first: what was decided must be decided again, on what is there now."""


class SupersededError(Exception):
    """What was to be asked for is no longer wanted: the request did not leave."""


class PublishError(Exception):
    """Statuses could not be published. The message says why."""
