"""The environment of the benchmarks: a sandbox server in its own thread, and specs that name its jobs.

The server is in the measuring process, so that the arrival of a request is measured with the same clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.sandbox_server import serve
from tests.support.watch_process import WatchProcess, watching

SETTLES_S = 2
"""What the first pass still has to do once it has written every status: a line of log for each, among others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A served world with specs for its jobs."""

    world: World
    sandbox: Sandbox
    checkout: Checkout
    ids: tuple[str, ...]

    def cancelled_at(self, job_id: str) -> datetime:
        """Return when the POST that cancels a job arrived."""
        return next(each.at for each in self.world.requests if each.verb == "cancel" and each.job_id == job_id)


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


@contextmanager
def measured(root: Path, running: int, finished: int = 0) -> Iterator[Measured]:
    """Serve so many jobs, each with a spec of its own that only observes it. Nothing happens to them by itself."""
    ids = [f"ftjob-{number:05}" for number in range(running)]
    done = [f"ftjob-done{number:05}" for number in range(finished)]
    jobs = [{"id": job_id, "age": "5h", "life": [{"phase": "running"}]} for job_id in ids]
    jobs += [{"id": job_id, "age": "5h", "life": [{"phase": "succeeded"}]} for job_id in done]
    world = World(SandboxOptions.model_validate({"jobs": jobs}), now())
    with serve(create_app(world, now)) as url:
        sandbox = Sandbox(url)
        ids += done
        checkout = Checkout(root, sandbox.environ)
        checkout.name_provider()
        for number, job_id in enumerate(ids):
            checkout.want(f"job-{number:05}", job_id, "observed")
        yield Measured(world, sandbox, checkout, tuple(ids))


@contextmanager
def at_work(there: Measured) -> Iterator[WatchProcess]:
    """Run a watch on them until the body ends, past its first pass."""
    root = there.checkout.root
    loose = ("--max-cancels-absolute", "100000", "--max-cancels", "100000", "--state-dir", str(root / "state"))
    last = there.checkout.status_dir / f"job-{len(there.ids) - 1:05}.yaml"
    with watching(there.checkout, *loose) as watch:
        wait_for(last.exists, "the first pass writes its last status", within_s=300)
        time.sleep(SETTLES_S)
        yield watch
        watch.stop()


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process, from /proc."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
