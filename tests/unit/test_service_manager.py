"""What a watch reports to systemd, as a socket of the test receives it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler.model.election import ElectionStatus
from reconciler.model.watch_status import WatchStatus
from reconciler.telemetry.service_manager import ServiceManager
from tests.support.build import NOW

PID = 42
RUNNING = WatchStatus(interval_s=60, heartbeat_at=100, progress_at=100, watched_at=100)


@dataclass(frozen=True, slots=True)
class Systemd:
    """The socket of a service manager."""

    address: str
    socket: socket.socket

    def environ(self, **rest: str) -> dict[str, str]:
        """Return the variables that a service gets."""
        return {"NOTIFY_SOCKET": self.address, **rest}

    def received(self) -> list[str]:
        """Return the datagrams that have arrived, and forget them."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["a path", "an abstract name"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    """Open a socket, by a path or by a name in the abstract namespace."""
    path = str(tmp_path / "notify")
    is_path = request.param == "a path"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(path if is_path else f"\0{path}")
        receiver.settimeout(0)
        yield Systemd(path if is_path else f"@{path}", receiver)


def manager_of(environ: dict[str, str], now: float = 100) -> ServiceManager:
    """Return the service manager of these variables."""
    manager = ServiceManager.of(environ, PID, lambda: now)
    assert manager is not None
    return manager


def test_the_first_heartbeat_reports_that_the_watch_is_ready(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ())
    manager.update(RUNNING)
    manager.update(RUNNING)

    assert systemd.received() == ["READY=1\nSTATUS=the first pass is running"]


def test_each_heartbeat_resets_the_watchdog_while_the_watch_works(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ(WATCHDOG_USEC="60000000", WATCHDOG_PID=str(PID)))
    manager.update(RUNNING)
    manager.update(RUNNING)
    first, second = systemd.received()

    assert "WATCHDOG=1" in first.splitlines()
    assert second == "WATCHDOG=1"


def test_a_watch_that_hangs_does_not_reset_the_watchdog_and_says_why(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ(WATCHDOG_USEC="60000000"), now=300)
    manager.update(replace(RUNNING, heartbeat_at=300, watched_at=300))

    assert systemd.received() == [
        "READY=1\nSTATUS=a request or a pass hangs: it has made no progress for 200 s",
    ]


@pytest.mark.parametrize(
    "variables", [{}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, {"WATCHDOG_USEC": "soon"}]
)
def test_without_a_watchdog_for_this_process_none_is_reset(systemd: Systemd, variables: dict[str, str]) -> None:
    manager_of(systemd.environ(**variables)).update(RUNNING)

    assert "WATCHDOG" not in "".join(systemd.received())


def test_each_pass_updates_the_status_line_and_a_stop_is_reported_once(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ())
    manager.update(RUNNING)
    manager.update(passed := replace(RUNNING, passes=1, finished_at=NOW))
    manager.update(passed)
    manager.update(replace(passed, is_stopping=True))
    manager.update(replace(passed, is_stopping=True))

    assert systemd.received()[1:] == [
        f"STATUS=no jobs (last pass {NOW:%H:%M:%S} UTC)",
        "STOPPING=1\nSTATUS=stopping after the requests in progress",
    ]


def test_a_reload_is_reported_with_its_time_and_its_end(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ(), now=12.5)
    manager.reloading()
    manager.reloaded()

    assert systemd.received() == ["RELOADING=1\nMONOTONIC_USEC=12500000", "READY=1"]


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path"])
def test_an_address_that_is_no_local_socket_is_ignored(address: str) -> None:
    assert ServiceManager.of({"NOTIFY_SOCKET": address}, PID, lambda: 0) is None
    assert ServiceManager.of({}, PID, lambda: 0) is None


def test_a_report_that_cannot_be_sent_is_repeated_with_the_next_heartbeat(tmp_path: Path) -> None:
    manager = manager_of({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.update(RUNNING)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as late:
        late.bind(str(tmp_path / "notify"))
        late.settimeout(0)
        manager.update(RUNNING)

        assert late.recv(4096).startswith(b"READY=1")


def test_a_service_manager_that_reads_nothing_does_not_block_the_watch(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ(WATCHDOG_USEC="60000000"))
    for _ in range(2000):
        manager.update(RUNNING)

    assert len(systemd.received()) < 2000


@pytest.mark.parametrize(("microseconds", "is_warned"), [("3000000", True), ("10000000", False)])
def test_a_watchdog_that_is_too_short_is_reported(microseconds: str, *, is_warned: bool) -> None:
    manager = manager_of({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": microseconds})

    assert (manager.problem() is not None) == is_warned


def test_a_standby_is_ready_for_systemd_and_its_status_line_names_the_leader(systemd: Systemd) -> None:
    manager = manager_of(systemd.environ())
    manager.update(standby := replace(RUNNING, leadership=ElectionStatus("lease:a/b", holder="one")))
    manager.update(standby)
    manager.update(replace(RUNNING, leadership=ElectionStatus("lease:a/b", is_leader=True)))

    assert systemd.received() == [
        "READY=1\nSTATUS=standing by for lease:a/b: one holds the lease",
        "STATUS=the first pass is running",
    ]
