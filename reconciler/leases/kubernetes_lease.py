"""A lease in Kubernetes: an object of the API `coordination.k8s.io/v1`, used as Kubernetes' own controllers use it.

Rules:

- The times in the object are never compared with the clock of this machine. The lease of another replica has ended once
  the object has not changed for as long as it says, by this machine's clock. A newcomer therefore waits for that long.
- Each update contains the `resourceVersion` that it is based on, so that the update of another replica is not undone.
- Fields that this module does not set are kept.
- A time has exactly six digits after the point, because the API server refuses any other number.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1, and the package `leaderelection`
of client-go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC
from http import HTTPStatus
from typing import Any

from reconciler.leases.json_answers import body_of, error_of, number_of, object_of
from reconciler.model.election import Granted, HeldBy, LeaseAnswer
from reconciler.ports import Now, Response, Transport

API_VERSION = "coordination.k8s.io/v1"
_RELEASED_S = 1
"""The duration in a released lease. client-go writes the same value."""

Object = Mapping[str, Any]


class KubernetesLease:
    """The `Lease` in Kubernetes.

    Args:
        api: a transport to the API server.
        namespace: the namespace of the object.
        name: the name of the object. It is created if it does not exist.
        identity: the name of this replica, which no other replica has.
        duration_s: after how many seconds without a renewal the lease ends.
        now: returns the current time, which the object shows to people.
        elapsed: returns the time of a clock that never goes back, in seconds.
        token: returns the token of the service account. With `is_refused`, the last one was refused, so that it must be
            read again.
    """

    def __init__(
        self,
        api: Transport,
        namespace: str,
        name: str,
        identity: str,
        duration_s: int,
        *,
        now: Now,
        elapsed: Callable[[], float],
        token: Callable[[bool], str],
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/leases"
        self._identity = identity
        self._duration_s = duration_s
        self._now = now
        self._elapsed = elapsed
        self._token = token
        self._object: Object | None = None
        """The object as the API server last returned it."""
        self._changed_at = 0.0
        """When this replica first saw the object as it is."""

    async def acquire(self) -> LeaseAnswer:
        """Try once to acquire the lease, as `Lease` describes."""
        found = await self._read()
        if found is None:
            return await self._create()
        holder = _holder(found)
        if holder not in (None, self._identity) and not self._has_ended(found):
            return HeldBy(holder)
        return await self._write(found) or HeldBy(None)

    async def renew(self) -> LeaseAnswer:
        """Try once to renew the lease, as `Lease` describes. The object as it was last seen is tried first."""
        known = self._object
        if known is not None and _holder(known) == self._identity and (renewed := await self._write(known)):
            return renewed
        found = await self._read()
        if found is None or _holder(found) != self._identity:
            return HeldBy(_holder(found) if found is not None else None)
        return await self._write(found) or HeldBy(None)

    async def release(self) -> None:
        """Give up the lease, as `Lease` describes."""
        found = await self._read()
        if found is not None and _holder(found) == self._identity:
            await self._put(_with(found, holderIdentity="", leaseDurationSeconds=_RELEASED_S, **self._times()))

    def _has_ended(self, found: Object) -> bool:
        duration_s = number_of(_spec(found).get("leaseDurationSeconds")) or self._duration_s
        return self._elapsed() >= self._changed_at + duration_s

    async def _write(self, found: Object) -> Granted | None:
        """Write that this replica holds the lease. Return None if another replica has changed or deleted the object."""
        spec, is_renewal = _spec(found), _holder(found) == self._identity
        times = self._times()
        if is_renewal:
            del times["acquireTime"]
        else:
            times["leaseTransitions"] = number_of(spec.get("leaseTransitions")) + 1
        return await self._put(
            _with(found, holderIdentity=self._identity, leaseDurationSeconds=self._duration_s, **times)
        )

    def _times(self) -> dict[str, Any]:
        now = f"{self._now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        return {"acquireTime": now, "renewTime": now}

    async def _read(self) -> Object | None:
        response = await self._send("GET", f"{self._path}/{self._name}")
        if response.status == HTTPStatus.NOT_FOUND:
            self._object = None
            return None
        if response.status != HTTPStatus.OK:
            raise error_of(response, f"Kubernetes refused to return the lease {self._name}")
        return self._remember(response)

    async def _create(self) -> LeaseAnswer:
        spec = {"holderIdentity": self._identity, "leaseDurationSeconds": self._duration_s, "leaseTransitions": 0}
        body = {
            "apiVersion": API_VERSION,
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {**spec, **self._times()},
        }
        response = await self._send("POST", self._path, body)
        if response.status == HTTPStatus.CONFLICT:
            return HeldBy(None)
        if response.status != HTTPStatus.CREATED:
            raise error_of(response, f"Kubernetes refused to create the lease {self._name}")
        self._remember(response)
        return Granted()

    async def _put(self, changed: Object) -> Granted | None:
        response = await self._send("PUT", f"{self._path}/{self._name}", changed)
        if response.status in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
            return None
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise error_of(response, f"Kubernetes refused to update the lease {self._name}")
        self._remember(response)
        return Granted()

    def _remember(self, response: Response) -> Object:
        found = body_of(response)
        if found != self._object:
            self._object, self._changed_at = found, self._elapsed()
        return found

    async def _send(self, method: str, path: str, body: Object | None = None) -> Response:
        """Send a request with the token of the service account, once more if that token has been replaced."""
        response = await self._api.send(method, path, json=body, headers=self._headers(is_refused=False))
        if response.status == HTTPStatus.UNAUTHORIZED:
            response = await self._api.send(method, path, json=body, headers=self._headers(is_refused=True))
        return response

    def _headers(self, *, is_refused: bool) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self._token(is_refused)}"}


def _spec(found: Object) -> Object:
    return object_of(found.get("spec"))


def _holder(found: Object) -> str | None:
    holder = _spec(found).get("holderIdentity")
    return holder if isinstance(holder, str) and holder else None


def _with(found: Object, **spec: Any) -> Object:
    """Return the object with other fields in its spec. All other fields are kept."""
    changed = deepcopy(dict(found))
    changed["spec"] = {**_spec(found), **spec}
    return changed
