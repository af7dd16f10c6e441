"""What can go wrong at a provider, in the only two words that the loop needs.

An error says what happens next, and it is decided once, where it is raised: `Transient` comes again,
`Permanent` wants a person. An adapter raises nothing else. A message never holds a secret.
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
    """401 or 403: the credential is wrong, or may not do this."""
    REFUSED = "refused"
    """The provider understood and said no."""
    INVALID = "invalid"
    """The answer is not one that this provider gives: wrong URL, a proxy's page, another dialect."""
    MISSING = "missing"
    """A credential, an extra or a setting that is needed is not there."""
    UNREACHABLE = "unreachable"
    """What this machine says of proxies or certificates makes no connection possible."""


class ProviderError(Exception):
    """Base of the two below; not raised itself."""


class Transient(ProviderError):
    """May work later. `retry_after_s` is the provider's own lower bound, in seconds."""

    def __init__(self, message: str, *, delivered: Delivered, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.retry_after_s = retry_after_s


class Permanent(ProviderError):
    """Will not work until a person changes something."""

    def __init__(self, message: str, *, kind: Kind) -> None:
        super().__init__(message)
        self.kind = kind


class Overtaken(Exception):
    """Somebody else published statuses first: what was decided must be decided again, on what is there now."""


class Unwanted(Exception):
    """What was to be asked for is no longer wanted: the request did not leave."""


class PublishError(Exception):
    """Statuses could not be published. The message says why."""
