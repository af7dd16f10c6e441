"""Microsoft Entra's access tokens, found and refreshed by `azure-identity` (the extra `azure`).

Rules: the library asks one place after another and tells of all of them in one sentence, which is not repeated; what
each place raised is therefore heard on its way. It opens no browser and asks no broker.

Source: azure-identity 1.27.0 `_credentials/{default,chained}.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from reconciler.plugin import PermanentError, TransientError
from reconciler.providers._ambient_credentials import Ambient, missing_extra, silence_libraries
from reconciler.providers._vendor_errors import AZURE, Cause, cause_of, cause_of_status, not_to_be_had

AUTHORITY = "AZURE_AUTHORITY_HOST"
"""The variable that the library reads the cloud's login from."""
SCOPE = "https://cognitiveservices.azure.{}/.default"
CLOUDS: Mapping[str, str] = {"cn": "login.chinacloudapi.cn", "us": "login.microsoftonline.us"}
"""The login of each cloud of its own, by the end of its names (azure-identity `_constants.py`); all else is public."""
MARGIN_S = 300
"""How long before its end a token is renewed."""
HINT = "set AZURE_CLIENT_ID and its companions, run `az login`, or name a key under credentials"
_CODE = re.compile(r"AADSTS\d{4,9}")
"""Entra's own code, which stands in the message only: learn.microsoft.com/entra/identity-platform."""


class EntraCredentials:
    """The token of this machine: a service principal's, a workload's or managed identity's, or that of `az login`."""

    def __init__(self, now: Callable[[], datetime], base_url: str) -> None:
        self._ambient = Ambient(_Finder(now, cloud_of(base_url, os.environ)).token)

    async def token(self) -> str:
        """Return a token that holds for some minutes more. Raises `PermanentError(missing)` where nothing gives one."""
        return await self._ambient.get()


def cloud_of(base_url: str, environ: Mapping[str, str]) -> str:
    """Return the end of the names of the Azure cloud that a resource is in: `com`, `us` or `cn`.

    A resource's own name says it; where it is reached by another name, the login that the environment names does.
    """
    host = urlsplit(base_url).hostname or ""
    if host.endswith((".azure.com", ".azure.us", ".azure.cn")):
        return host.rpartition(".")[2]
    login = environ.get(AUTHORITY, "").removeprefix("https://").strip(" /")
    return next((cloud for cloud, each in CLOUDS.items() if login == each), "com")


class _Finder:
    """Keeps the token as well, for the library keeps not all: of `az` it asks each one anew, which takes a second."""

    def __init__(self, now: Callable[[], datetime], cloud: str) -> None:
        self._now = now
        self._cloud = cloud
        self._found: Any = None
        self._last: Any = None
        self._raised: list[Exception] = []
        self._statuses: list[int] = []

    def token(self) -> str:
        if self._last is None or self._last.expires_on - MARGIN_S <= self._now().timestamp():
            self._last = self._renewed()
        return str(self._last.token)

    def _renewed(self) -> Any:
        try:
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise missing_extra(extra="azure", what="Microsoft Entra") from None
        silence_libraries()
        self._raised.clear()
        self._statuses.clear()
        try:
            if self._found is None:
                self._found = self._chain(DefaultAzureCredential)
            return self._found.get_token(SCOPE.format(self._cloud))
        except Exception as error:  # noqa: BLE001 - settings that make no sense are a ValueError
            failure = error_of(self._raised or [error], self._statuses, had_one=self._last is not None)
        raise failure

    def _chain(self, make: Callable[..., Any]) -> Any:
        """Return the library's chain without what opens a browser or asks a broker, heard at each of its places."""
        login = {} if os.environ.get(AUTHORITY) or self._cloud not in CLOUDS else {"authority": CLOUDS[self._cloud]}
        chain = make(
            **login,
            exclude_interactive_browser_credential=True,
            exclude_broker_credential=True,
            raw_response_hook=lambda answer: self._statuses.append(answer.http_response.status_code),
        )
        chain.credentials = tuple(_Heard(each, self._raised) for each in chain.credentials)
        return chain


class _Heard:
    """One place of the chain, and what it raised."""

    def __init__(self, place: Any, raised: list[Exception]) -> None:
        self._place = place
        self._raised = raised

    def get_token(self, *scopes: str, **named: Any) -> Any:
        try:
            return self._place.get_token(*scopes, **named)
        except Exception as error:
            self._raised.append(error)
            raise


def error_of(raised: list[Exception], statuses: list[int], *, had_one: bool) -> TransientError | PermanentError:
    """Return what the exceptions of a search mean, without a word of them.

    Args:
        raised: what the places raised, in their order.
        statuses: the HTTP status of each answer; the library keeps few of them.
        had_one: whether there was a token before; then a place that has none any more is away.
    """
    causes = [cause_of(each, AZURE) for each in raised]
    trouble = [each for each in statuses if cause_of_status(each) is Cause.AWAY]
    lasting = [each for each in causes if each not in {Cause.AWAY, Cause.MISSING}]
    if trouble or (not lasting and (had_one or Cause.AWAY in causes)):
        cause = Cause.AWAY
    else:
        cause = lasting[-1] if lasting else Cause.MISSING
    told = raised[causes.index(cause)] if cause in causes else raised[-1]
    detail = f"{_detail(told)}, HTTP {trouble[-1]}" if trouble else _detail(told)
    return not_to_be_had("Microsoft Entra", cause, detail, HINT)


def _detail(error: Exception) -> str:
    code = _CODE.search(str(error))
    return code[0] if code else type(error).__name__
