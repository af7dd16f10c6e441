"""How a watch ends: it finishes the current work, starts no new work, and ends at once at a second signal."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from reconciler.model.reason import Reason
from reconciler.model.status import Outcome
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.e2e.conftest import KEY, a_checkout
from tests.support.cli import Checkout
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.sandbox_server import serve
from tests.support.watch_process import ENDS_WITHIN_S, WatchProcess, watching

SIGNAL_IN_A_CALLBACK = """
import signal, sys, weakref

class Lock: pass

def send(event, args):
    if event == "import" and not sent and args[0] == MODULE:
        sent.append(args)
        lock = Lock()
        sent.append(weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT)))
        del lock

sent = []
MODULE = "{module}"
sys.addaudithook(send)
"""
"""A startup script that sends a signal during a callback of an import. Exceptions in that callback are dropped."""


@dataclass(frozen=True, slots=True)
class HoldingSandbox:
    """A sandbox that sends its slow responses only once they are released, whatever their delay is."""

    sandbox: Sandbox
    released: Event

    def stop(self, watch: WatchProcess) -> int:
        """Stop a watch, release the responses once it is stopping, and return its exit code."""
        watch.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in watch.said(), "the watch logs that it is stopping")
        self.released.set()
        return watch.process.wait(timeout=ENDS_WITHIN_S)


@pytest.fixture
def holding() -> Iterator[HoldingSandbox]:
    released = Event()

    async def hold(_delay_s: float) -> None:
        await asyncio.to_thread(released.wait)

    world = World(SandboxOptions(), datetime.now(UTC))
    with serve(create_app(world, lambda: datetime.now(UTC), api_key=KEY, sleep=hold)) as url:
        try:
            yield HoldingSandbox(Sandbox(url, KEY), released)
        finally:
            released.set()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("module", ["click", "reconciler.wiring"])
@pytest.mark.parametrize("words", [(), ("--once",), ("get",)])
def test_a_signal_during_an_import_is_handled(
    checkout: Checkout, tmp_path: Path, words: tuple[str, ...], module: str
) -> None:
    script = SIGNAL_IN_A_CALLBACK.replace("{module}", module)
    (tmp_path / "sitecustomize.py").write_text(script, encoding="utf-8")
    checkout.write("one.yaml", "")

    with checkout.start(*words, PYTHONPATH=str(tmp_path)) as process:
        try:
            code = process.wait(timeout=20)
        finally:
            process.kill()

    assert code == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_watch_stops_at_once_with_exit_code_0(checkout: Checkout, sandbox: Sandbox, number: int) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")

    with watching(checkout) as watch:
        wait_for((checkout.status_dir / "one.yaml").exists, "the first pass writes a status")
        code = watch.stop(number)
        said = watch.said()

    assert code == 0
    assert said.splitlines()[-1].endswith('"message": "stopped"}')


def test_a_stop_finishes_a_sent_request_and_sends_no_waiting_one(tmp_path: Path, holding: HoldingSandbox) -> None:
    sandbox = holding.sandbox
    checkout = a_checkout(tmp_path, sandbox)
    checkout.name_provider(concurrency=1)
    ids = sandbox.create(3)
    sandbox.break_with({"fault": "slow", "on": "cancel", "for": "1s"})
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number}", job_id)

    with watching(checkout) as watch:
        wait_for(lambda: sandbox.cancels(*ids), "the first cancel arrives")
        code = holding.stop(watch)
    asked = sandbox.cancels(*ids)
    again = checkout.run("--once", "--wait")
    statuses = [checkout.status(f"job-{number}") for number in range(3)]

    assert code == 0
    assert len(asked) == 1
    assert again.code == 0
    assert [each.receipts[0].outcome for each in statuses] == [Outcome.CANCELLED] * 3
    assert sorted(sandbox.cancels(*ids)) == sorted(ids)


def test_a_stop_does_not_report_waiting_observations_as_an_outage(tmp_path: Path, holding: HoldingSandbox) -> None:
    sandbox = holding.sandbox
    checkout = a_checkout(tmp_path, sandbox)
    checkout.name_provider(concurrency=1)
    ids = sandbox.create(3)
    sandbox.break_with({"fault": "slow", "on": "retrieve", "for": "1s"})
    for number, job_id in enumerate(ids):
        checkout.want(f"job-{number}", job_id, "observed")

    with watching(checkout) as watch:
        wait_for(lambda: "retrieve" in {each["verb"] for each in sandbox.requests()}, "the first job is retrieved")
        code = holding.stop(watch)
        said = watch.said()

    assert code == 0
    assert Reason.CANNOT_OBSERVE_PROVIDER not in said
    assert not (checkout.status_dir / "_providers").exists()


def test_a_second_signal_ends_a_watch_at_once(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "on": "cancel", "job": job_id, "for": "20s"})
    checkout.want("one", job_id)

    with watching(checkout) as watch:
        wait_for(lambda: sandbox.cancels(job_id), "the cancel arrives")
        watch.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in watch.said(), "the watch logs that it is stopping")
        begun = time.monotonic()
        code = watch.stop()
        took_s = time.monotonic() - begun

    assert code == -signal.SIGTERM
    assert took_s < 5
