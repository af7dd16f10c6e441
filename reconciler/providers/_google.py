"""Google's Application Default Credentials, found and refreshed by `google-auth` (the extra `google`)."""

from __future__ import annotations

from typing import Any

from reconciler.plugin import Delivered, Kind, Permanent, Transient, clean
from reconciler.providers._ambient_credentials import Ambient, missing_extra

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def application_default() -> Ambient[str]:
    """Return the access token of this machine: a key file, a workload identity, or the metadata server's."""
    return Ambient(_ApplicationDefault().token)


class _ApplicationDefault:
    def __init__(self) -> None:
        self._found: Any = None

    def token(self) -> str:
        """Return a token that holds for some minutes more; google-auth counts it as expired 3:45 before its time."""
        try:
            import google.auth  # noqa: PLC0415 - an extra, and slow to import
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError  # noqa: PLC0415
            from google.auth.transport.requests import Request  # noqa: PLC0415
        except ImportError:
            raise missing_extra(extra="google", what="Google's Application Default Credentials") from None
        try:
            if self._found is None:
                self._found, _ = google.auth.default(scopes=[SCOPE])
            if not self._found.valid:
                self._found.refresh(Request())
        except DefaultCredentialsError as error:
            msg = (
                f"there are no Google credentials here ({clean(str(error))}): set GOOGLE_APPLICATION_CREDENTIALS, run "
                "`gcloud auth application-default login`, or run where a service account is attached"
            )
            raise Permanent(msg, kind=Kind.MISSING) from None
        except GoogleAuthError as error:
            # The words may quote the token endpoint's answer, so only their kind is told.
            msg = f"Google gave no access token for the credentials of this machine ({type(error).__name__})"
            if error.retryable or isinstance(error.__cause__ or error, TransportError):
                raise Transient(msg, delivered=Delivered.NO) from None
            raise Permanent(msg, kind=Kind.DENIED) from None
        return str(self._found.token)
