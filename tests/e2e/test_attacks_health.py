"""Attacks on the health port, by a client that can reach it and through the browser of a user who can."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.conftest import a_checkout
from tests.support.cli import RECONCILE, Checkout
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

DESCRIPTORS = 256
HALF_OPEN = 400
ENDS_WITHIN_S = 25
ANSWERS_WITHIN_S = 10


@dataclass(frozen=True, slots=True)
class Port:
    """The health port of a watch, as a client reaches it."""

    number: int
    host: str = "127.0.0.1"

    def ask(self, path: str = "/metrics", **headers: str) -> tuple[int, str]:
        """Send a GET request, and return the status and the body of the response."""
        connection = HTTPConnection(self.host, self.number, timeout=ANSWERS_WITHIN_S)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def send(self, data: bytes) -> socket.socket:
        """Open a connection, send these bytes, and return the connection."""
        client = socket.create_connection((self.host, self.number), timeout=ANSWERS_WITHIN_S)
        client.sendall(data)
        return client


@contextmanager
def a_watch(checkout: Checkout, *arguments: str) -> Iterator[Port]:
    """Run a watch with a limit on its file descriptors. The body begins once the watch is ready."""
    port = Port(a_free_port())
    limited = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *RECONCILE)
    with watching(checkout, "--listen", f"127.0.0.1:{port.number}", *arguments, program=limited):
        wait_for(lambda: port.ask("/readyz")[0] == 200, "the watch is ready")
        yield port


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> Iterator[Port]:
    checkout = a_checkout(tmp_path_factory.mktemp("watch"), shared_sandbox)
    (job_id,) = shared_sandbox.create(1)
    checkout.want("runaway", job_id, "observed")
    named = ("--listen-names", "metrics.x.example")
    is_older = (
        "--listen-names" not in checkout.run("--help").out
    )  # RECONCILE_COMMAND may name a build without this option
    with a_watch(checkout, *(() if is_older else named)) as port:
        yield port


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """Raise the descriptor limit of this process, which acts as the attacker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_ended(client: socket.socket) -> bool:
    """Return whether the server has closed a connection."""
    client.settimeout(0.01)
    try:
        return client.recv(65_536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_hundreds_of_half_open_connections_do_not_delay_a_cancel_or_a_probe(tmp_path: Path, sandbox: Sandbox) -> None:
    checkout = a_checkout(tmp_path, sandbox)
    (job_id,) = sandbox.create(1)
    with a_watch(checkout) as port, ExitStack() as attack:
        for _ in range(HALF_OPEN):
            with suppress(OSError):
                attack.enter_context(port.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n"))
        checkout.want("runaway", job_id)
        wait_for(lambda: sandbox.cancels(job_id), "the job is cancelled", within_s=ENDS_WITHIN_S)
        health = port.ask("/healthz")

    assert health == (200, "ok\n")


SLOW = {
    "nothing": b"",
    "half a head": b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    "half a body": b"POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nx",
}


@pytest.mark.long
def test_a_client_that_never_finishes_its_request_is_disconnected(port: Port) -> None:
    with ExitStack() as clients:
        left = {what: clients.enter_context(port.send(data)) for what, data in SLOW.items()}

        def drip() -> bool:
            for what, client in list(left.items()):
                with suppress(OSError):
                    client.sendall(b"x" if what != "nothing" else b"")
                if is_ended(client):
                    del left[what]
            return not left

        wait_for(drip, "the server closes every slow connection", within_s=ENDS_WITHIN_S)


def test_endless_request_headers_are_rejected(port: Port) -> None:
    with port.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ") as client:
        with suppress(OSError):
            for _ in range(64):
                client.sendall(b"x" * 4096)
        wait_for(lambda: is_ended(client), "the server closes the connection", within_s=2)


def test_a_connection_serves_one_request(port: Port) -> None:
    with port.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as client:
        wait_for(lambda: is_ended(client), "the server closes the connection after one response", within_s=2)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "x@evil.example"])
def test_a_dns_rebinding_page_cannot_read_the_health_port(port: Port, sandbox: Sandbox, host: str) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/"):
        status, text = port.ask(path, Host=host)

        assert status == 421
        assert sandbox.url not in text
        assert "runaway" not in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "host", ["10.1.2.3:8080", "[fd00::1]:8080", "localhost:8080", "reconcile", "METRICS.x.example."]
)
def test_a_probe_by_ip_address_or_by_an_allowed_name_gets_a_response(port: Port, host: str) -> None:
    assert port.ask("/healthz", Host=host) == (200, "ok\n")
