"""Signed calls to one AWS service in one region.

Rules: `botocore` (the extra `aws`) finds, refreshes and signs; nothing of AWS's authorisation is written here. The
signature is of the very bytes that go out, made when it is the request's turn.

Sources: botocore 1.44.5 `auth.py`, `credentials.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from reconciler.plugin import (
    Credentials,
    Delivered,
    Document,
    Kind,
    Permanent,
    Response,
    Transient,
    Transport,
    clean,
)
from reconciler.plugin.answers import without_secrets
from reconciler.providers._ambient_credentials import Ambient, missing_extra

_SIGNS = "botocore.auth"


class AwsOptions(Document):
    """Which region of which AWS account is meant."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$")] = Field(
        description="Such as us-east-1."
    )
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = Field(
        None, description="The AWS account: tells two apart whose jobs are in one region."
    )


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request is signed with."""

    access_key: str
    secret_key: str
    token: str | None


class AwsApi:
    """One service in one region."""

    def __init__(self, service: str, options: AwsOptions, transport: Transport, credentials: Credentials) -> None:
        self._service = service
        self._region = options.region
        self._transport = transport
        self._credentials = credentials
        self._ambient = Ambient(_Chain().keys)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one signed request; the answer's body is free of the secrets that signed it."""
        written = await self._credentials.token()
        signing = _signing() if _SIGNS in sys.modules else await asyncio.to_thread(_signing)
        keys = _read(written) if written else await self._ambient.get()
        headers = {"accept": "application/json", **(headers or {})}
        sign = partial(self._sign, signing, keys, headers)
        response = await self._transport.send(method, path, query=query, json=json, headers=headers, sign=sign)
        return without_secrets(response, keys.secret_key, keys.token or "")

    def _sign(
        self, signing: _Signing, keys: Keys, headers: Mapping[str, str], method: str, url: str, body: bytes
    ) -> Mapping[str, str]:
        request = signing.request(method, url, headers=dict(headers), data=body)
        credentials = signing.credentials(keys.access_key, keys.secret_key, keys.token)
        signing.auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())


@dataclass(frozen=True, slots=True)
class _Signing:
    """The three classes of botocore that make a signature."""

    auth: Any
    request: Any
    credentials: Any


def _signing() -> _Signing:
    """Import them, which takes a while the first time, and so is off the loop then. Raises `Permanent(missing)`."""
    try:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - an extra
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import ReadOnlyCredentials  # noqa: PLC0415
    except ImportError:
        raise missing_extra(extra="aws", what="AWS") from None
    return _Signing(SigV4Auth, AWSRequest, ReadOnlyCredentials)


class _Chain:
    """Where botocore looks: variables, profiles, a web identity, a container's role, the instance's."""

    def __init__(self) -> None:
        self._found: Any = None

    def keys(self) -> Keys:
        """Return keys that hold for some minutes more: botocore refreshes them ten minutes before their time."""
        from botocore.exceptions import BotoCoreError, HTTPClientError  # noqa: PLC0415 - an extra
        from botocore.session import Session  # noqa: PLC0415

        try:
            if self._found is None:
                self._found = Session().get_credentials()
            frozen = self._found.get_frozen_credentials() if self._found else None
        except HTTPClientError as error:
            msg = f"AWS's credentials cannot be refreshed now ({type(error).__name__})"
            raise Transient(msg, delivered=Delivered.NO) from None
        except BotoCoreError as error:
            msg = f"AWS's credentials on this machine are not usable: {clean(str(error))}"
            raise Permanent(msg, kind=Kind.MISSING) from None
        if frozen is None:
            msg = (
                "there are no AWS credentials here: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or "
                "run where a role is attached"
            )
            raise Permanent(msg, kind=Kind.MISSING)
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _read(written: str) -> Keys:
    """Read what a credential that a spec names holds: `id:secret`, or `id:secret:session token`."""
    match written.split(":"):
        case [access_key, secret_key]:
            return Keys(access_key, secret_key, None)
        case [access_key, secret_key, token]:
            return Keys(access_key, secret_key, token)
        case _:
            msg = "AWS credentials are written as ACCESS_KEY_ID:SECRET_ACCESS_KEY or …:SESSION_TOKEN; these are not"
            raise Permanent(msg, kind=Kind.MISSING)
