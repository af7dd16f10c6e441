"""A lease in etcd: a key that exists while its holder renews the etcd lease to which the key is attached.

Rules:

- The requests are those of etcd's JSON gateway (3.4 and later). Keys and values are in base64. Numbers of 64 bits are
  texts in responses, and fields with the value 0 or false are left out.
- The key is created only if it does not exist. Its value is the name of the holder.
- Each renewal checks that the key is still as this replica created it, because others can delete or overwrite it.
- A key that is attached to no etcd lease does not end by itself, so it is reported as an error and not as a holder.
- If the response to the creation of the key is lost, the key is recognised by its value.
- A request goes to the member that responded last. If that member does not respond, it goes to the others.

Source: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.leases.json_answers import body_of, error_of, number_of, object_of
from reconciler.model.election import Granted, HeldBy, LeaseAnswer
from reconciler.ports import Response, Transport

Body = Mapping[str, object]
_USER = "--etcd-user-file or RECONCILE_ETCD_USER"
_NO_USER = b"user name is empty"
"""The message of etcd if it has users and a request names none."""
_WITHOUT_USERS = b"authentication is not enabled"
"""The message of etcd if it has no users and a user authenticates."""


@dataclass(frozen=True, slots=True)
class EtcdUser:
    """The name and the password of a user of etcd."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class _Held:
    """The key that this replica created: its lease in etcd, and the revision at which it was last changed."""

    lease_id: str
    revision: str


class EtcdLease:
    """The `Lease` in etcd.

    Args:
        members: a transport to each member of the cluster.
        key: the key.
        identity: the name of this replica, which no other replica has.
        duration_s: after how many seconds without a renewal the lease ends.
        user: returns the user, or None if etcd needs none.
        refresh: is called before each request, so that rotated certificates are used.
    """

    def __init__(
        self,
        members: Sequence[Transport],
        key: str,
        identity: str,
        duration_s: int,
        *,
        user: Callable[[], EtcdUser | None] = lambda: None,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._members = list(members)
        self._key = _encoded(key)
        self._identity = identity
        self._duration_s = duration_s
        self._user = user
        self._refresh = refresh
        self._token: str | None = None
        self._held: _Held | None = None

    async def acquire(self) -> LeaseAnswer:
        """Try once to acquire the lease, as `Lease` describes."""
        found = await self._read()
        if found is not None:
            return await self._judge(found)
        granted = await self._ask("/v3/lease/grant", {"TTL": self._duration_s})
        lease_id = str(granted.get("ID", ""))
        value = _encoded(self._identity)
        answer = await self._ask(
            "/v3/kv/txn",
            {
                "compare": [{"key": self._key, "target": "CREATE", "result": "EQUAL", "createRevision": "0"}],
                "success": [{"requestPut": {"key": self._key, "value": value, "lease": lease_id}}],
                "failure": [{"requestRange": {"key": self._key}}],
            },
        )
        if answer.get("succeeded") is True:
            self._held = _Held(lease_id, str(object_of(answer.get("header")).get("revision")))
            return Granted()
        await self._revoke(lease_id)
        responses = answer.get("responses")
        first = object_of(responses[0]) if isinstance(responses, list) and responses else {}
        found = _first_key(object_of(first.get("response_range")))
        return HeldBy(None) if found is None else await self._judge(found)

    async def renew(self) -> LeaseAnswer:
        """Try once to renew the lease, as `Lease` describes."""
        held, found = self._held, await self._read()
        if held is None or found is None:
            return HeldBy(None)
        if found.get("mod_revision") != held.revision:
            return HeldBy(_decoded(found.get("value")))
        answer = object_of((await self._ask("/v3/lease/keepalive", {"ID": held.lease_id})).get("result"))
        # A lease that has ended has no TTL in the response.
        return Granted() if number_of(answer.get("TTL")) >= self._duration_s else HeldBy(None)

    async def release(self) -> None:
        """Give up the lease, as `Lease` describes."""
        if self._held is not None:
            held, self._held = self._held, None
            await self._revoke(held.lease_id)

    async def _judge(self, found: Mapping[str, Any]) -> LeaseAnswer:
        """Return who holds the existing key. If it is this replica, renew the lease."""
        holder = _decoded(found.get("value"))
        if "lease" not in found:
            msg = (
                f"the key is {holder!r} and does not end by itself, because it is attached to no lease in etcd: delete "
                "the key, or name another one"
            )
            raise PermanentError(msg, kind=Kind.REFUSED)
        if holder != self._identity:
            return HeldBy(holder)
        self._held = _Held(str(found.get("lease")), str(found.get("mod_revision")))
        return await self.renew()

    async def _read(self) -> Mapping[str, Any] | None:
        return _first_key(await self._ask("/v3/kv/range", {"key": self._key}))

    async def _revoke(self, lease_id: str) -> None:
        """End an etcd lease, and delete its key. A lease that has ended already is not an error."""
        response = await self._send("/v3/lease/revoke", {"ID": lease_id})
        if response.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise _refusal(response, "/v3/lease/revoke")

    async def _ask(self, path: str, body: Body) -> Mapping[str, Any]:
        response = await self._send(path, body)
        if response.status != HTTPStatus.OK:
            raise _refusal(response, path)
        return body_of(response)

    async def _send(self, path: str, body: Body) -> Response:
        """Send a request with the token of the user, if there is one. A token that has expired is replaced once."""
        user = self._user()
        if user is None:
            return await self._to_a_member(path, body, {})
        is_new = self._token is None
        token = self._token = self._token or await self._authenticate(user)
        response = await self._to_a_member(path, body, {"authorization": token})
        if response.status == HTTPStatus.UNAUTHORIZED and not is_new:
            token = self._token = await self._authenticate(user)
            response = await self._to_a_member(path, body, {"authorization": token})
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._token = None
        return response

    async def _authenticate(self, user: EtcdUser) -> str:
        path = "/v3/auth/authenticate"
        response = await self._to_a_member(path, {"name": user.name, "password": user.password}, {})
        if response.status != HTTPStatus.OK:
            what_to_do = f"leave out {_USER}" if _WITHOUT_USERS in response.body else f"correct the user in {_USER}"
            raise error_of(response, f"etcd refused {path}", what_to_do)
        return str(body_of(response).get("token"))

    async def _to_a_member(self, path: str, body: Body, headers: Mapping[str, str]) -> Response:
        self._refresh()
        problem: TransientError = TransientError("no member of etcd is known", delivered=Delivered.NO)
        for member in tuple(self._members):
            try:
                response = await member.send("POST", path, json=body, headers=headers)
            except TransientError as error:
                problem = error
                continue
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and member is not self._members[-1]:
                continue
            self._members.remove(member)
            self._members.insert(0, member)
            return response
        raise problem


def _refusal(response: Response, path: str) -> ProviderError:
    """Return the error for a request that etcd refused, with what to do if the user is the cause."""
    hint = None
    if _NO_USER in response.body:
        hint = f"set {_USER}"
    elif response.status == HTTPStatus.FORBIDDEN:
        hint = f"the user in {_USER} needs read and write access to the key"
    return error_of(response, f"etcd refused {path}", hint)


def _first_key(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kvs = answer.get("kvs")
    return object_of(kvs[0]) if isinstance(kvs, list) and kvs else None


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: object) -> str | None:
    """Return a value as text; None if it is empty or not text."""
    try:
        return base64.b64decode(text if isinstance(text, str) else "", validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None
