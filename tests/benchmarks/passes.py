"""The commands that read every spec, at one size, and peers that do a part of the same work in the same run.

A figure "beyond imports" is that of the command minus that of the same command with five specs, so that the start and
the imports do not hide how a cost grows. A peer is measured in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.benchmarks.figures import Used, median_of, number, ratio
from tests.benchmarks.world import Fleet, forget, new_directory, note, ours, peer, run_timed
from tests.support.cli import Checkout
from tests.support.markdown_table import table

PART = 200
"""The number of jobs that the official client retrieves. Its cost is scaled to the number of all jobs."""
REPEATED_UP_TO = 10_000
"""The largest size that is measured `REPEATS` times, with the median as the result. Larger sizes are measured once."""
REPEATS = 3
FLOOR = "the floor"
COLD = "`--once`, cold"
QUIET = "`--once`, quiet"
PLAIN_YAML = "plain YAML reading"
OURS: Mapping[str, tuple[str, ...]] = {
    COLD: ("--once",),
    QUIET: ("--once",),
    "`plan`": ("plan",),
    "`get`": ("get",),
    "`validate`": ("validate",),
}
"""The measured commands, in order. Each command but the cold pass starts with the files that the previous one left."""
RETRIEVES = "official client, retrieves"
HEAD = (
    "Program",
    "CPU, s",
    "CPU beyond imports, s",
    "CPU ÷ floor",
    "CPU ÷ YAML",
    "Wall time, s",
    "Wall time ÷ floor",
    "Peak memory, MiB",
)

Run = Callable[[Checkout, str], Used]


@dataclass(frozen=True, slots=True)
class Cost:
    """The resources that a command used, in total and beyond its imports."""

    whole: Used
    beyond: Used


@dataclass(frozen=True, slots=True)
class Sized:
    """The costs of all commands and peers at one size."""

    size: int
    costs: Mapping[str, Cost]

    def rows(self) -> str:
        """Return the costs as a table. Ratios of CPU time exclude the imports, and those of wall time include them."""
        floor, plain = self.costs[FLOOR].beyond, self.costs[PLAIN_YAML].beyond
        rows = [
            (
                name,
                number(cost.whole.cpu_s),
                number(cost.beyond.cpu_s),
                ratio(cost.beyond.cpu_s, floor.cpu_s),
                ratio(cost.beyond.cpu_s, plain.cpu_s),
                number(cost.whole.wall_s),
                ratio(cost.whole.wall_s, self.costs[FLOOR].whole.wall_s),
                number(cost.whole.peak_mib),
            )
            for name, cost in self.costs.items()
        ]
        return table(HEAD, *rows)


def a_peer(module: str, *words: str) -> Run:
    """Return a function that runs a peer.

    In `words`, SPECS is replaced by the directory of the specs, STATUSES by a new one, and URL by the address.
    """

    def run(checkout: Checkout, url: str) -> Used:
        places = {"URL": url, "SPECS": str(checkout.specs), "STATUSES": str(new_directory(checkout, "floor"))}
        return run_timed(peer(module, *(places.get(word, word) for word in words)), checkout)

    return run


def a_command(name: str) -> Run:
    """Return a function that runs one of our commands. A cold run starts without statuses and state directory."""

    def run(checkout: Checkout, _url: str) -> Used:
        if name == COLD:
            forget(checkout)
        return run_timed(ours(*OURS[name]), checkout)

    return run


def runs() -> dict[str, Run]:
    """Return the functions that run each command and peer, by name and in order."""
    return {
        FLOOR: a_peer("peer_floor", "URL", "SPECS", "STATUSES"),
        PLAIN_YAML: a_peer("peer_yaml", "SPECS"),
        "official client, list": a_peer("peer_client", "list", "0", "URL"),
        RETRIEVES: a_peer("peer_client", "retrieve", str(PART), "URL"),
        **{name: a_command(name) for name in OURS},
    }


def measure(fleet: Fleet) -> Sized:
    """Measure everything at one size. A run with five specs precedes each run, so that both have the same load."""
    size, costs = fleet.many.jobs, {}
    many, few = (fleet.served.url(each.name) for each in (fleet.many, fleet.few))
    for name, run in runs().items():
        note(f"{size:,} specs: {name}")
        times = REPEATS if size <= REPEATED_UP_TO else 1
        turns = [(run(fleet.small, few), run(fleet.large, many)) for _ in range(times)]
        start, whole = (median_of(each) for each in zip(*turns, strict=True))
        beyond = whole.beyond(start)
        if name == RETRIEVES:
            beyond = beyond.times(size / min(size, PART))
            whole = start.plus(beyond)
        costs[name] = Cost(whole, beyond)
    _assert_each_has_a_status(fleet.large, size)
    return Sized(size, costs)


def _assert_each_has_a_status(checkout: Checkout, size: int) -> None:
    found = sum(1 for _ in checkout.status_dir.glob("*.yaml"))
    assert found >= size, f"{found} of {size} jobs have a status"
