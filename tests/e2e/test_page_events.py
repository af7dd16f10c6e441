"""The stream of events of the page: what it tells, and that streams take nothing from probes or from a stop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

import pytest

from reconciler.web.connections import CONNECTIONS_MAX, STREAMS_MAX
from tests.support.cli import Checkout
from tests.support.page_scene import OUTAGE, PageScene, a_page, a_refused_job, a_watch, calm
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

VERSION_7 = "1-7-000-0"
ANSWERS_WITHIN_S = 10


@dataclass(slots=True)
class Stream:
    """An open stream of events."""

    connection: HTTPConnection
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    reader: Any = None

    def open(self, path: str, headers: dict[str, str]) -> None:
        """Send the request, and read the head of the response."""
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        self.status, self.reader = response.status, response
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    def line(self) -> str:
        """Return the next line that is not empty. An empty text is the end of the stream."""
        while (line := self.reader.readline().decode()) == "\n":
            pass
        return str(line).rstrip("\n")

    def change(self) -> dict[str, Any]:
        """Return the content of the next event about a change, and skip all other lines."""
        while not (line := self.line()).startswith("data: "):
            assert line, "the stream ended"
        return dict(json.loads(line.removeprefix("data: ")))


@contextmanager
def streaming(address: str, path: str = "/events", **headers: str) -> Iterator[Stream]:
    stream = Stream(HTTPConnection(address.removeprefix("http://"), timeout=ANSWERS_WITHIN_S))
    try:
        stream.open(path, headers)
        yield stream
    finally:
        stream.connection.close()
        stream.reader.close()


def ask(address: str, path: str) -> int:
    with streaming(address, path) as answer:
        return answer.status


def open_streams(address: str) -> int:
    """Return the number of streams that others have open, by how many more the server accepts."""
    with ExitStack() as stack:
        for number in range(STREAMS_MAX + 1):
            if stack.enter_context(streaming(address)).status != HTTPStatus.OK:
                return STREAMS_MAX - number
    msg = "the server accepts more streams than its limit"
    raise AssertionError(msg)


def change_one(scene: PageScene, passes: int) -> None:
    """Let the guard refuse a change of one job."""
    rows = [a_refused_job(row.name) if row.name == "support-triage-03" else row for row in scene.watch.report.rows]
    scene.watch = a_watch(rows, passes=passes)


def test_an_event_names_the_new_version_and_only_the_jobs_that_changed() -> None:
    with a_page(a_watch(calm())) as scene:
        ask(scene.address, "/")
        with streaming(scene.address, f"/events?since={VERSION_7}") as stream:
            first = stream.line()
            change_one(scene, 8)
            change = stream.change()

    assert first.startswith("retry: 3")
    assert change == {"version": "1-8-000-0", "names": ["support-triage-03"]}
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")


def test_a_change_between_the_page_and_its_stream_is_sent_at_once() -> None:
    with a_page(a_watch(calm())) as scene:
        ask(scene.address, "/")
        change_one(scene, 8)
        ask(scene.address, "/accounts")
        scene.watch = a_watch(list(scene.watch.report.rows), OUTAGE, passes=9)
        began = time.monotonic()
        with streaming(scene.address, f"/events?since={VERSION_7}") as stream:
            change = stream.change()
        took_s = time.monotonic() - began

    hidden = [f"legal-summary-{number:02}" for number in range(6)]
    assert change == {"version": "1-9-000-0", "names": [*hidden, "support-triage-03"]}
    assert took_s < 0.9


@pytest.mark.parametrize("since", ["", "1-3-000-0", "0-7-000-0", "nonsense", "1--", "9" * 5000])
def test_a_page_of_an_unknown_version_is_told_to_refresh_as_a_whole(since: str) -> None:
    with a_page(a_watch(calm())) as scene, streaming(scene.address, f"/events?since={since}") as stream:
        assert stream.change() == {"version": VERSION_7, "names": None}


def test_a_reconnect_continues_after_the_last_event_that_the_browser_received() -> None:
    with a_page(a_watch(calm())) as scene:
        ask(scene.address, "/")
        change_one(scene, 8)
        headers = {"last-event-id": VERSION_7}
        with streaming(scene.address, "/events?since=1-1-000-0", **headers) as stream:
            assert stream.change() == {"version": "1-8-000-0", "names": ["support-triage-03"]}


def test_a_blocked_watch_is_an_event_although_no_pass_ends() -> None:
    with a_page(a_watch(calm())) as scene, streaming(scene.address, f"/events?since={VERSION_7}") as stream:
        scene.monotonic += 1000
        assert stream.change() == {"version": "1-7-001-0", "names": []}


@pytest.mark.long
def test_a_stream_without_a_change_is_alive_every_fifteen_seconds() -> None:
    with a_page(a_watch(calm())) as scene, streaming(scene.address, f"/events?since={VERSION_7}") as stream:
        stream.connection.sock.settimeout(20)
        began = time.monotonic()
        lines = [stream.line() for _ in range(2)]
        took_s = time.monotonic() - began

    assert lines[1] == "event: alive"
    assert 14 < took_s < 18


def test_streams_have_their_own_limit_and_outlive_a_flood_of_connections() -> None:
    with a_page(a_watch(calm())) as scene, ExitStack() as stack:
        streams = [
            stack.enter_context(streaming(scene.address, f"/events?since={VERSION_7}")) for _ in range(STREAMS_MAX)
        ]
        with streaming(scene.address) as one_more:
            refused = (one_more.status, one_more.headers["retry-after"])
        host, _, port = scene.address.removeprefix("http://").rpartition(":")
        for _ in range(2 * CONNECTIONS_MAX):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN_S))
        probe = ask(scene.address, "/healthz")
        change_one(scene, 8)
        told = [each.change()["version"] for each in streams]

    assert refused == (503, "60")
    assert probe == 200
    assert told == ["1-8-000-0"] * STREAMS_MAX


def test_a_closed_stream_makes_room_for_another() -> None:
    with a_page(a_watch(calm())) as scene, ExitStack() as stack:
        for _ in range(STREAMS_MAX - 1):
            stack.enter_context(streaming(scene.address))
        with streaming(scene.address) as last:
            assert last.status == 200
        wait_for(lambda: ask(scene.address, "/events") == 200, "there is room again")


def test_a_watch_with_ten_open_streams_stops_within_its_grace(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("one", job_id, "observed")
    address = f"127.0.0.1:{a_free_port()}"
    with watching(checkout, "--listen", address) as process, ExitStack() as stack:
        wait_for(lambda: ask(address, "/readyz") == 200, "the watch is ready")
        streams = [stack.enter_context(streaming(address)) for _ in range(10)]
        began = time.monotonic()
        code = process.stop()
        took_s = time.monotonic() - began

    assert {each.status for each in streams} == {200}
    assert code == 0
    assert took_s < 5
