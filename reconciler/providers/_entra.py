"""Microsoft Entra access tokens, obtained and refreshed by `azure-identity` (the extra `azure`).

The library tries one credential after another, and raises one exception whose message combines all failures. That
message can contain secrets and is not used. Instead, the exception of each credential is recorded. The credentials that
open a browser or use a broker are excluded.

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
from reconciler.providers._ambient_credentials import AmbientSecret, missing_extra, silence_libraries
from reconciler.providers._vendor_errors import AZURE, Cause, cause_of, cause_of_status, credentials_error

AUTHORITY = "AZURE_AUTHORITY_HOST"
"""The variable from which the library reads the login host."""
SCOPE = "https://cognitiveservices.azure.{}/.default"
CLOUDS: Mapping[str, str] = {"cn": "login.chinacloudapi.cn", "us": "login.microsoftonline.us"}
"""The login hosts of the national clouds, by top-level domain (azure-identity `_constants.py`)."""
MARGIN_S = 300
"""How long before its expiry a token is renewed, in seconds."""
HINT = "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, run `az login`, or name a key under credentials"
_CODE = re.compile(r"AADSTS\d{4,9}")
"""Entra's error code, which only the message contains: learn.microsoft.com/entra/identity-platform."""


class EntraCredentials:
    """The token of this machine's identity: a service principal, a workload or managed identity, or `az login`.

    `base_url` is the address of the resource, which determines the cloud (`cloud_of`).
    """

    def __init__(self, now: Callable[[], datetime], base_url: str) -> None:
        self._ambient = AmbientSecret(_TokenCache(now, cloud_of(base_url, os.environ)).token)

    async def token(self) -> str:
        """Return a token. It is renewed `MARGIN_S` seconds before it expires.

        Raises `TransientError` or `PermanentError(missing)` if no token can be obtained.
        """
        return await self._ambient.get()


def cloud_of(base_url: str, environ: Mapping[str, str]) -> str:
    """Return the Azure cloud of a resource, as the top-level domain of its names: `com`, `us` or `cn`.

    The host of the resource determines the cloud. If it is not an Azure name, the login host in the environment does.
    The default is `com`.
    """
    host = urlsplit(base_url).hostname or ""
    if host.endswith((".azure.com", ".azure.us", ".azure.cn")):
        return host.rpartition(".")[2]
    login = environ.get(AUTHORITY, "").removeprefix("https://").strip(" /")
    return next((cloud for cloud, each in CLOUDS.items() if login == each), "com")


class _TokenCache:
    """A cache of one token. The library does not cache the tokens of `az`, and a call of `az` takes about a second."""

    def __init__(self, now: Callable[[], datetime], cloud: str) -> None:
        self._now = now
        self._cloud = cloud
        self._found: Any = None
        self._last: Any = None
        self._raised: list[Exception] = []
        self._statuses: list[int] = []

    def token(self) -> str:
        if self._last is None or self._last.expires_on - MARGIN_S <= self._now().timestamp():
            self._last = self._request_token()
        return str(self._last.token)

    def _request_token(self) -> Any:
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
        except Exception as error:  # noqa: BLE001 - invalid settings can cause any exception
            failure = error_of(self._raised or [error], self._statuses, had_token=self._last is not None)
        raise failure

    def _chain(self, make: Callable[..., Any]) -> Any:
        """Return the library's default credential chain, without its browser and broker credentials.

        Each credential is wrapped so that its exceptions are recorded.
        """
        login = {} if os.environ.get(AUTHORITY) or self._cloud not in CLOUDS else {"authority": CLOUDS[self._cloud]}
        chain = make(
            **login,
            exclude_interactive_browser_credential=True,
            exclude_broker_credential=True,
            raw_response_hook=lambda response: self._statuses.append(response.http_response.status_code),
        )
        chain.credentials = tuple(_RecordingCredential(each, self._raised) for each in chain.credentials)
        return chain


class _RecordingCredential:
    """A wrapper of one credential in the chain, which records the exceptions of that credential."""

    def __init__(self, credential: Any, raised: list[Exception]) -> None:
        self._credential = credential
        self._raised = raised

    def get_token(self, *scopes: str, **named: Any) -> Any:
        try:
            return self._credential.get_token(*scopes, **named)
        except Exception as error:
            self._raised.append(error)
            raise


def error_of(raised: list[Exception], statuses: list[int], *, had_token: bool) -> TransientError | PermanentError:
    """Return the provider error for the exceptions of one search. Their messages are left out.

    Args:
        raised: the exceptions of the credentials, in the order of the chain.
        statuses: the HTTP status of each response, because most exceptions do not contain it.
        had_token: whether a token was found earlier. If so, a missing credential is a temporary failure.
    """
    causes = [cause_of(each, AZURE) for each in raised]
    temporary = [each for each in statuses if cause_of_status(each) is Cause.UNAVAILABLE]
    cause = Cause.UNAVAILABLE if temporary else _cause_of_search(causes, had_token=had_token)
    error = raised[causes.index(cause)] if cause in causes else raised[-1]
    detail = f"{_detail(error)}, HTTP {temporary[-1]}" if temporary else _detail(error)
    return credentials_error("Microsoft Entra", cause, detail, HINT)


def _cause_of_search(causes: list[Cause], *, had_token: bool) -> Cause:
    """Return the cause for a chain of credentials: the last permanent failure, if there is one."""
    permanent = [each for each in causes if each not in {Cause.UNAVAILABLE, Cause.MISSING}]
    if permanent:
        return permanent[-1]
    return Cause.UNAVAILABLE if had_token or Cause.UNAVAILABLE in causes else Cause.MISSING


def _detail(error: Exception) -> str:
    code = _CODE.search(str(error))
    return code[0] if code else type(error).__name__
