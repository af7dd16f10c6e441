"""Replicas as processes that elect their leader in a real etcd: kills, stops, and an etcd that goes away."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import Checkout, started_sandbox
from tests.support.etcd import Etcd, needs_etcd, running_etcd
from tests.support.plugins import install
from tests.support.replicas import Replica, Team, a_team, leader_of, started_replica
from tests.support.sandbox_client import Sandbox, wait_for

LEASE_S, RENEW_S, RETRY_S = 4, 3, 1
SLACK_S = 3
"""How much longer than its times an election may take on a busy machine, including etcd's delay of half a second."""
TIMES = (
    *("--leader-elect-lease-duration", f"{LEASE_S}s"),
    *("--leader-elect-renew-deadline", f"{RENEW_S}s"),
    *("--leader-elect-retry-period", f"{RETRY_S}s"),
)
SLOW = """
import time
from contextlib import asynccontextmanager
from pathlib import Path
from reconciler.plugin import Accepted, JobPage, ObservedJob, Phase


class Jobs:
    def observed(self, job_id):
        if not Path("blocked").exists():
            Path("blocked").touch()
            time.sleep(SECONDS)
            Path("done").touch()
        return ObservedJob(id=job_id, phase=Phase.RUNNING, provider_status="running")

    async def list_page(self, query, cursor):
        return JobPage((self.observed("job-one"),), None)

    async def get_job(self, ref):
        return self.observed(ref.id)

    async def cancel_job(self, ref):
        return Accepted()


class Slow(type(TYPE)):
    @asynccontextmanager
    async def open(self, config, transport, credentials):
        yield Jobs()


TYPE = Slow(**{name: getattr(TYPE, name) for name in TYPE.__dataclass_fields__})
"""
"""A provider type that blocks the event loop of the watch when it is first used."""

pytestmark = needs_etcd


@dataclass(frozen=True, slots=True)
class Pair:
    """A leader, its standby, and what they use."""

    etcd: Etcd
    team: Team
    leader: Replica
    standby: Replica


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with (
        running_etcd(tmp_path / "etcd") as etcd,
        started_sandbox(tmp_path, "--port", "0") as url,
        a_team(tmp_path, Sandbox(url)) as team,
    ):
        options = ("--leader-elect", f"etcd:{etcd.url}/reconcile/leader", *TIMES)
        both = [team.start(name, *options) for name in ("a", "b")]
        leader = leader_of(*both)
        (standby,) = (each for each in both if each is not leader)
        yield Pair(etcd, team, leader, standby)


def takes(condition: Callable[[], object], what: str) -> float:
    """Wait for a condition, and return how long that took, in seconds."""
    begun = time.monotonic()
    wait_for(condition, what, 60)
    return time.monotonic() - begun


def test_a_standby_is_healthy_not_ready_and_takes_over_from_a_killed_leader(pair: Pair) -> None:
    wait_for(lambda: pair.leader.get("/readyz") == (200, "ok\n"), "the leader is ready", 30)
    code, why = pair.standby.get("/readyz")
    assert code == 503
    assert why.startswith("standing by for etcd:http://127.0.0.1:")
    assert why.endswith(" holds the lease\n")
    assert pair.standby.get("/healthz") == (200, "ok\n")
    assert "Standing by for etcd" in pair.standby.get("/")[1]
    assert not any(line.startswith("reconcile_provider_requests") for line in pair.standby.lines())

    ids = pair.team.want("one", "two")
    wait_for(lambda: pair.team.is_cancelled(*ids), "the leader cancels", 60)
    pair.leader.process.send_signal(signal.SIGKILL)
    assert takes(lambda: pair.standby.is_leader, "the standby leads") <= LEASE_S + 1.2 * RETRY_S + SLACK_S
    ids += pair.team.want("three")
    wait_for(lambda: pair.team.is_cancelled(*ids), "the standby cancels", 60)

    assert sorted(pair.team.sandbox.cancels(*ids)) == sorted(ids)


def test_a_leader_that_was_stopped_for_longer_than_its_lease_repeats_no_request(pair: Pair) -> None:
    ids = pair.team.want("one")
    wait_for(lambda: pair.team.sandbox.cancels(*ids), "the leader sends the first request", 60)
    pair.leader.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: pair.standby.is_leader, "the standby leads", 60)
    ids += pair.team.want("two", "three")
    wait_for(lambda: pair.team.is_cancelled(*ids), "the standby cancels", 60)
    pair.leader.process.send_signal(signal.SIGCONT)
    wait_for(lambda: pair.leader.get("/readyz")[1].endswith(" holds the lease\n"), "it stands by", 30)
    ids += pair.team.want("four")
    wait_for(lambda: pair.team.is_cancelled(*ids), "the standby cancels", 60)

    assert any(each.startswith("no longer leading: the lease was not renewed") for each in pair.leader.said())
    assert not pair.leader.is_leader
    assert sorted(pair.team.sandbox.cancels(*ids)) == sorted(ids)


def test_a_leader_whose_plug_in_blocks_for_longer_than_the_lease_lasts_stays_the_leader(tmp_path: Path) -> None:
    install(tmp_path / "site", "slow", None, "https://slow.example")
    module = tmp_path / "site" / "of_slow.py"
    slow = SLOW.replace("SECONDS", str(2 * LEASE_S))
    module.write_text(module.read_text(encoding="utf-8") + slow, encoding="utf-8")
    with running_etcd(tmp_path / "etcd") as etcd, ExitStack() as stack:
        checkout = Checkout(tmp_path, plugins=[tmp_path / "site"])
        checkout.want("one", "job-one", "observed", provider="slow")
        options = ("--leader-elect", f"etcd:{etcd.url}/reconcile/leader", *TIMES)
        shared = ("--state-dir", str(tmp_path / "state"), "--status-dir", str(tmp_path / "statuses"))
        leader = started_replica(checkout, "a", stack, *options, *shared)
        wait_for((tmp_path / "blocked").exists, "the leader is blocked", 60)
        standby = started_replica(checkout, "b", stack, *options, *shared)
        assert takes((tmp_path / "done").exists, "the leader continues") > LEASE_S
        assert [each.is_leader for each in (leader, standby)] == [True, False]
        wait_for((tmp_path / "statuses" / "one.yaml").exists, "the leader has observed the job", 30)
        assert [each for each in leader.said() + standby.said() if each.startswith("no longer leading")] == []


def test_a_leader_that_stops_releases_its_lease(pair: Pair) -> None:
    pair.leader.process.send_signal(signal.SIGTERM)
    assert takes(lambda: pair.standby.is_leader, "the standby leads") <= 1.2 * RETRY_S + SLACK_S
    assert pair.leader.process.wait(timeout=30) == 0
    assert pair.leader.said()[-1] == "stopped"


def test_while_etcd_is_away_nobody_acts_and_then_one_replica_goes_on(pair: Pair) -> None:
    pair.etcd.signal(signal.SIGSTOP)
    both = (pair.leader, pair.standby)
    assert takes(lambda: not any(each.is_leader for each in both), "nobody leads") <= RENEW_S + SLACK_S
    ids = pair.team.want("one")
    time.sleep(LEASE_S)
    assert pair.team.sandbox.cancels(*ids) == []
    assert all("the lease cannot be acquired: no complete response" in each.get("/readyz")[1] for each in both)
    assert [each.get("/healthz") for each in both] == [(200, "ok\n")] * 2
    pair.etcd.signal(signal.SIGCONT)
    leader_of(*both)
    wait_for(lambda: pair.team.is_cancelled(*ids), "the leader cancels", 60)
    pair.etcd.kill()
    wait_for(lambda: not any(each.is_leader for each in both), "nobody leads", 30)
    pair.etcd.start()
    leader_of(*both)
    ids += pair.team.want("two")
    wait_for(lambda: pair.team.is_cancelled(*ids), "the leader cancels", 60)

    assert sorted(pair.team.sandbox.cancels(*ids)) == sorted(ids)


def test_on_a_shared_volume_a_new_leader_waits_for_the_lock_of_a_stopped_one(tmp_path: Path) -> None:
    """The lock of the state directory belongs to the stopped process, so nobody else may change the statuses."""
    with running_etcd(tmp_path / "etcd") as etcd, started_sandbox(tmp_path, "--port", "0") as url, ExitStack() as stack:
        checkout = Checkout(tmp_path, Sandbox(url).environ)
        checkout.name_provider()
        shared = ("--state-dir", str(tmp_path / "state"), "--status-dir", str(tmp_path / "statuses"))
        options = ("--leader-elect", f"etcd:{etcd.url}/reconcile/leader", *TIMES, *shared)
        one, two = (started_replica(checkout, name, stack, *options) for name in ("a", "b"))
        leader = leader_of(one, two)
        standby = one if leader is two else two
        wait_for(lambda: leader.get("/readyz")[0] == 200, "the leader holds the lock", 30)
        leader.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: any("is held by process" in each for each in standby.said()), "the lock is held", 60)
        (job_id,) = Sandbox(url).create(1)
        checkout.want("one", job_id)
        time.sleep(RETRY_S)
        assert Sandbox(url).cancels(job_id) == []
        leader.process.send_signal(signal.SIGCONT)
        wait_for(lambda: Sandbox(url).phase(job_id) == "cancelled", "the new leader cancels", 60)
        assert standby.is_leader
        assert Sandbox(url).cancels(job_id) == [job_id]
