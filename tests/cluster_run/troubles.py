"""The faults of the run, one after another, and how long each shard is without a leader.

Faults: a leader or a standby is killed; a leader is stopped for longer than its lease; etcd is stopped for longer than
the lease, or killed and started again; all replicas are ended and another number of shards is started.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cluster_run.cluster import Cluster, Replica, takes
from tests.cluster_run.verdict import Quiet, Takeover

KILLED, STOPPED, ETCD, RESIZED = "a SIGKILL of the leader", "a SIGSTOP of the leader", "the return of etcd", "a resize"
LEADS_WITHIN_S = 120
WATCHED_S = 5.0
"""How long a replica that was stopped is watched after it continues."""
SLACK_S = 1.0


@dataclass(slots=True)
class Troubles:
    """The faults so far, and what they showed. `note` prints a line."""

    cluster: Cluster
    rng: random.Random
    note: Callable[[str], None]
    quiet: list[Quiet] = field(default_factory=list)
    takeovers: list[Takeover] = field(default_factory=list)

    def run(self, seconds: float, resized: int) -> None:
        """Let faults happen for this long. In the middle, the number of shards becomes `resized`."""
        begun, has_resized, bag = time.monotonic(), False, list[Callable[[], None]]()
        while (passed := time.monotonic() - begun) < seconds:
            if takes(self.cluster.has_leaders, LEADS_WITHIN_S) is None:
                self.takeovers.append(Takeover("a quiet time", time.monotonic(), None))
            if not has_resized and passed >= seconds / 2:
                has_resized = True
                self.resize(resized)
            else:
                bag = bag or self.rng.sample(self._faults(), k=len(self._faults()))
                bag.pop()()
            time.sleep(self.rng.uniform(0, self.cluster.times.retry_s))

    def _faults(self) -> list[Callable[[], None]]:
        often = [self.kill_leader, self.stop_leader] * 2
        return [*often, self.kill_standby, self.stop_etcd, self.restart_etcd]

    def kill_leader(self) -> None:
        """Kill a leader, and start it again once its standby leads."""
        leader = self._some_leader()
        self.note(f"SIGKILL to {leader.name}, which leads")
        at = time.monotonic()
        self.cluster.end(leader, signal.SIGKILL)
        self._takes_over(KILLED, self.cluster.other(leader), at)
        self.cluster.start(leader)

    def stop_leader(self) -> None:
        """Stop a leader until its standby leads, and watch that it sends nothing when it continues."""
        leader = self._some_leader()
        self.note(f"SIGSTOP to {leader.name}, which leads")
        at = time.monotonic()
        leader.signal(signal.SIGSTOP)
        self._takes_over(STOPPED, self.cluster.other(leader), at)
        time.sleep(max(0.0, at + self.cluster.times.lease_s + self.rng.uniform(1, 5) - time.monotonic()))
        self.note(f"SIGCONT to {leader.name}, after {time.monotonic() - at:.1f} s")
        at = time.monotonic()
        leader.signal(signal.SIGCONT)
        time.sleep(WATCHED_S)
        self.quiet.append(Quiet(at, time.monotonic(), "after its SIGCONT", leader.name))

    def kill_standby(self) -> None:
        """Kill a standby, and start it again."""
        standby = self.cluster.other(self._some_leader())
        self.note(f"SIGKILL to {standby.name}, which stands by")
        self.cluster.end(standby, signal.SIGKILL)
        self.cluster.start(standby)

    def stop_etcd(self) -> None:
        """Stop etcd for longer than the lease."""
        self.note("SIGSTOP to etcd")
        at = time.monotonic()
        self.cluster.etcd.signal(signal.SIGSTOP)
        time.sleep(self.cluster.times.lease_s + self.rng.uniform(2, 6))
        self._returns(at, lambda: self.cluster.etcd.signal(signal.SIGCONT))

    def restart_etcd(self) -> None:
        """Kill etcd, and start it again at once, or after the lease could have ended."""
        self.note("SIGKILL to etcd")
        at = time.monotonic()
        self.cluster.etcd.kill()
        time.sleep(self.rng.choice([1, self.cluster.times.lease_s + 3]))
        self._returns(at, self.cluster.etcd.start)

    def resize(self, shards: int) -> None:
        """End all replicas, half of them with SIGKILL, and start the replicas of another number of shards."""
        self.note(f"{self.cluster.shards} shards become {shards}")
        at = time.monotonic()
        for replica in self.cluster.replicas:
            self.cluster.end(replica, signal.SIGKILL if replica.shard % 2 else signal.SIGTERM)
        self.cluster.resize(shards)
        for replica in self.cluster.replicas:
            self.cluster.start(replica)
        leads_s = takes(self.cluster.has_leaders, LEADS_WITHIN_S)
        self.takeovers.append(Takeover(RESIZED, at, None if leads_s is None else time.monotonic() - at))

    def _returns(self, away_at: float, bring_back: Callable[[], None]) -> None:
        """Bring etcd back, after a time in which no replica may have acted for long."""
        back_at = time.monotonic()
        until = away_at + self.cluster.times.renew_s + SLACK_S
        if back_at > until:
            self.quiet.append(Quiet(until, back_at, "after the leaders had to stop, because etcd was away"))
        bring_back()
        self.note(f"etcd is back, after {time.monotonic() - away_at:.1f} s")
        self.takeovers.append(Takeover(ETCD, back_at, takes(self.cluster.has_leaders, LEADS_WITHIN_S)))

    def _some_leader(self) -> Replica:
        found = [self.cluster.leader(shard) for shard in range(1, self.cluster.shards + 1)]
        return self.rng.choice([each for each in found if each is not None])

    def _takes_over(self, fault: str, standby: Replica, at: float) -> None:
        leads_s = takes(lambda: standby.is_leader, LEADS_WITHIN_S)
        self.takeovers.append(Takeover(fault, at, None if leads_s is None else time.monotonic() - at, standby.name))
