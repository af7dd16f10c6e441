"""Google's Application Default Credentials, obtained and refreshed by `google-auth` (the extra `google`).

A failure of a token endpoint is classified by its status and its code. google-auth puts the rest of the response into
the exception's message, which can contain secrets and is not used.

Sources: google-auth 2.63.0 `_default.py`, `pluggable.py`, `oauth2/_client.py`; RFC 6749, 5.2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.plugin import PermanentError, TransientError
from reconciler.providers._ambient_credentials import AmbientSecret, missing_extra, silence_libraries
from reconciler.providers._vendor_errors import GOOGLE, Cause, as_code, cause_of, cause_of_status, credentials_error

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
HINT = (
    f"set {VARIABLE} to the path of a key file, run `gcloud auth application-default login`, or run where a service "
    "account is attached"
)
PATH_MAX = 1024
"""The maximum length of a value that an error message calls a path, in characters.

A longer value that names no file is reported as a possible key.
"""
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{0,62}")
TRANSIENT_CODES = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
"""Error codes that mean a temporary failure of a token endpoint."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access token, and the project to bill. None means the project of the request."""

    token: str
    quota_project: str | None = None


def application_default() -> AmbientSecret[Access]:
    """Return the source of this machine's access token: a key file, a workload identity, or the metadata server."""
    return AmbientSecret(_ApplicationDefault().access)


class _ApplicationDefault:
    def __init__(self) -> None:
        self._found: Any = None

    def access(self) -> Access:
        """Return a token. It is renewed 3 min 45 s before it expires, which is google-auth's margin.

        Raises `TransientError` or `PermanentError(missing)` if no token can be obtained.
        """
        try:
            import google.auth  # noqa: PLC0415 - an extra, and slow to import
            from google.auth.transport.requests import Request  # noqa: PLC0415
        except ImportError:
            raise missing_extra(extra="google", what="Google's Application Default Credentials") from None
        silence_libraries()
        _check_variable()
        request = _RecordingRequest(Request())
        try:
            if self._found is None:
                self._found, _ = google.auth.default(scopes=[SCOPE])
            if not self._found.valid:
                self._found.refresh(request)
            return Access(str(self._found.token), getattr(self._found, "quota_project_id", None) or _quota_project())
        except Exception as error:  # noqa: BLE001 - a credential file can cause any exception
            failure = error_of(error, request.status)
        raise failure


class _RecordingRequest:
    """A request function for google-auth that records the status of the last response."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.status: int | None = None

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.status = None
        answer = self._request(*given, **named)
        self.status = answer.status
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


def error_of(error: Exception, status: int | None) -> TransientError | PermanentError:
    """Return the provider error for an exception from google-auth. The exception's message is left out.

    Args:
        error: the exception.
        status: the HTTP status of the response to the last request; None if there was no request or no response.
    """
    code = next(_codes(error), None)
    status_cause = cause_of_status(status) if status is not None else None
    is_temporary = status_cause is Cause.UNAVAILABLE or code in TRANSIENT_CODES or getattr(error, "retryable", False)
    is_temporary = is_temporary or (status is None and _is_unreachable(error))
    cause = Cause.UNAVAILABLE if is_temporary else _lasting_cause(error, status_cause, has_status=status is not None)
    detail = code or type(error).__name__
    return credentials_error("Google", cause, f"{detail}, HTTP {status}" if status_cause else detail, HINT)


def _is_unreachable(error: Exception) -> bool:
    """Return whether an exception was raised because no response was received."""
    return any(cause_of(each, GOOGLE) is Cause.UNAVAILABLE for each in _causes(error))


def _lasting_cause(error: Exception, status_cause: Cause | None, *, has_status: bool) -> Cause:
    """Return the cause of an exception that does not pass by itself."""
    cause = cause_of(error, GOOGLE)
    if status_cause is Cause.REFUSED and cause is not Cause.PERSON:
        return Cause.REFUSED
    if cause is Cause.MISSING and os.environ.get(VARIABLE):
        return Cause.BROKEN  # the variable names a file that google-auth cannot use
    if cause is Cause.REFUSED and not has_status:
        return Cause.BROKEN  # no response was received, so a file or a program in the settings is the cause
    return cause


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an exception: the exceptions that it was raised from, and those among its arguments."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__
    yield from (each for each in error.args if isinstance(each, BaseException))


def _codes(error: Exception) -> Iterator[str]:
    """Yield the error codes in the service's response, which is an argument of the exception (text or parsed JSON)."""
    for argument in error.args[1:]:
        response = argument
        with suppress(TypeError, ValueError):
            response = json.loads(argument)
        details = response.get("error") if isinstance(response, dict) else None
        code = as_code(details.get("status") if isinstance(details, dict) else details)
        if code is not None:
            yield code


def _quota_project() -> str | None:
    """Return the quota project in the key file, or None. google-auth reads it only from user credentials."""
    with suppress(OSError, ValueError):
        written = json.loads(Path(os.environ.get(VARIABLE, "")).read_bytes())
        project = written.get("quota_project_id") if isinstance(written, dict) else None
        return project if isinstance(project, str) and _PROJECT.fullmatch(project) else None
    return None


def _check_variable() -> None:
    """Raise `PermanentError(missing)` if the variable is set, but not to the path of a file.

    google-auth would quote the value in its own error, and the value may be a key.
    """
    value = os.environ.get(VARIABLE, "")
    if not value:
        return
    with suppress(OSError, ValueError):
        if Path(value).is_file():
            return
    is_a_path = len(value) <= PATH_MAX and value.isprintable() and not value.lstrip().startswith("{")
    mistake = "does not name a file" if is_a_path else "is not a path; perhaps it is the key itself"
    problem = credentials_error("Google", Cause.BROKEN, f"{VARIABLE} {mistake}", HINT)
    raise problem
