"""Microsoft Entra's access tokens, found and refreshed by `azure-identity` (the extra `azure`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from reconciler.plugin import Delivered, Kind, Permanent, Transient
from reconciler.providers._ambient_credentials import Ambient, missing_extra

SCOPE = "https://cognitiveservices.azure.com/.default"
MARGIN_S = 300
"""How long before its end a token is renewed."""


class EntraCredentials:
    """The token of this machine: a service principal's, a workload's or managed identity's, or that of `az login`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._ambient = Ambient(_Finder(now).token)

    async def token(self) -> str:
        """Return a token that holds for some minutes more. Raises `Permanent(missing)` where nothing gives one."""
        return await self._ambient.get()


class _Finder:
    """Keeps the token as well, for the library keeps not all: of `az` it asks each one anew, which takes a second."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._found: Any = None
        self._last: Any = None

    def token(self) -> str:
        if self._last is None or self._last.expires_on - MARGIN_S <= self._now().timestamp():
            self._last = self._renewed()
        return str(self._last.token)

    def _renewed(self) -> Any:
        try:
            from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 - an extra
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise missing_extra(extra="azure", what="Microsoft Entra") from None
        if self._found is None:
            self._found = DefaultAzureCredential()
        try:
            return self._found.get_token(SCOPE)
        except ClientAuthenticationError as error:
            # The words may quote the token endpoint's answer, so only their kind is told.
            msg = (
                f"nothing on this machine gives a Microsoft Entra token ({type(error).__name__}): set AZURE_CLIENT_ID "
                "and its companions, run `az login`, or name a key under credentials"
            )
            raise Permanent(msg, kind=Kind.MISSING) from None
        except AzureError as error:
            msg = f"Microsoft Entra could not be asked for a token ({type(error).__name__})"
            raise Transient(msg, delivered=Delivered.NO) from None
