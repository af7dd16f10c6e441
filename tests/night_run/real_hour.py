"""A real watch for an hour: 5,000 jobs in 8 accounts, with edits, cancels, notifications, faults, scrapes and a page.

The provider is served in this process, and the watch is a process of its own. With `is_remote`, the specs and the
statuses are in a Git remote, as in the image. Otherwise they are in a directory.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from reconciler.sandbox.serving import serve
from tests.benchmarks.world import note
from tests.night_run.provider import Provider
from tests.night_run.samples import Sample, StatusWrites, of_files, of_port, of_process
from tests.night_run.workload import (
    DELETED_AFTER,
    Short,
    account_name,
    fault_at,
    lasting_specs,
    short_jobs,
)
from tests.support.cli import SERVED, Checkout, Process
from tests.support.markdown_table import ROOT
from tests.support.processes import a_free_port
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.webhook_receiver import SECRET

MINUTE_S = 60.0
MEMORY = "memory.jsonl"
"""The file in which the watch records its memory."""
FIRST_PASS_WITHIN_S = 300
LOOSE = ("--max-cancels", "100000", "--max-cancels-absolute", "100000")
SHORTEST_INTERVAL_S = 15
SETTINGS = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {{name: settings}}
spec: {{interval: {seconds:.0f}s}}
"""
OPERATOR = """\
apiVersion: jobs.reconciler/v1
kind: OperatorConfig
spec:
  prices:
    currency: USD
    list:
      - {provider: openai, kind: FineTuningJob, perHour: "3.00"}
  notify:
    - {name: audit, type: webhook, url: {env: HOOK_URL}, secret: {env: HOOK_SECRET}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many jobs there are, for how long the watch runs, and where the specs are.

    With `faster`, each minute of the workload takes `1 / faster` of a minute, and the interval of the watch
    is as much shorter, but not below 15 s.
    With `frames`, the watch also records where its memory was allocated.
    """

    jobs: int
    accounts: int
    minutes: int
    warm_up_minutes: int
    every_s: float
    is_remote: bool
    memory_every_s: float = 60.0
    faster: float = 1.0
    frames: int = 0
    is_collecting: bool = False

    @property
    def minute_s(self) -> float:
        """The length of a minute of the workload."""
        return MINUTE_S / self.faster

    @property
    def kept_statuses(self) -> int:
        """The number of cancels per hour, each of which keeps the status of its deleted spec for an hour."""
        return self.accounts * 60 // 2

    @property
    def lasting(self) -> int:
        """The number of lasting jobs of each account, so that there are `jobs` specs with those of the short jobs."""
        return self.jobs // self.accounts - len([each for each in short_jobs(0, -1) if each.spec(-1)])


@dataclass(slots=True)
class Hour:
    """A run in progress: its provider, its specs, and the samples after the warm-up, with their time in seconds."""

    plan: Plan
    provider: Provider
    checkout: Checkout
    clone: Clone | None
    samples: list[tuple[float, Sample]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """The jobs that ended by themselves, although their specs had requested a cancel minutes before."""

    def write_first(self, url: str) -> None:
        """Write the documents that exist at the start."""
        seconds = max(SHORTEST_INTERVAL_S, self.plan.minute_s)
        self.checkout.write("settings.yaml", SETTINGS.format(seconds=seconds))
        for account in range(self.plan.accounts):
            name = account_name(account)
            self.checkout.write(f"{name}/provider.yaml", SERVED.format(name=name, url=f"{url}/{name}/v1"))
            for spec, text in lasting_specs(account, self.plan.lasting):
                self.checkout.write(f"{name}/{spec}.yaml", text)
        self.write_specs(-1)

    def write_specs(self, minute: int) -> None:
        """Write, edit and delete the specs of the short jobs as of a minute, and push them."""
        for account in range(self.plan.accounts):
            for job in short_jobs(account, minute):
                path = self.checkout.specs / account_name(account) / f"{job.id}.yaml"
                text = job.spec(minute)
                if text is None:
                    path.unlink(missing_ok=True)
                elif not path.exists() or path.read_text(encoding="utf-8") != text:
                    path.write_text(text, encoding="utf-8")
        if self.clone is not None:
            self.clone.commit(f"Minute {minute}")
            self.clone.push()

    def next_minute(self, minute: int) -> None:
        """Let the short jobs of a minute begin, and begin or end faults. Record the cancels that were lost."""
        self.provider.heal()
        if fault := fault_at(minute):
            self.provider.break_account(*fault)
        for account in range(self.plan.accounts):
            self.provider.begin(Short(account, minute))
            old = Short(account, minute - DELETED_AFTER + 1)
            if old.is_to_be_cancelled and old.minute >= 0 and not self.provider.is_cancelled(old):
                self.lost.append(old.id)

    def sample(self, process: Process, address: str, log: Path, writes: StatusWrites, state: Path) -> Sample:
        """Read everything that is measured."""
        return {
            **of_process(process.pid),
            **of_files(state, log, writes),
            **of_port(address),
            "requests": self.provider.requests,
            "notifications": self.provider.notifications,
        }


def arguments(plan: Plan, root: Path, address: str) -> list[str]:
    """Return the command line of the watch."""
    listen = ["--listen", address, "--config", str(root / "operator.yaml"), "--audit", str(root / "audit.jsonl")]
    where = ["--git-url", (root / "remote.git").as_uri(), "--push", "--status-branch", "statuses"]
    return [*listen, *LOOSE, *(where if plan.is_remote else [])]


async def run(plan: Plan, root: Path, record: Path) -> Hour:
    """Run the provider, the workload and the watch, and return the finished run. Each sample goes to `record` too."""
    provider, ready, stop = (
        Provider.with_jobs(plan.accounts, plan.lasting, plan.minute_s),
        asyncio.Queue[str](),
        asyncio.Event(),
    )
    serving = asyncio.create_task(serve(provider.app(), on_ready=ready.put_nowait, stop=stop))
    url = await ready.get()
    clone = a_clone(a_remote(root / "remote.git"), root / "work") if plan.is_remote else None
    trusted = {"RECONCILE_TRUST": f"OPENAI_API_KEY=127.0.0.1:{url.rsplit(':', 1)[1]}", "OPENAI_API_KEY": "sk-night"}
    trusted["PYTHONPATH"] = str(ROOT)  # the watch runs the code of this checkout
    hook = {"HOOK_URL": f"{url}/hook", "HOOK_SECRET": SECRET, "RECONCILE_STATE_DIR": str(root / "state")}
    checkout = Checkout(clone.root if clone else root, {**trusted, **hook})
    hour = Hour(plan, provider, checkout, clone)
    (root / "operator.yaml").write_text(OPERATOR, encoding="utf-8")
    await asyncio.to_thread(hour.write_first, url)
    address = f"127.0.0.1:{a_free_port()}"
    log = root / "watch.log"
    command = [
        sys.executable,
        "-m",
        "tests.night_run.watched",
        str(root / MEMORY),
        str(plan.memory_every_s),
        str(plan.frames),
        str(int(plan.is_collecting)),
    ]
    with log.open("w", encoding="utf-8") as stream:
        process = checkout.start(
            *arguments(plan, root, address), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, program=command
        )
    try:
        await _first_pass(f"http://{address}", process)
        threading.Thread(target=_follow, args=(f"http://{address}/events",), daemon=True).start()
        await _minutes(hour, process, f"http://{address}", log, record)
    finally:
        process.send_signal(signal.SIGTERM)
        note(f"the watch ended with {await asyncio.to_thread(process.wait)}")
        stop.set()
        await serving
    return hour


async def _first_pass(address: str, process: Process) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + FIRST_PASS_WITHIN_S:
        assert process.poll() is None, "the watch has ended: read its log"
        with suppress(OSError):
            await asyncio.to_thread(of_port, address)
            if await asyncio.to_thread(_is_ready, address):
                note(f"ready after {time.monotonic() - begun:.1f} s")
                return
        await asyncio.sleep(0.5)
    msg = f"the watch was not ready within {FIRST_PASS_WITHIN_S} s"
    raise AssertionError(msg)


def _follow(url: str) -> None:
    """Read the events of the page, as an open browser does, until the watch ends."""
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  loopback
            for _ in answer:
                pass
        time.sleep(1)


def _is_ready(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:  # noqa: S310  loopback
        return bool(answer.status == HTTPStatus.OK)


async def _minutes(hour: Hour, process: Process, address: str, log: Path, record: Path) -> None:
    plan, begun = hour.plan, time.monotonic()
    state = Path(hour.checkout.environ["RECONCILE_STATE_DIR"])
    writes = StatusWrites(state / "published" if plan.is_remote else hour.checkout.status_dir)
    next_sample = next_minute = begun
    minute = 0
    end = begun + plan.minutes * plan.minute_s
    with record.open("w", encoding="utf-8") as out:
        while (now := time.monotonic()) < end:
            assert process.poll() is None, f"the watch has ended: read {log}"
            if now >= next_minute:
                hour.next_minute(minute)
                await asyncio.to_thread(hour.write_specs, minute)
                minute, next_minute = minute + 1, next_minute + plan.minute_s
            if now >= next_sample:
                seen = await asyncio.to_thread(hour.sample, process, address, log, writes, state)
                out.write(json.dumps({"s": now - begun, **seen}) + "\n")
                out.flush()
                if now - begun >= plan.warm_up_minutes * plan.minute_s:
                    hour.samples.append((now - begun, seen))
                next_sample += plan.every_s
            await asyncio.sleep(max(0.0, min(next_minute, next_sample, end) - time.monotonic()))
