"""What the page of a watch costs: its bytes, and the time until the last of them arrives."""

from __future__ import annotations

import gzip
import time
import urllib.request
from dataclasses import replace
from statistics import median

from reconciler.model.watch_status import WatchStatus
from tests.benchmarks.figures import number
from tests.support.markdown_table import table
from tests.support.page_scene import PageScene, a_job, a_page, a_watch

SIZES = (100, 1_000, 10_000)
TIMES = 5
HEAD = ("Jobs", "Address", "KiB", "KiB, compressed", "Time after a pass, ms", "Time later, ms")
PATHS = ("/", "/?q=job-0&sort=-since")


def measure() -> str:
    """Measure pages of watches with several numbers of jobs, and return the table."""
    rows = []
    for size in SIZES:
        with a_page(a_watch([a_job(f"job-{job:05}") for job in range(size)])) as served:
            rows += [(f"{size:,}", f"`{path}`", *_measured(served, path)) for path in PATHS]
    return table(HEAD, *rows)


def _measured(served: PageScene, path: str) -> tuple[str, ...]:
    after, later = [], []
    for _ in range(TIMES):
        served.watch = _after_a_pass(served.watch)
        first_s, sent = _get(f"{served.address}{path}")
        # Another address, because a rendered page is kept for a second.
        later_s, _ = _get(f"{served.address}{path}{'&' if '?' in path else '?'}page=1")
        after.append(first_s)
        later.append(later_s)
    sizes = (f"{len(each) / 1024:,.1f}" for each in (gzip.decompress(sent), sent))
    return (*sizes, number(1000 * median(after)), number(1000 * median(later)))


def _after_a_pass(watch: WatchStatus) -> WatchStatus:
    return replace(watch, passes=watch.passes + 1)


def _get(url: str) -> tuple[float, bytes]:
    """Return the seconds until the end of a response, and its compressed body."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})  # noqa: S310  loopback
    begun = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  loopback
        body = answer.read()
    return time.perf_counter() - begun, body
