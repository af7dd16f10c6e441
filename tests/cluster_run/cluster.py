"""The processes of the run: for each shard two replicas, which elect their leader with a lease in etcd."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cli import LOOSE, Checkout, Process
from tests.support.etcd import Etcd

BRANCH = "statuses"
PER_SHARD = 2
ENDS_WITHIN_S = 60
LOOK_S = 0.05
LEADS, LEADS_NO_MORE, STANDS_BY = '"leading, with ', '"no longer leading: ', '"standing by for '


@dataclass(frozen=True, slots=True)
class Times:
    """The times of the elections, in whole seconds."""

    lease_s: int = 15
    renew_s: int = 10
    retry_s: int = 2

    @property
    def options(self) -> Sequence[str]:
        """The options that set them."""
        return (
            *("--leader-elect-lease-duration", f"{self.lease_s}s"),
            *("--leader-elect-renew-deadline", f"{self.renew_s}s"),
            *("--leader-elect-retry-period", f"{self.retry_s}s"),
        )


@dataclass(slots=True)
class Replica:
    """One replica of a shard. It keeps its name and its state directory when its process is started again."""

    shard: int
    letter: str
    root: Path
    process: Process | None = None
    starts: int = 0

    @property
    def name(self) -> str:
        """The name, which is also the key that the replica sends to the provider."""
        return f"{self.shard}{self.letter}"

    @property
    def log(self) -> Path:
        """The log of the present process."""
        return self.root / f"log-{self.starts}.jsonl"

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_leader(self) -> bool:
        """Whether the last line about the election says that the replica leads."""
        if not self.is_running:
            return False
        text = self.log.read_text(encoding="utf-8")
        return text.rfind(LEADS) > max(text.rfind(LEADS_NO_MORE), text.rfind(STANDS_BY))

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        self.process.send_signal(number)


@dataclass(slots=True)
class Cluster:
    """The replicas of all shards, and what each needs to start."""

    root: Path
    remote: Path
    environ: dict[str, str]
    etcd: Etcd
    times: Times
    stack: ExitStack
    shards: int = 0
    replicas: list[Replica] = field(default_factory=list)

    def resize(self, shards: int) -> None:
        """Set the number of shards. Replicas with the same name keep their state directories. Starts no process."""
        known = {each.name: each for each in self.replicas}
        made = [
            Replica(shard, letter, self.root / f"{shard}{letter}") for shard in range(1, shards + 1) for letter in "ab"
        ]
        self.replicas, self.shards = [known.get(each.name, each) for each in made], shards

    def start(self, replica: Replica) -> None:
        """Start the process of a replica."""
        replica.starts += 1
        replica.root.mkdir(exist_ok=True)
        runner = Checkout(replica.root, {**self.environ, "OPENAI_API_KEY": replica.name})
        log = self.stack.enter_context(replica.log.open("w", encoding="utf-8"))
        replica.process = runner.start(
            *("--git-url", self.remote.as_uri(), "--git-poll", "2s", "--push", "--status-branch", BRANCH),
            *("--state-dir", str(replica.root / "state"), "--shard", f"{replica.shard}/{self.shards}"),
            *("--leader-elect", f"etcd:{self.etcd.url}/reconcile/shard-{replica.shard}", *self.times.options, *LOOSE),
            stdin=None,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        self.stack.callback(replica.process.kill)

    def end(self, replica: Replica, number: signal.Signals) -> None:
        """End the process of a replica with a signal, and wait until it has ended."""
        replica.signal(number)
        assert replica.process is not None
        replica.process.wait(timeout=ENDS_WITHIN_S)

    def leader(self, shard: int) -> Replica | None:
        """Return the leader of a shard, or None if none or more than one is known to lead."""
        found = [each for each in self.replicas if each.shard == shard and each.is_leader]
        return found[0] if len(found) == 1 else None

    def other(self, replica: Replica) -> Replica:
        """Return the other replica of the same shard."""
        (found,) = (each for each in self.replicas if each.shard == replica.shard and each is not replica)
        return found

    def has_leaders(self) -> bool:
        """Return whether each shard has one leader."""
        return all(self.leader(shard) is not None for shard in range(1, self.shards + 1))


def takes(condition: Callable[[], object], within_s: float) -> float | None:
    """Wait for a condition. Return how long that took, in seconds, or None if it took longer than `within_s`."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() > begun + within_s:
            return None
        time.sleep(LOOK_S)
    return time.monotonic() - begun
