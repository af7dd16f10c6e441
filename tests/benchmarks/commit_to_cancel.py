"""The time from saving a spec with `cancelled`, while a watch runs, to the arrival of the POST at the provider.

Both times are read from the monotonic clock, which all processes share. The peer is a loop with the standard library
that retrieves a job and sends a POST for it. In a burst, such a loop reaches the median job after half of the jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.benchmarks.figures import number, ratio
from tests.benchmarks.passes import REPEATED_UP_TO
from tests.benchmarks.watches import Idle, Watched, at_work, idle
from tests.benchmarks.world import ENDS_WITHIN_S, Fleet, Hosted, note, observing, serving
from tests.support.cli import SPEC
from tests.support.markdown_table import table
from tests.support.sandbox_client import wait_for

EDITS = 10
"""The maximum number of specs that are saved in each way, one after another."""
AT_LEAST, WITHIN_S = 3, 20.0
"""The minimum number of edits, and the seconds after which no further edit begins."""
BURST = 200
IN_PLACE = "in place"
BURST_SPECS = 1000
MILLISECONDS = 1000
DELAYS = ("Median delay, ms", "Longest delay, ms", "Median ÷ plain loop")


def save_in_place(path: Path, text: str) -> None:
    """Overwrite the file in place, as a shell redirection does."""
    path.write_text(text, encoding="utf-8")


def save_atomically(path: Path, text: str) -> None:
    """Save as many editors do: write a new file, and rename it."""
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(path)


def save_by_swap(path: Path, text: str) -> None:
    """Save as a Kubernetes volume does: replace the link to a directory by a link to a new one."""
    fresh = path.parent / f"..{len(list(path.parent.glob('..2*'))) + 2_000_000}"
    fresh.mkdir()
    (fresh / path.name).write_text(text, encoding="utf-8")
    data = path.parent / f"..{path.name}.data"
    _link(data, fresh.name)
    if not path.is_symlink():
        _link(path, f"{data.name}/{path.name}")


def _link(path: Path, target: str) -> None:
    """Replace a path by a link, in one step."""
    fresh = path.with_name(f"..{path.name}.new")
    fresh.symlink_to(target)
    fresh.rename(path)


SAVES: dict[str, Callable[[Path, str], None]] = {
    IN_PLACE: save_in_place,
    "atomic": save_atomically,
    "volume swap": save_by_swap,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A job whose cancel was requested, and the time at which its spec was saved."""

    job_id: str
    saved_at: float


@dataclass(frozen=True, slots=True)
class Saved:
    """The delays from a save to its POST at one size, in milliseconds, and the costs of the idle watch."""

    size: int
    delays_ms: Mapping[str, list[float]]
    peer_ms: float
    idle: Idle

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each way of saving."""
        return [
            (
                f"{self.size:,}",
                way,
                str(len(each)),
                number(median(each)),
                number(max(each)),
                ratio(median(each), self.peer_ms),
            )
            for way, each in self.delays_ms.items()
        ]


def wish(watched: Watched, job_id: str, save: Callable[[Path, str], None], provider: str = "openai") -> Wish:
    """Save one spec that requests a cancel."""
    text = SPEC.format(name=job_id, provider=provider, job_id=job_id, state="cancelled")
    saved_at = time.monotonic()
    save(watched.checkout.specs / f"{job_id}.yaml", text)
    return Wish(job_id, saved_at)


def is_confirmed(watched: Watched, job_id: str) -> bool:
    """Return whether the status of a job is final."""
    return watched.checkout.status(job_id).final


def delays_ms(watched: Watched, wishes: Iterable[Wish]) -> list[float]:
    """Wait until each cancel is confirmed. Return the time from each save to its POST, in milliseconds."""
    waiting = list(wishes)
    for each in waiting:
        wait_for(partial(is_confirmed, watched, each.job_id), f"{each.job_id} is cancelled", within_s=ENDS_WITHIN_S)
    arrived = watched.served.arrivals()["cancels"]
    return [(arrived[each.job_id] - each.saved_at) * MILLISECONDS for each in waiting]


def one_by_one(watched: Watched, job_ids: Iterator[str], save: Callable[[Path, str], None]) -> list[float]:
    """Save specs one after another, each after the previous cancel was confirmed. Return the delays in ms."""
    begun, found = time.monotonic(), list[float]()
    while len(found) < AT_LEAST or (len(found) < EDITS and time.monotonic() - begun < WITHIN_S):
        found += delays_ms(watched, [wish(watched, next(job_ids), save)])
    return found


def loop_ms(watched: Watched, jobs: int) -> float:
    """Return the duration of a loop that retrieves jobs and sends a POST without effect for each, in milliseconds."""
    address = urlsplit(watched.served.url(watched.account.name))
    connection = HTTPConnection(address.netloc)
    begun = time.monotonic()
    for job_id in watched.account.ids[:jobs]:
        job = f"{address.path}/fine_tuning/jobs/{job_id}"
        for method, target in (("GET", job), ("POST", f"{job}/none")):
            connection.request(method, target)
            connection.getresponse().read()
    took = (time.monotonic() - begun) * MILLISECONDS
    connection.close()
    return took


def measure(fleet: Fleet, idle_s: float) -> Saved:
    """Measure a watch of one size: first while it is idle, then every way of saving a spec.

    With many specs, only the save in place is measured.
    """
    size = fleet.many.jobs
    note(f"{size:,} specs: a watch")
    with at_work(fleet.served, fleet.many, fleet.large) as watched:
        nothing = idle(watched, idle_s)
        peer = loop_ms(watched, EDITS) / EDITS
        left = iter(fleet.many.ids)
        ways = SAVES if size <= REPEATED_UP_TO else {IN_PLACE: SAVES[IN_PLACE]}
        found = {way: one_by_one(watched, left, save) for way, save in ways.items()}
        return Saved(size, found, peer, nothing)


def measure_bursts(root: Path) -> str:
    """Return the delays of many edits at once, at the default pace and with a written limit that is never reached."""
    rows = []
    for way, provider in (("default", "openai"), ("`rateLimit` of 1,000 a second", "main")):
        note(f"a burst of {BURST} edits, {way}")
        account = Hosted("b", BURST_SPECS, BURST)
        with serving(account) as served:
            checkout = observing(root / provider, served, account, provider)
            if provider == "main":
                checkout.name_provider(provider)
            with at_work(served, account, checkout) as watched:
                peer_ms = loop_ms(watched, BURST) / 2
                wishes = [wish(watched, job_id, save_in_place, provider) for job_id in account.ids[:BURST]]
                each = delays_ms(watched, wishes)
            rows.append((way, str(BURST), number(median(each)), number(max(each)), ratio(median(each), peer_ms)))
    return table(("Pace", "Edits", *DELAYS), *rows)


def tables(sizes: Iterable[Saved]) -> tuple[str, str]:
    """Return two tables: the delays of saves, and the costs of the idle watches."""
    found = list(sizes)
    saves = [row for each in found for row in each.rows()]
    idles = [
        (
            f"{each.size:,}",
            f"{each.idle.core_percent:.1f}",
            number(each.idle.memory_mib),
            number(each.idle.requests_per_minute),
        )
        for each in found
    ]
    return (
        table(("Specs", "Way of saving", "Edits", *DELAYS), *saves),
        table(("Specs", "CPU, % of one core", "Memory, MiB", "Requests per minute"), *idles),
    )
