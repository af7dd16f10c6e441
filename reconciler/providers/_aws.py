"""Signed calls to one AWS service in one region.

`botocore` (the extra `aws`) finds and refreshes the credentials and signs the requests. A request is signed right
before it is sent, because a signature contains a timestamp. The signature covers the exact bytes of the request.

Source: botocore 1.44.5 `auth.py`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from reconciler.plugin import Credentials, Document, Flag, Kind, PermanentError, Response, Transport
from reconciler.providers._ambient_credentials import AmbientSecret, missing_extra
from reconciler.providers._aws_chain import CredentialChain, Keys

_SIGNING_MODULE = "botocore.auth"


class AwsOptions(Document):
    """The region and the AWS account of the jobs."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]{1,16}){1,3}-[0-9]{1,2}$")] = Field(
        description="The AWS region, such as us-east-1."
    )
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = Field(
        None, description="AWS account ID. Set it if the specs name jobs of more than one AWS account in a region."
    )
    use_fips_endpoint: Flag = Field(default=False, description="Use the endpoint with FIPS 140-validated cryptography.")
    use_dualstack_endpoint: Flag = Field(default=False, description="Use the endpoint that supports IPv4 and IPv6.")


class AwsApi:
    """A client for one AWS service in one region.

    Args:
        service: the name of the service in signatures.
        options: the options of the account.
        transport: the transport of the account.
        credentials: the credentials of the account. If their token is empty, botocore's chain is used.
    """

    def __init__(self, service: str, options: AwsOptions, transport: Transport, credentials: Credentials) -> None:
        self._service = service
        self._region = options.region
        self._transport = transport
        self._credentials = credentials
        self._ambient = AmbientSecret(CredentialChain().keys)

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one signed request, and return the response, whatever its status.

        The arguments are those of `Transport.send`. Raises the errors of `Transport.send`, `PermanentError(missing)` if
        botocore is not installed or there are no valid credentials, and `TransientError` if the credentials cannot be
        obtained now.
        """
        given = await self._credentials.token()
        signing = _signing() if _SIGNING_MODULE in sys.modules else await asyncio.to_thread(_signing)
        keys = _parse_keys(given) if given else await self._ambient.get()
        headers = {"accept": "application/json", **(headers or {})}
        sign = partial(self._sign, signing, keys, headers)
        self._transport.conceal(keys.secret_key, keys.token or "")
        return await self._transport.send(method, path, query=query, json=json, headers=headers, sign=sign)

    def _sign(
        self, signing: _Signing, keys: Keys, headers: Mapping[str, str], method: str, url: str, body: bytes
    ) -> Mapping[str, str]:
        request = signing.request(method, url, headers=dict(headers), data=body)
        credentials = signing.credentials(keys.access_key, keys.secret_key, keys.token)
        signing.auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())


@dataclass(frozen=True, slots=True)
class _Signing:
    """The three classes of botocore that create a signature."""

    auth: Any
    request: Any
    credentials: Any


def _signing() -> _Signing:
    """Import botocore, which is slow the first time. Raises `PermanentError(missing)` if it is not installed."""
    try:
        from botocore.auth import SigV4Auth  # noqa: PLC0415 - an extra
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import ReadOnlyCredentials  # noqa: PLC0415
    except ImportError:
        raise missing_extra(extra="aws", what="AWS") from None
    return _Signing(SigV4Auth, AWSRequest, ReadOnlyCredentials)


def _parse_keys(given: str) -> Keys:
    """Return the keys in a credential of the form `ID:SECRET` or `ID:SECRET:SESSION_TOKEN`.

    Raises `PermanentError(missing)` if the credential has another form.
    """
    match given.split(":"):
        case [access_key, secret_key]:
            return Keys(access_key, secret_key, None)
        case [access_key, secret_key, token]:
            return Keys(access_key, secret_key, token)
        case _:
            form = "ACCESS_KEY_ID:SECRET_ACCESS_KEY"
            msg = (
                f"the AWS credential that the Provider document names must have the form {form} or {form}:SESSION_TOKEN"
            )
            raise PermanentError(msg, kind=Kind.MISSING)
