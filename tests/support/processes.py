"""Third-party servers as processes, each on its own loopback port."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

STARTS_WITHIN_S = 180
_EVERY_S = 0.2
_LOOKS_EVERY_S = 0.05


def a_free_port() -> int:
    """Return a loopback port that no process listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, ready_path: str, log: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a server until the block ends. Yields its address once `ready_path` responds. Its output is in the log."""
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
            msg = f"{process.args!r} was not ready within {STARTS_WITHIN_S} s; the end of its log:\n{tail}"
            raise AssertionError(msg)
        time.sleep(_EVERY_S)


def _answers(port: int, path: str) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            return False
    return answer.status != HTTPStatus.SERVICE_UNAVAILABLE  # HTTP 503 means that it is not ready yet


@dataclass(slots=True)
class Memory:
    """The maximum memory of a process and its descendants, in bytes, as far as it was sampled."""

    peak: int = 0


@contextmanager
def memory_of(process: int) -> Iterator[Memory]:
    """Sample the memory of a process and its descendants until the block ends."""
    memory, is_over = Memory(), threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOKS_EVERY_S):
            memory.peak = max(memory.peak, _memory(process))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        is_over.set()
        thread.join()


def _memory(process: int) -> int:
    """Return the current memory of a process and its descendants, in bytes. Processes that just ended do not count."""
    total = 0
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
        total += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            total += sum(map(_memory, map(int, children.read_text(encoding="ascii").split())))
    return total
