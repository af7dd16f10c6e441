"""Attacks by a provider: the responses that it may send to the installed command, byte for byte.

The provider sends the same response to every request. Each test checks the result: the command ends with a message and
a documented exit code, it stays within a container's memory, no job is reported as stopped, and no control character
reaches the terminal.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.test_attacks_texts import CONTAINER, bounded
from tests.support.cli import Checkout
from tests.support.jobs_api import a_row

CODES = {0, 1, 3, 65, 69, 70, 75, 78}
JOB = "ftjob-wanted-gone"
PIECE = 64 * 1024


def an_answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an HTTP response."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def a_list(*rows: object, **more: object) -> bytes:
    """Return a valid list of jobs."""
    return json.dumps({"object": "list", "data": rows, "has_more": False, **more}).encode()


def with_job(**more: object) -> bytes:
    """Return a response that is valid as a list and as a job, except for these fields."""
    row = {**a_row(JOB), **more}
    return an_answer(json.dumps({**row, "data": [row], "has_more": False}).encode())


def a_bomb() -> bytes:
    """Return a small response that is compressed from a list of 64 MiB."""
    return an_answer(gzip.compress(b"[" + b"0," * (32 * 1024**2) + b"0]", 9), "Content-Encoding: gzip")


def a_bomb_in_a_bomb() -> bytes:
    """Return a small response that is compressed twice, from 512 MiB."""
    return an_answer(gzip.compress(gzip.compress(bytes(512 * 1024**2), 1), 9), "Content-Encoding: gzip, gzip")


GOOD = json.dumps(a_row(JOB)).encode()
ANSWERS: Mapping[str, bytes | Callable[[], bytes]] = {
    "a bomb in gzip": a_bomb,
    "a bomb in a bomb": a_bomb_in_a_bomb,
    "an unknown encoding": an_answer(GOOD, "Content-Encoding: zip"),
    "a wrong encoding": an_answer(zlib.compress(GOOD), "Content-Encoding: gzip"),
    "five thousand headers": an_answer(GOOD, *(f"X-{n}: {'y' * 100}" for n in range(5_000))),
    "a header of a megabyte": an_answer(GOOD, f"X-Y: {'y' * 1024**2}"),
    "cookies": an_answer(GOOD, *(f"Set-Cookie: a{n}=b; Domain=.example" for n in range(50))),
    "nested lists": an_answer(b"[" * 200_000 + b"]" * 200_000),
    "nested objects": an_answer(b'{"data":' * 200_000 + b"1" + b"}" * 200_000),
    "a number of 5,000 digits": an_answer(b'{"data": [{"id": "%b", "created_at": %b}]}' % (JOB.encode(), b"9" * 5_000)),
    "NaN and infinity": an_answer(
        b'{"data": [{"id": "%b", "created_at": NaN, "trained_tokens": Infinity}]}' % JOB.encode()
    ),
    "a huge float": with_job(created_at=1e308, finished_at=-1e308),
    "a lone surrogate": with_job(model="\ud800", status="runn\udfffing"),
    "controls": with_job(
        model="\x1b[2J\x00\x07\u202e", error={"message": "\x1b]0;x\x07\r\n::error::x", "code": "\x9b"}
    ),
    "wrong types": with_job(model=[], status={}, error=7, created_at="now", finished_at=[], id=JOB),
    "another job": an_answer(json.dumps(a_row("ftjob-another", "cancelled")).encode()),
    "another job in the list": an_answer(a_list(a_row("ftjob-another", "cancelled"))),
    "doubled keys": an_answer(GOOD[:-1] + b', "status": "running", "id": "%b"}' % JOB.encode()),
    "a page of HTML": an_answer(b"<html><script>alert(1)</script>cancelled</html>", "Content-Type: text/html"),
    "nothing": an_answer(b""),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n" * 1000,
    "half an answer": an_answer(GOOD)[:-20],
    "a wait of years": an_answer(b"{}", f"Retry-After: {10**14}", status="429 Too Many Requests"),
    "a date of another age": an_answer(GOOD, "Date: Fri, 31 Dec 9999 23:59:59 GMT"),
    "a cursor that is an address": an_answer(
        a_list(a_row("ftjob-x"), has_more=True, next="http://169.254.169.254/", last_id="http://169.254.169.254/?x")
    ),
    "an endless list": an_answer(a_list(a_row("ftjob-x"), has_more=True)),
    "an unknown status word": with_job(status="cancelled\u200b"),
    "an error with status 200": an_answer(b'{"error": {"message": "cancelled", "code": "cancelled"}}'),
}


def endless(connection: socket.socket) -> None:
    """Send a body that does not end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"%x\r\n%b\r\n" % (PIECE, b"[" * PIECE))


@contextmanager
def a_provider(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection with a function that writes the response. Yields the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=server.accept()[:1], daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(PIECE)
                speak(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


def look(root: Path, url: str) -> tuple[int, str, int]:
    """Make a pass over an account at this address, and return its exit code, output and peak memory."""
    checkout = Checkout(root)
    checkout.name_provider("main", f"baseUrl: {url}")
    checkout.want("gone", JOB)
    checkout.want("kept", "ftjob-kept", "observed")
    host = url.removeprefix("http://").removesuffix("/v1")
    given = {"OPENAI_API_KEY": "sk-canary-0123456789", "RECONCILE_TRUST": f"OPENAI_API_KEY={host}"}
    return bounded(checkout, "--once", "--timeout", "3s", **given)


def holds(root: Path, code: int, told: str, peak: int) -> None:
    """Check what must be true after a pass, whatever the response was."""
    assert code in CODES, told
    assert "Traceback" not in told
    assert "a bug in" not in told
    assert peak < CONTAINER
    assert not [each for each in told if not each.isprintable() and each != "\n"]
    assert not [each for each in told.splitlines() if each.startswith("::")]
    status = Checkout(root).status("gone")
    assert not status.is_ready
    assert "sk-canary-0123456789" not in told


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_response_fakes_no_cancel_and_stays_within_the_memory_limit(tmp_path: Path, name: str) -> None:
    found = ANSWERS[name]
    response = found if isinstance(found, bytes) else found()
    with a_provider(lambda connection: connection.sendall(response)) as url:
        code, told, peak = look(tmp_path, url)

    holds(tmp_path, code, told, peak)


def test_an_endless_response_is_aborted(tmp_path: Path) -> None:
    with a_provider(endless) as url:
        code, told, peak = look(tmp_path, url)

    holds(tmp_path, code, told, peak)
