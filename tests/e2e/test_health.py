"""The health of a watch, read over HTTP and with the verb that a container uses."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from reconciler.model.watch_status import WatchStatus
from reconciler.web.health_server import create_app, serving
from tests.support.build import NOW
from tests.support.cli import Checkout
from tests.support.outage_plugin import OUTAGE_FILE, install
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

ROOT = Path(__file__).parents[2]
WELL = WatchStatus(interval_s=60, heartbeat_at=0, progress_at=0, watched_at=0, finished_at=NOW)


@dataclass(slots=True)
class Asked:
    """A health server whose time and overview the test determines."""

    address: str
    now: float = 0.0
    overview: WatchStatus = WELL

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body."""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=5) as answer:  # noqa: S310  loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_answered(self, status: int) -> bool:
        """Return whether `/healthz` responds with this HTTP status."""
        return self.get("/healthz")[0] == status


@contextmanager
def asked() -> Iterator[Asked]:
    found = Asked("")
    app = create_app(lambda: found.overview, lambda: found.now, lambda: (b"up 1\n", "text/plain"))
    with serving(app, "127.0.0.1", 0) as address:
        found.address = address
        yield found


def test_a_stuck_watch_is_unhealthy_and_healthy_again_once_it_continues() -> None:
    with asked() as server:
        healthy = server.get("/healthz")
        server.now = 120.0
        ill = server.get("/healthz")
        server.overview = WatchStatus(interval_s=60, heartbeat_at=119, progress_at=119, watched_at=119, finished_at=NOW)
        again = server.get("/healthz")

    assert healthy == (200, "ok\n")
    assert ill[0] == 503
    assert ill[1].splitlines()[0] == "the event loop is blocked: nothing has run for 120 s"
    assert again == (200, "ok\n")


def test_unknown_paths_are_404_and_other_methods_than_get_are_rejected() -> None:
    with asked() as server:
        missing = server.get("/admin")
        request = urllib.request.Request(f"{server.address}/healthz", data=b"{}", method="POST")  # noqa: S310  loopback
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)  # noqa: S310  loopback
        caught.value.close()

    assert missing[0] == 404
    assert caught.value.code == 405


def test_a_running_watch_is_healthy_ready_and_has_metrics(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)
    port = a_free_port()
    address = f"http://127.0.0.1:{port}"

    with watching(checkout, "--listen", f"127.0.0.1:{port}"):
        wait_for(
            lambda: (checkout.status_dir / "one.yaml").exists() and checkout.status("one").final,
            "the cancel is confirmed",
        )
        server = Asked(address)
        wait_for(lambda: 'ready="True"' in server.get("/metrics")[1], "the metrics show the job as ready")
        health, ready, metrics = server.get("/healthz"), server.get("/readyz"), server.get("/metrics")
        verb = checkout.run("healthcheck", "--url", f"{address}/healthz")
    gone = checkout.run("healthcheck", "--url", f"{address}/healthz")

    assert (health, ready) == ((200, "ok\n"), (200, "ok\n"))
    assert (
        f'reconcile_provider_requests_total{{code="200",method="POST",provider="openai {sandbox.url}"}} 1.0'
        in (metrics[1])
    )
    assert (verb.code, verb.err) == (0, "")
    assert gone.code == 1
    assert gone.err.startswith(f"reconcile: no valid response from {address}/healthz: ")


def test_healthcheck_reports_a_port_that_does_not_speak_http(checkout: Checkout) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(1) as pool:
        address = f"http://127.0.0.1:{other.getsockname()[1]}/healthz"
        ran = pool.submit(checkout.run, "healthcheck", "--url", address)
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"SSH-2.0-x\r\n")
        result = ran.result()

    assert result.code == 1
    assert result.err.startswith(f"reconcile: no valid response from {address}: SSH-2.0-x; check that ")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104  the command only connects to it
def test_healthcheck_uses_the_watchs_listen_address_and_no_proxy(checkout: Checkout, host: str) -> None:
    with asked() as server:
        port = server.address.rpartition(":")[2]
        nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
        well = checkout.run("healthcheck", RECONCILE_LISTEN=f"{host}:{port}", **nowhere)
        said = checkout.run(
            "healthcheck", RECONCILE_HEALTHCHECK_URL=f"{server.address}/healthz", RECONCILE_LISTEN="a:1"
        )
        wrong = checkout.run("healthcheck", RECONCILE_LISTEN="8080")

    assert (well.code, well.err) == (0, "")
    assert (said.code, said.err) == (0, "")
    assert wrong.code == 64
    assert "'8080' is not an address: write HOST:PORT, such as 127.0.0.1:8080" in wrong.err


def test_labels_that_metrics_cannot_have_are_a_usage_error(checkout: Checkout) -> None:
    ran = checkout.run("--listen", "127.0.0.1:0", "--metrics-labels", "cost-center, cost_center")

    assert ran.code == 64
    assert "two of the labels are both called label_cost_center in metrics: remove one of them" in ran.err


def test_the_error_for_a_port_in_use_is_one_message(checkout: Checkout) -> None:
    with asked() as server:
        listen = server.address.removeprefix("http://")

        ran = checkout.run("--listen", listen)

    assert ran.code == 78
    assert (
        ran.err == f"reconcile: cannot listen on {listen}: Address already in use; pass another address to --listen\n"
    )


def test_every_change_request_of_once_is_in_the_audit_log(checkout: Checkout, sandbox: Sandbox, tmp_path: Path) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id)

    ran = checkout.run("--once", "--wait", "--audit", str(tmp_path / "audit.jsonl"))
    (line,) = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    told = json.loads(line)

    assert ran.code == 0
    assert (told["verb"], told["jobId"], told["file"], told["outcome"]) == ("cancel", job_id, "one.yaml", "accepted")


SETTINGS = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {name: settings}
spec: {interval: 15s}
"""
TWO_INTERVALS_S = 30
OUTAGE_PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: outage}
spec: {type: outage, options: {jobs: [{id: ftjob-one, age: 1h, life: [{phase: running}]}]}}
"""


@dataclass(frozen=True, slots=True)
class Disruption:
    """A cause of an unhealthy watch: how it begins, how it ends, and what `/healthz` reports."""

    begin: Callable[[Checkout], object]
    end: Callable[[Checkout], object]
    told: str


def an_outage(kind: str) -> Callable[[Checkout], object]:
    """Return a change that starts this outage, and makes a poll of its job due."""

    def change(checkout: Checkout) -> None:
        (checkout.root / "outage").write_text(kind, encoding="utf-8")
        checkout.want("one", "ftjob-one", "observed" if kind == "none" else "running", provider="outage")

    return change


DISRUPTIONS = {
    "a blocked loop": Disruption(an_outage("block"), an_outage("none"), "the event loop is blocked: nothing has run"),
    "a hung request": Disruption(
        an_outage("hang"), an_outage("none"), "a request or a pass hangs: it has made no progress"
    ),
    "a dead watcher": Disruption(
        lambda checkout: checkout.specs.rename(checkout.root / "away"),
        lambda checkout: (checkout.root / "away").rename(checkout.specs),
        "the specs are not watched",
    ),
}


@contextmanager
def a_disrupted_watch(root: Path) -> Iterator[tuple[Checkout, Asked]]:
    """Run a watch whose provider can have outages, past its first pass."""
    install(root / "site")
    checkout = Checkout(root, {OUTAGE_FILE: str(root / "outage")}, [root / "site", ROOT])
    checkout.write("settings.yaml", SETTINGS)
    checkout.write("outage.yaml", OUTAGE_PROVIDER)
    an_outage("none")(checkout)
    server = Asked(f"http://127.0.0.1:{a_free_port()}")
    with watching(checkout, "--listen", server.address.removeprefix("http://"), "--status-dir", "statuses"):
        wait_for((checkout.root / "statuses" / "one.yaml").exists, "the first pass writes a status")
        yield checkout, server


@pytest.mark.long
def test_a_failing_watch_is_unhealthy_within_two_intervals_and_recovers(tmp_path: Path) -> None:
    with ExitStack() as stack:
        watches = [
            (stack.enter_context(a_disrupted_watch(tmp_path / name)), each) for name, each in DISRUPTIONS.items()
        ]
        healthy = {server.get("/healthz") for (_, server), _ in watches}
        began = time.monotonic()
        for (checkout, _), disruption in watches:
            disruption.begin(checkout)
        told = []
        for (_, server), _ in watches:
            left_s = began + TWO_INTERVALS_S - time.monotonic()
            wait_for(partial(server.is_answered, 503), "the health port responds with 503", within_s=left_s)
            told.append(server.get("/healthz")[1])
        for (checkout, server), disruption in watches:
            disruption.end(checkout)
            wait_for(
                partial(server.is_answered, 200), "the health port responds with 200 again", within_s=TWO_INTERVALS_S
            )

    assert healthy == {(200, "ok\n")}
    assert [sentence.startswith(each.told) for sentence, each in zip(told, DISRUPTIONS.values(), strict=True)] == [
        True
    ] * 3
