"""Replicas as processes that elect their leader with a lease in Kubernetes, at the strict server of the tests.

Each replica finds the files of its service account where a pod has them, in its own mount namespace. That needs root.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.cli import RECONCILE, started_sandbox
from tests.support.kubernetes_api import KubernetesApi, serving_kubernetes
from tests.support.replicas import Replica, Team, a_team, leader_of
from tests.support.sandbox_client import Sandbox, wait_for

UNSHARE = ("unshare", "--mount", "--propagation", "private")
MOUNT = (
    "mount -t tmpfs none /run; mkdir -p /run/secrets/kubernetes.io; "
    'ln -s "$1" /run/secrets/kubernetes.io/serviceaccount; shift; exec "$@"'
)
TIMES = ("--leader-elect-lease-duration", "4s", "--leader-elect-renew-deadline", "3s")
LEASE = "lease:jobs/reconcile"


@dataclass(frozen=True, slots=True)
class Pods:
    """Two replicas, and what they use."""

    api: KubernetesApi
    team: Team
    both: tuple[Replica, Replica]


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    if subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, check=False).returncode:
        pytest.skip("only root can mount the files of a service account")
    with (
        serving_kubernetes(tmp_path / "kubernetes") as api,
        started_sandbox(tmp_path, "--port", "0") as url,
        a_team(tmp_path, Sandbox(url)) as team,
    ):
        program = (*UNSHARE, "sh", "-euc", MOUNT, "sh", str(api.service_account), *RECONCILE)
        address = urlsplit(api.url)
        environ = {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}
        options = ("--leader-elect", LEASE, *TIMES, "--leader-elect-retry-period", "1s")
        both = [team.start(name, *options, program=program, **environ) for name in ("a", "b")]
        yield Pods(api, team, (both[0], both[1]))


def test_a_standby_takes_over_and_says_why_while_it_may_not_use_the_lease(pods: Pods) -> None:
    leader = leader_of(*pods.both)
    (standby,) = (each for each in pods.both if each is not leader)
    holder = pods.api.leases["reconcile"]["spec"]["holderIdentity"]
    waits = f"standing by for {LEASE}: {holder} holds the lease\n"
    wait_for(lambda: standby.get("/readyz") == (503, waits), "the standby waits", 30)
    ids = pods.team.want("one")
    wait_for(lambda: pods.team.is_cancelled(*ids), "the leader cancels", 60)

    leader.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: standby.is_leader, "the standby leads", 60)
    pods.api.set_token("the-next-token-of-the-replicas")
    ids += pods.team.want("two")
    wait_for(lambda: pods.team.is_cancelled(*ids), "the standby cancels", 60)
    leader.process.send_signal(signal.SIGCONT)
    wait_for(lambda: not leader.is_leader, "the stopped one stands by", 30)

    pods.api.verbs.discard("update")
    wait_for(lambda: not any(each.is_leader for each in pods.both), "nobody leads", 30)
    refused = "Kubernetes refused to update the lease reconcile: HTTP 403"
    wait_for(lambda: any(refused in each.get("/readyz")[1] for each in pods.both), "it says why", 30)
    pods.api.verbs.add("update")
    last = leader_of(*pods.both)
    ids += pods.team.want("three")
    wait_for(lambda: pods.team.is_cancelled(*ids), "the leader cancels", 60)
    last.process.send_signal(signal.SIGTERM)
    assert last.process.wait(timeout=30) == 0
    wait_for(lambda: any(each.is_leader for each in pods.both if each is not last), "the other one leads", 30)

    assert sorted(pods.team.sandbox.cancels(*ids)) == sorted(ids)
    assert pods.api.leases["reconcile"]["spec"]["leaseTransitions"] >= 2
