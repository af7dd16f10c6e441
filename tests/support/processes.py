"""Third-party servers as processes, each on a loopback port of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

STARTS_WITHIN_S = 180
_EVERY_S = 0.2


def a_free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, ready_path: str, log: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a server until the block ends; yields its address once it answers. What it says stands in the log."""
    with log.open("wb") as out, subprocess.Popen(command, env=environ, stdout=out, stderr=out) as process:
        try:
            _wait(process, port, ready_path, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while not _answers(port, path):
        if process.poll() is not None or time.monotonic() > until:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            msg = f"{process.args!r} did not start:\n{tail}"
            raise AssertionError(msg)
        time.sleep(_EVERY_S)


def _answers(port: int, path: str) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except OSError:
            return False
    return True
