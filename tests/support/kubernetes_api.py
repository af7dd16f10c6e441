"""A strict stand-in for the part of the Kubernetes API server that leases need, over TLS.

It refuses what the API server refuses: an unknown token, a role that lacks a verb, a time without exactly six digits,
an update of an older version, and an object that exists or does not exist. Its errors have the form and the words of
the API server's. `kubectl` and the official Python client use it in `tests/peers/test_kubernetes_client.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from tests.support.certificates import an_authority, server_context
from tests.support.threaded_server import serving_json

GROUP, KIND, NAMESPACE = "coordination.k8s.io", "leases", "jobs"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
FIELDS = {"holderIdentity": str, "leaseDurationSeconds": int, "leaseTransitions": int}
LEASES = re.compile(rf"/apis/{GROUP}/v1/namespaces/(?P<namespace>[^/?]+)/leases(/(?P<name>[^/?]+))?")
RESOURCE = {
    "name": KIND,
    "singularName": "lease",
    "namespaced": True,
    "kind": "Lease",
    "verbs": ["create", "get", "list", "update"],
}
Answer = tuple[int, Mapping[str, Any]]


@dataclass(slots=True)
class KubernetesApi:
    """The leases of one server, and who may use them."""

    directory: Path
    """Where the certificate, and the files of a service account in `service_account`, are written."""
    url: str = ""
    tokens: set[str] = field(default_factory=lambda: {"token-of-the-replicas"})
    verbs: set[str] = field(default_factory=lambda: {"create", "get", "list", "update"})
    """The verbs that the role allows."""
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    """The method and the status of each request."""
    before_update: Callable[[], None] = lambda: None
    """Is called before each update is judged, so that a test can be faster than a replica."""
    unavailable: bool = False
    """Whether each request gets HTTP 503, as while the control plane is upgraded."""
    _version: int = 100
    _lock: Lock = field(default_factory=Lock)

    @property
    def authority(self) -> Path:
        """The certificate of the authority that issued the server's certificate."""
        return self.service_account / "ca.crt"

    @property
    def service_account(self) -> Path:
        """The directory with the token, the namespace and the authority, as a pod has it."""
        return self.directory / "serviceaccount"

    def set_token(self, token: str) -> None:
        """Replace the token that the server accepts, and the one in the directory."""
        self.tokens = {token}
        (self.service_account / "token").write_text(token, encoding="ascii")

    def give(self, name: str, holder: str) -> None:
        """Change the holder of a lease, as another replica would."""
        lease = self.leases[name]
        self._store(name, {**lease, "spec": {**lease["spec"], "holderIdentity": holder}})

    def answer(self, method: str, path: str, token: str, body: Any) -> Answer:
        """Return the status and the body of the response to a request."""
        found = LEASES.fullmatch(path.partition("?")[0])
        if token not in self.tokens:
            return failure(401, "Unauthorized", "Unauthorized")
        if self.unavailable:
            return failure(503, "ServiceUnavailable", "apiserver is shutting down")
        if found is None:
            return _discovery(path)
        verb = {"POST": "create", "PUT": "update", "GET": "get" if found["name"] else "list"}.get(method, method)
        if verb not in self.verbs or found["namespace"] != NAMESPACE:
            what = f'{KIND}.{GROUP} is forbidden: User "replica" cannot {verb} resource "{KIND}" in API group "{GROUP}"'
            return failure(403, "Forbidden", what)
        if verb == "update":
            self.before_update()
        with self._lock:
            return self._handle(verb, found["name"], body)

    def _handle(self, verb: str, name: str | None, body: Any) -> Answer:
        if verb == "list":
            return 200, {
                "kind": "LeaseList",
                "apiVersion": f"{GROUP}/v1",
                "metadata": {},
                "items": [*self.leases.values()],
            }
        problem = None if verb == "get" else _problem(body)
        if problem is not None:
            return failure(400, "BadRequest", problem)
        name = name or body["metadata"]["name"]
        lease = self.leases.get(name)
        if verb == "create":
            if lease is not None:
                return failure(409, "AlreadyExists", f'{KIND}.{GROUP} "{name}" already exists')
            return 201, self._store(name, body)
        if lease is None:
            return failure(404, "NotFound", f'{KIND}.{GROUP} "{name}" not found')
        if verb == "get":
            return 200, lease
        given = body["metadata"].get("resourceVersion")
        if given not in (None, lease["metadata"]["resourceVersion"]):
            what = (
                f'Operation cannot be fulfilled on {KIND}.{GROUP} "{name}": the object has been modified; please apply '
                "your changes to the latest version and try again"
            )
            return failure(409, "Conflict", what)
        return 200, self._store(name, body)

    def _store(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._version += 1
        metadata = {**body["metadata"], "name": name, "namespace": NAMESPACE, "resourceVersion": str(self._version)}
        metadata.setdefault("uid", f"00000000-0000-0000-0000-{self._version:012}")
        self.leases[name] = {"apiVersion": f"{GROUP}/v1", "kind": "Lease", "metadata": metadata, "spec": body["spec"]}
        return self.leases[name]


def failure(code: int, reason: str, message: str) -> Answer:
    """Return an error as the API server describes it."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return code, {**status, "message": message, "reason": reason, "code": code}


def _problem(body: Any) -> str | None:
    """Return why the API server would not read this object as a lease, or None."""
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (f"{GROUP}/v1", "Lease"):
        return "the object provided is unrecognized (must be of type Lease)"
    spec = body.get("spec", {})
    for name, type_ in FIELDS.items():
        if not isinstance(spec.get(name, type_()), type_):
            return f'Lease in version "v1" cannot be handled as a Lease: spec.{name} is not of type {type_.__name__}'
    for name in ("acquireTime", "renewTime"):
        if name in spec and not TIME.fullmatch(str(spec[name])):
            what = f'parsing time "{spec[name]}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse'
            return f'Lease in version "v1" cannot be handled as a Lease: {what}'
    return None


def _discovery(path: str) -> Answer:
    """Return what `kubectl` reads to find the resource."""
    version = {"groupVersion": f"{GROUP}/v1", "version": "v1"}
    group = {"name": GROUP, "versions": [version], "preferredVersion": version}
    found: dict[str, Mapping[str, Any]] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
        f"/apis/{GROUP}/v1": {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{GROUP}/v1",
            "resources": [RESOURCE],
        },
    }
    page = found.get(path.partition("?")[0])
    return (200, page) if page is not None else failure(404, "NotFound", "the server could not find the resource")


@contextmanager
def serving_kubernetes(directory: Path) -> Iterator[KubernetesApi]:
    """Serve leases until the block ends, and write the files of a service account."""
    api = KubernetesApi(directory)
    api.service_account.mkdir(parents=True)
    authority = an_authority("Kubernetes", directory)
    api.authority.write_bytes(authority.read_bytes())
    (api.service_account / "namespace").write_text(NAMESPACE, encoding="ascii")
    api.set_token("token-of-the-replicas")

    def answer(method: str, path: str, token: str, sent: bytes) -> Answer:
        status, body = api.answer(method, path, token, json.loads(sent) if sent else None)
        api.requests.append((method, status))
        return status, body

    with serving_json(answer, server_context(authority)) as port:
        api.url = f"https://127.0.0.1:{port}"
        yield api
