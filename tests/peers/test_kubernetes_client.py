"""The official Python client and `kubectl` use the same leases as a replica, at the strict server of the tests.

They show that the server behaves as these programs expect, and that they read what a replica writes. They need
`pip install kubernetes`, and `kubectl`, which `.ci/lanes/cluster` installs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.leases.kubernetes_lease import KubernetesLease
from reconciler.leases.tls_files import TlsFiles
from reconciler.model.election import Granted, HeldBy, LeaseAnswer
from reconciler.transport import HttpTransport, Throttle
from reconciler.wiring.open_election import RATE
from tests.support.kubernetes_api import NAMESPACE, KubernetesApi, serving_kubernetes

NAME = "reconcile"
TOKEN = "token-of-the-replicas"  # noqa: S105  of the test's server
KUBECTL = shutil.which("kubectl")
MANIFEST = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{name: {name}, namespace: jobs}}
spec: {{holderIdentity: someone, leaseDurationSeconds: 15, renewTime: "{time}"}}
"""

needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="no kubectl: .ci/lanes/cluster installs it")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with serving_kubernetes(tmp_path) as api:
        yield api


def acquired(api: KubernetesApi, identity: str = "one") -> LeaseAnswer:
    """Return the answer to one attempt of a replica."""

    async def main() -> LeaseAnswer:
        tls = TlsFiles(api.authority, None, None, lambda: 0.0)
        async with HttpTransport(api.url, Throttle(RATE), tls=tls.context) as transport:
            lease = KubernetesLease(
                transport,
                NAMESPACE,
                NAME,
                identity,
                15,
                now=lambda: datetime.now(UTC).replace(microsecond=0),
                elapsed=lambda: 0.0,
                token=lambda _: TOKEN,
            )
            return await lease.acquire()

    return asyncio.run(main())


def client_of(api: KubernetesApi) -> Any:
    """Return the coordination API of the official client."""
    kubernetes = pytest.importorskip("kubernetes", reason="pip install kubernetes")
    settings = kubernetes.client.Configuration(host=api.url, api_key={"authorization": f"Bearer {TOKEN}"})
    settings.ssl_ca_cert = str(api.authority)
    return kubernetes.client.CoordinationV1Api(kubernetes.client.ApiClient(settings))


def test_the_official_client_reads_and_takes_over_the_lease_of_a_replica(api: KubernetesApi) -> None:
    client = client_of(api)
    assert acquired(api) == Granted()
    lease = client.read_namespaced_lease(NAME, NAMESPACE)

    assert lease.spec.holder_identity == "one"
    assert lease.spec.renew_time.tzinfo is not None
    lease.spec.holder_identity = "the official client"
    lease.spec.renew_time = lease.spec.acquire_time = datetime.now(UTC).replace(microsecond=1)
    assert client.replace_namespaced_lease(NAME, NAMESPACE, lease).spec.holder_identity == "the official client"
    assert acquired(api) == HeldBy("the official client")


def test_the_official_client_gets_the_errors_that_it_expects(api: KubernetesApi) -> None:
    client = client_of(api)
    error = pytest.importorskip("kubernetes").client.ApiException
    acquired(api)
    lease = client.read_namespaced_lease(NAME, NAMESPACE)
    lease.spec.renew_time = lease.spec.acquire_time = datetime(2026, 12, 1, 12, 0, 0, 1, tzinfo=UTC)
    client.replace_namespaced_lease(NAME, NAMESPACE, lease)

    def refused(call: Any, *arguments: object) -> tuple[int, str]:
        with pytest.raises(error) as raised:
            call(*arguments)
        return raised.value.status, json.loads(raised.value.body)["reason"]

    assert refused(client.replace_namespaced_lease, NAME, NAMESPACE, lease) == (409, "Conflict")
    assert refused(client.create_namespaced_lease, NAMESPACE, lease) == (409, "AlreadyExists")
    assert refused(client.read_namespaced_lease, "other", NAMESPACE) == (404, "NotFound")
    assert refused(client.read_namespaced_lease, NAME, "default") == (403, "Forbidden")
    lease.spec.renew_time = datetime(2026, 12, 1, tzinfo=UTC)  # the client writes no fraction
    assert refused(client.replace_namespaced_lease, NAME, NAMESPACE, lease) == (400, "BadRequest")


def kubectl(api: KubernetesApi, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run `kubectl` with the token of the replicas, and `said` on its input."""
    options = ["--server", api.url, "--certificate-authority", str(api.authority), "--token", TOKEN]
    environ = {"PATH": os.environ["PATH"], "HOME": str(api.directory)}
    return subprocess.run(
        [str(KUBECTL), *options, "--namespace", NAMESPACE, *arguments],
        input=said,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
        timeout=60,
    )


@needs_kubectl
def test_kubectl_shows_who_holds_the_lease(api: KubernetesApi) -> None:
    acquired(api)
    shown = kubectl(api, "get", "lease", NAME, "-o", "jsonpath={.spec.holderIdentity} {.spec.leaseDurationSeconds}")

    assert (shown.returncode, shown.stdout) == (0, "one 15"), shown.stderr


@needs_kubectl
def test_kubectl_is_refused_as_the_api_server_refuses_it(api: KubernetesApi) -> None:
    acquired(api)
    create = ("create", "--validate=false", "-f", "-")
    exists = kubectl(api, *create, said=MANIFEST.format(name=NAME, time="2026-12-01T00:00:00.000000Z"))
    wrong = kubectl(api, *create, said=MANIFEST.format(name="other", time="2026-12-01T00:00:00Z"))
    right = kubectl(api, *create, said=MANIFEST.format(name="other", time="2026-12-01T00:00:00.000000Z"))
    older = kubectl(
        api,
        *("replace", "--validate=false", "-f", "-"),
        said=MANIFEST.format(name="other", time="2026-12-01T00:00:00.000000Z").replace(
            "namespace: jobs", 'namespace: jobs, resourceVersion: "1"'
        ),
    )

    assert "(AlreadyExists)" in exists.stderr
    assert "(BadRequest)" in wrong.stderr
    assert right.stdout == "lease.coordination.k8s.io/other created\n", right.stderr
    assert "(Conflict)" in older.stderr
