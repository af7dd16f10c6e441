"""What is read from a watch at one time: from /proc, from its files and its port."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.watches import cpu_s, memory_kib
from tests.night_run.trend import Measure

MIB = 1024 * 1024

LOOSE_OBJECTS, LOOSE_MIB = 7_000, 40
"""How many objects, and how much, a clone may gain before Git packs them (`gc.auto` is 6,700)."""


def measures(*, kept_statuses: int, is_remote: bool) -> Mapping[str, Measure]:
    """Return everything that is measured, by its key in a sample.

    Memory and processor time vary more than counts, so their tolerances are larger. `kept_statuses` is the number of
    statuses of deleted specs that are kept because the guard counts their requests for an hour: within the first hour
    the statuses grow by as many.
    """
    files = kept_statuses + 10 + (LOOSE_OBJECTS if is_remote else 0)
    mib = 0.5 + (LOOSE_MIB if is_remote else 0)
    return {
        "rss_mib": Measure("resident memory", "MiB", is_total=False, share=0.05, plus=4),
        "threads": Measure("threads", "", is_total=False, share=0, plus=1),
        "fds": Measure("open files and sockets", "", is_total=False, share=0.5, plus=10),
        "cpu_s": Measure("processor time", "s", is_total=True, share=0.25, plus=0.5),
        "requests": Measure("requests to the providers", "", is_total=True, share=0.25, plus=5),
        "written_mib": Measure("written", "MiB", is_total=True, share=0.25, plus=0.1),
        "status_writes": Measure("statuses written", "", is_total=True, share=0.25, plus=2),
        "log_lines": Measure("lines of the log", "", is_total=True, share=0.25, plus=2),
        "log_kib": Measure("size of the log", "KiB", is_total=True, share=0.25, plus=1),
        "notifications": Measure("notifications", "", is_total=True, share=0.25, plus=2),
        "state_files": Measure("files in the state directory", "", is_total=False, share=0.02, plus=files),
        "state_mib": Measure("size of the state directory", "MiB", is_total=False, share=0.05, plus=mib),
        "statuses": Measure("statuses", "", is_total=False, share=0.005, plus=kept_statuses + 10),
        "scrape_lines": Measure("lines of a scrape", "", is_total=False, share=0.01, plus=20),
        "scrape_kib": Measure("size of a scrape", "KiB", is_total=False, share=0.01, plus=10),
        "scrape_ms": Measure("duration of a scrape", "ms", is_total=False, share=0.5, plus=200),
        "page_ms": Measure("duration of the page", "ms", is_total=False, share=0.5, plus=200),
    }


Sample = Mapping[str, float]


@dataclass(slots=True)
class StatusWrites:
    """Counts how often a file of a directory was replaced, as far as that is visible at successive times."""

    directory: Path
    _stamps: Mapping[str, tuple[int, int]] | None = None
    total: int = 0

    def read(self) -> tuple[int, int]:
        """Return the number of files, and the number of replacements so far."""
        stamps = dict(_stamps(self.directory))
        if self._stamps is not None:
            self.total += len(stamps.items() - self._stamps.items())
        self._stamps = stamps
        return len(stamps), self.total


def _stamps(directory: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    for path in _files(directory):
        found = path.stat()
        yield str(path), (found.st_ino, found.st_mtime_ns)


def _files(directory: Path) -> Iterator[Path]:
    """Yield the files of a directory that is being changed."""
    for root, _, names in os.walk(directory):
        yield from (path for name in names if (path := Path(root, name)).is_file())


def _size(directory: Path) -> tuple[int, int]:
    count = size = 0
    for path in _files(directory):
        try:
            size += path.stat().st_size
        except FileNotFoundError:  # it was replaced in between
            continue
        count += 1
    return count, size


def of_process(pid: int) -> dict[str, float]:
    """Return what /proc tells about a process."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
    return {
        "rss_mib": memory_kib(pid) / 1024,
        "threads": _entries(f"/proc/{pid}/task"),
        "fds": _entries(f"/proc/{pid}/fd"),
        "cpu_s": cpu_s(pid),
        "written_mib": int(fields["wchar"]) / MIB,
    }


def _entries(directory: str) -> int:
    return sum(1 for _ in Path(directory).iterdir())


def of_files(state: Path, log: Path, writes: StatusWrites) -> dict[str, float]:
    """Return what the files of a watch show."""
    files, size = _size(state)
    statuses, written = writes.read()
    text = log.read_bytes()
    return {
        "state_files": files,
        "state_mib": size / MIB,
        "statuses": statuses,
        "status_writes": written,
        "log_lines": text.count(b"\n"),
        "log_kib": len(text) / 1024,
    }


def of_port(address: str) -> dict[str, float]:
    """Scrape a watch and read its page, and return the sizes and durations."""
    scrape, scrape_s = _timed(lambda: _get(f"{address}/metrics"))
    _, page_s = _timed(lambda: _get(f"{address}/"))
    return {
        "scrape_lines": scrape.count(b"\n"),
        "scrape_kib": len(scrape) / 1024,
        "scrape_ms": 1000 * scrape_s,
        "page_ms": 1000 * page_s,
    }


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  loopback
        body: bytes = answer.read()
        return body


def _timed(ask: Callable[[], bytes]) -> tuple[bytes, float]:
    begun = time.monotonic()
    return ask(), time.monotonic() - begun
