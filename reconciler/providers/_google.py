"""Google's Application Default Credentials, found and refreshed by `google-auth` (the extra `google`).

Rules: what a token endpoint answered is known by its status and its code; google-auth puts the rest of it into its
words, which are not repeated.

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
from reconciler.providers._ambient_credentials import Ambient, missing_extra, silence_libraries
from reconciler.providers._vendor_errors import GOOGLE, Cause, as_code, cause_of, cause_of_status, not_to_be_had

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
HINT = (
    f"set {VARIABLE} to the path of a key file, run `gcloud auth application-default login`, or run where a service "
    "account is attached"
)
PATH_MAX = 1024
"""What is longer is no path that anybody has written."""
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{0,62}")
TROUBLE = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
"""Codes of a token endpoint that pass by themselves."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access token, and the project that is billed for its use where that is not the one that is asked."""

    token: str
    quota_project: str | None = None


def application_default() -> Ambient[Access]:
    """Return the access of this machine: by a key file, a workload identity, or the metadata server."""
    return Ambient(_ApplicationDefault().access)


class _ApplicationDefault:
    def __init__(self) -> None:
        self._found: Any = None

    def access(self) -> Access:
        """Return a token that holds for some minutes more; google-auth counts it as expired 3:45 before its time."""
        try:
            import google.auth  # noqa: PLC0415 - an extra, and slow to import
            from google.auth.transport.requests import Request  # noqa: PLC0415
        except ImportError:
            raise missing_extra(extra="google", what="Google's Application Default Credentials") from None
        silence_libraries()
        _check_variable()
        request = _Heard(Request())
        try:
            if self._found is None:
                self._found, _ = google.auth.default(scopes=[SCOPE])
            if not self._found.valid:
                self._found.refresh(request)
            return Access(str(self._found.token), getattr(self._found, "quota_project_id", None) or _quota_project())
        except Exception as error:  # noqa: BLE001 - what a file of the user's raises is not google-auth's
            failure = error_of(error, request.status)
        raise failure


class _Heard:
    """google-auth's way to ask, which remembers the status of the last answer."""

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
    """Return what an exception out of google-auth means, without a word of it.

    Args:
        error: the exception.
        status: the HTTP status of the last answer before it, if there was one.
    """
    cause, code = cause_of(error, GOOGLE), next(_codes(error), None)
    if cause is Cause.MISSING and os.environ.get(VARIABLE):
        cause = Cause.BROKEN  # it names a file, which is none that google-auth can use
    answered = cause_of_status(status) if status is not None else None
    is_away = any(cause_of(each, GOOGLE) is Cause.AWAY for each in _behind(error))
    if answered is Cause.AWAY or code in TROUBLE or getattr(error, "retryable", False):
        cause = Cause.AWAY
    elif answered is Cause.REFUSED and cause is not Cause.PERSON:
        cause = Cause.REFUSED
    elif is_away and status is None:
        cause = Cause.AWAY
    elif cause is Cause.REFUSED and status is None:
        cause = Cause.BROKEN  # nothing was asked: a file or a program that the settings name is at fault
    detail = code or type(error).__name__
    return not_to_be_had("Google", cause, f"{detail}, HTTP {status}" if answered else detail, HINT)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield what an exception was raised from, and what it was given in their place."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__
    yield from (each for each in error.args if isinstance(each, BaseException))


def _codes(error: Exception) -> Iterator[str]:
    """Yield the codes in what the service answered, which google-auth hands on as text or read."""
    for given in error.args[1:]:
        answer = given
        with suppress(TypeError, ValueError):
            answer = json.loads(given)
        told = answer.get("error") if isinstance(answer, dict) else None
        code = as_code(told.get("status") if isinstance(told, dict) else told)
        if code is not None:
            yield code


def _quota_project() -> str | None:
    """Return the project that the key file names for billing: google-auth reads it of users, and not of services."""
    with suppress(OSError, ValueError):
        written = json.loads(Path(os.environ.get(VARIABLE, "")).read_bytes())
        project = written.get("quota_project_id") if isinstance(written, dict) else None
        return project if isinstance(project, str) and _PROJECT.fullmatch(project) else None
    return None


def _check_variable() -> None:
    """Raise where the variable holds a key in the place of a path: google-auth would put it into its message."""
    value = os.environ.get(VARIABLE, "")
    if not value:
        return
    with suppress(OSError, ValueError):
        if Path(value).is_file():
            return
    is_a_path = len(value) <= PATH_MAX and value.isprintable() and not value.lstrip().startswith("{")
    how = "does not name a file" if is_a_path else "holds no path but something else, such as the key itself"
    problem = not_to_be_had("Google", Cause.BROKEN, f"{VARIABLE} {how}", HINT)
    raise problem
