"""A watch over many specs that is ready to be measured, and its costs while it is idle."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.world import ENDS_WITHIN_S, Hosted, Served
from tests.support.cli import Checkout
from tests.support.sandbox_client import wait_for
from tests.support.watch_process import watching

QUIET_S, QUIET_CPU_S = 2.0, 0.1
"""A watch is idle once it has used less than `QUIET_CPU_S` in each of two successive periods of `QUIET_S` seconds."""
LOOSE = ("--max-cancels-absolute", "100000", "--max-cancels", "100000")
"""The options of a guard that allows every change."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An account, the specs of its jobs, and the watch on them."""

    account: Hosted
    served: Served
    checkout: Checkout
    pid: int


@dataclass(frozen=True, slots=True)
class Idle:
    """The costs of an idle watch."""

    core_percent: float
    memory_mib: float
    requests_per_minute: float


@contextmanager
def at_work(served: Served, account: Hosted, checkout: Checkout) -> Iterator[Watched]:
    """Run a watch on the specs of an account until the body ends. The body begins once the watch is idle."""
    last = checkout.status_dir / f"{account.ids[-1]}.yaml"
    with watching(checkout, *LOOSE) as watch:
        wait_for(last.exists, "the first pass writes its last status", within_s=ENDS_WITHIN_S)
        wait_until_settled(watch.process.pid)
        yield Watched(account, served, checkout, watch.process.pid)
        watch.stop()


def wait_until_settled(pid: int) -> None:
    """Wait until a watch is idle."""
    until, quiet = time.monotonic() + ENDS_WITHIN_S, 0
    while quiet < 2 and time.monotonic() < until:
        before = cpu_s(pid)
        time.sleep(QUIET_S)
        quiet = quiet + 1 if cpu_s(pid) - before < QUIET_CPU_S else 0


def idle(watched: Watched, seconds: float, cpu_of: Callable[[int], float] | None = None) -> Idle:
    """Measure a watch for this many seconds in which nothing changes. `cpu_of` returns its CPU; default: `cpu_s`."""
    cpu_of = cpu_of or cpu_s
    cpu, requests = cpu_of(watched.pid), watched.served.arrivals()["requests"]
    time.sleep(seconds)
    used = cpu_of(watched.pid) - cpu
    asked = watched.served.arrivals()["requests"] - requests
    return Idle(100 * used / seconds, memory_kib(watched.pid) / 1024, asked * 60 / seconds)


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process, in KiB, from /proc."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds, from /proc."""
    return sum(_ticks(pid)[:2]) / os.sysconf("SC_CLK_TCK")


def cpu_with_children_s(pid: int) -> float:
    """Return the processor time that a process and its children that have ended have used, in seconds, from /proc."""
    return sum(_ticks(pid)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> list[int]:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return [int(each) for each in fields[11:15]]
