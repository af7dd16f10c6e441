"""The consequences of a failed request for its job and its account."""

from __future__ import annotations

from reconciler.errors import DefectError, Delivered, Kind, NotSentError, PermanentError, ProviderError, TransientError
from reconciler.model.job import Unobserved
from reconciler.model.reason import Reason

_DENIED = frozenset({Kind.DENIED, Kind.FORBIDDEN, Kind.MISSING})
_OF_THE_ACCOUNT = frozenset({Kind.DENIED, Kind.MISSING, Kind.UNREACHABLE})


def unobserved_by(error: ProviderError) -> Unobserved:
    """Return the failed observation of a job, with the reason and the message of the error that its request raised."""
    if isinstance(error, TransientError):
        is_wait = error.delivered is Delivered.NO and error.retry_after_s is not None
        reason = Reason.RATE_LIMITED if is_wait else Reason.CANNOT_OBSERVE_PROVIDER
        was_requested = not isinstance(error, NotSentError)
        return Unobserved(reason, str(error), error.retry_after_s, was_requested=was_requested)
    kind = error.kind if isinstance(error, PermanentError) else None
    reason = Reason.AUTHENTICATION_FAILED if kind in _DENIED else Reason.CANNOT_OBSERVE_PROVIDER
    is_unset = kind in {Kind.MISSING, Kind.UNREACHABLE}
    is_defect = isinstance(error, DefectError)
    return Unobserved(reason, str(error), is_transient=False, is_configuration=is_unset, is_defect=is_defect)


def is_of_account(error: ProviderError) -> bool:
    """Return whether other requests to the account would probably fail in the same way.

    This applies to throttling, a rejected or missing credential, a failed connection, and proxy or certificate settings
    that cannot be used. It does not apply to HTTP 403, an invalid response or a lost response, because these may affect
    a single job.
    """
    if isinstance(error, TransientError):
        return error.delivered is Delivered.NO
    return isinstance(error, PermanentError) and error.kind in _OF_THE_ACCOUNT
