"""The image as the pods of each overlay and of the chart start it: see `.ci/lanes/image`.

Each pod gets the variables, the arguments, the user and the mounts of the rendered manifest. Three values are replaced,
because they name places that a test does not have: the Git remote, the host of the provider, and the port.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.containers import Container, Image, contained, unpacked
from tests.support.git_daemon import git_daemon
from tests.support.kubernetes_api import KubernetesApi, serving_kubernetes
from tests.support.manifests import HELM, KUBECTL, SETTINGS, Objects, kustomized, rendered
from tests.support.pods import Pod, pods_of
from tests.support.processes import a_free_port
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for

IMAGE = os.environ.get("RECONCILE_IMAGE")
SECRETS = "/run/secrets/reconcile"
SERVICE_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
STARTS_WITHIN_S = 120
OVERLAYS = [None, "namespace", *SETTINGS]

pytestmark = pytest.mark.skipif(
    IMAGE is None or HELM is None or KUBECTL is None, reason="no image, helm or kubectl: .ci/lanes/image has them"
)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with unpacked(str(IMAGE)) as image:
        yield image


@dataclass(frozen=True, slots=True)
class Running:
    """A pod that was started, and the address of its port."""

    pod: Pod
    container: Container
    address: str

    def answers(self, path: str) -> int:
        """Return the status of a response of the port; 0 if nothing listens there."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def passes(self, *probes: str) -> bool:
        """Return whether these probes succeed now."""
        return all(self.answers(self.pod.path_of(each)) == 200 for each in probes)

    def metric(self, name: str) -> list[str]:
        """Return the lines of a metric."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as answer:
            return [line for line in answer.read().decode().splitlines() if line.startswith(name)]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the pods of a test use."""

    root: Path
    sandbox: Sandbox
    job_id: str
    remote: str
    secrets: Path
    kubernetes: KubernetesApi
    image: Image
    stack: ExitStack

    def start(self, found: Objects) -> list[Running]:
        """Start each pod of the manifests."""
        return [self._start(pod) for pod in pods_of(found)]

    def _start(self, pod: Pod) -> Running:
        listen = pod.environ["RECONCILE_LISTEN"]
        address = f"127.0.0.1:{a_free_port()}"
        api = urlsplit(self.kubernetes.url)
        trust = pod.environ["RECONCILE_TRUST"].replace("api.openai.com", urlsplit(self.sandbox.url).netloc)
        environ = {
            **pod.environ,
            "RECONCILE_GIT_URL": self.remote,
            "RECONCILE_LISTEN": address,
            "RECONCILE_TRUST": trust,
            "KUBERNETES_SERVICE_HOST": str(api.hostname),
            "KUBERNETES_SERVICE_PORT": str(api.port),
        }
        mounts = {path: self.secrets for path, kind in pod.mounts.items() if kind == "secret"}
        if pod.spec["automountServiceAccountToken"]:
            mounts[SERVICE_ACCOUNT] = self.kubernetes.service_account
        (port,) = pod.container["ports"]
        assert listen.endswith(f":{port['containerPort']}")
        assert pod.user == self.image.user()
        assert {path for path, kind in pod.mounts.items() if kind == "state"} == set(self.image.config["Volumes"])
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        bundle = self.root / pod.name
        bundle.mkdir()
        started = contained(self.image, bundle, pod.arguments, environ, mounts, hostname=pod.name)
        return Running(pod, self.stack.enter_context(started), address)


@pytest.fixture
def cluster(image: Image, tmp_path: Path) -> Iterator[Cluster]:
    remote = a_remote(tmp_path / "remotes" / "specs.git")
    clone = a_clone(remote, tmp_path / "ada")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    with ExitStack() as stack:
        sandbox = Sandbox(stack.enter_context(started_sandbox(tmp_path, "--port", "0")))
        (secrets / "openai-key").write_text(sandbox.key, encoding="utf-8")
        (secrets / "git-token").write_text("not asked for", encoding="utf-8")
        kubernetes = stack.enter_context(serving_kubernetes(tmp_path / "kubernetes"))
        (job_id,) = sandbox.create(1)
        written = Checkout(clone.root)
        written.name_provider(more=f"baseUrl: {sandbox.url}\n  credentials: {{file: {SECRETS}/openai-key}}")
        written.want("runaway", job_id)
        clone.commit("Stop the runaway")
        clone.push()
        address = stack.enter_context(git_daemon(remote.parent))
        yield Cluster(tmp_path, sandbox, job_id, f"{address}/specs.git", secrets, kubernetes, image, stack)


def check(cluster: Cluster, found: Objects) -> list[Running]:
    """Start the pods, and check that each probe succeeds, that the job is cancelled once, and that they stop."""
    pods = cluster.start(found)
    for each in pods:
        wait_for(partial(each.passes, "startupProbe"), f"{each.pod.name} has started", STARTS_WITHIN_S)
        ready = partial(each.passes, "livenessProbe", "readinessProbe")
        wait_for(ready, f"{each.pod.name} is live and ready", STARTS_WITHIN_S)
    wait_for(lambda: cluster.sandbox.phase(cluster.job_id) == "cancelled", "the job is cancelled", STARTS_WITHIN_S)
    return pods


def stop(cluster: Cluster, pods: list[Running]) -> None:
    codes = [each.container.stop() for each in pods]

    assert codes == [0] * len(pods), [each.container.said() for each in pods]
    assert cluster.sandbox.cancels(cluster.job_id) == [cluster.job_id]


@pytest.mark.parametrize("component", OVERLAYS)
def test_the_pods_of_each_overlay_become_ready_and_manage_jobs(
    cluster: Cluster, component: str | None, tmp_path: Path
) -> None:
    stop(cluster, check(cluster, kustomized(tmp_path, *([component] if component else []))))


def test_one_pod_of_the_chart_leads_and_the_other_stands_by(cluster: Cluster, tmp_path: Path) -> None:
    pods = check(cluster, rendered(tmp_path, SETTINGS["standby"]))

    def leads() -> list[str]:
        return sorted(line.rpartition(" ")[2] for each in pods for line in each.metric("reconcile_is_leader"))

    wait_for(lambda: leads() == ["0.0", "1.0"], "one pod leads, and the other knows it", STARTS_WITHIN_S)
    wait_for(
        lambda: sorted(each.answers("/readyz") for each in pods) == [200, 503],
        "only the leader is ready",
        STARTS_WITHIN_S,
    )
    stop(cluster, pods)


def test_each_pod_of_the_chart_has_a_shard(cluster: Cluster, tmp_path: Path) -> None:
    pods = check(cluster, rendered(tmp_path, SETTINGS["shards"]))
    shards = [each.metric("reconcile_shards") for each in pods]
    stop(cluster, pods)

    assert shards == [[f'reconcile_shards{{shard="{index}"}} 3.0'] for index in (1, 2, 3)]
