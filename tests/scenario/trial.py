"""Seeds on trial: each is played and judged, in as many processes as there are processors."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from tests.scenario.history import Crashed, Edited, Event, Happened, History, Served, Tampered
from tests.scenario.oracles import verdict
from tests.scenario.repository import Revision
from tests.scenario.stage import play
from tests.scenario.story import plan
from tests.scenario.undisturbed import different_ending

COMPARED_EVERY = 5
"""Every so manieth seed is also compared with an undisturbed run, which costs half as much again."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What some seeds amount to."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    """What else went wrong, or was done by others: to specs, statuses, disks, keys and jobs."""
    requests: int = 0
    crashes: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    """How many accounts spoke each dialect."""
    simulated: timedelta = timedelta(0)
    wrong: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """The seeds that break a law, and how."""

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(
            self.seeds + other.seeds,
            self.faults + other.faults,
            self.others + other.others,
            self.requests + other.requests,
            self.crashes + other.crashes,
            self.accounts + other.accounts,
            self.simulated + other.simulated,
            self.wrong + other.wrong,
        )

    def __str__(self) -> str:
        """Return the figures, on one line."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.faults.most_common())
        others = ", ".join(f"{kind} {count}" for kind, count in self.others.most_common())
        dialects = ", ".join(f"{dialect} {count}" for dialect, count in sorted(self.accounts.items()))
        days = self.simulated / timedelta(days=1)
        return (
            f"{self.seeds} seeds, {self.faults.total()} faults met in {self.requests} requests, "
            f"{self.crashes} crashes, {days:.0f} days simulated, {len(self.wrong)} seeds wrong; accounts: {dialects}; "
            f"faults by kind: {kinds}; besides: {others}"
        )


def tell(seed: int) -> tuple[History, tuple[str, ...]]:
    """Play one seed. Returns its history, and every law that it breaks."""
    planned = plan(seed)
    history = play(planned)
    wrong = verdict(history)
    if seed % COMPARED_EVERY == 0:
        wrong += [f"different_ending: {each}" for each in different_ending(planned, history)]
    return history, tuple(wrong)


def judge(seeds: Iterable[int]) -> Tally:
    """Play seeds, one after another."""
    return sum(map(_judged, seeds), Tally())


def judge_all(seeds: Sequence[int]) -> Tally:
    """Play seeds on all processors."""
    workers = os.cpu_count() or 1
    # Shared out in small parts, for a run takes as long as its story, and not all are as long.
    parts = [seeds[start::32] for start in range(32) if seeds[start::32]]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(judge, parts), Tally())


def _judged(seed: int) -> Tally:
    history, wrong = tell(seed)
    served = [each for each in history.events if isinstance(each, Served)]
    return Tally(
        seeds=1,
        faults=Counter(each.fault for each in served if each.fault is not None),
        others=Counter(kind for each in history.events if (kind := _kind(each))),
        requests=len(served),
        crashes=sum(isinstance(each, Crashed) for each in history.events),
        accounts=Counter(service.type for service in _first(history).services.values()),
        simulated=history.events[-1].at - history.began_at,
        wrong=((seed, wrong),) if wrong else (),
    )


def _kind(event: Event) -> str | None:
    match event:
        case Edited():
            return "specs edited"
        case Tampered(what=what):
            return f"status {what}"
        case Happened(kind=kind) if kind.startswith("somebody") or kind in {"disk full", "key changed", "went back"}:
            return kind
        case _:
            return None


def _first(history: History) -> Revision:
    return next(each.revision for each in history.events if isinstance(each, Edited))
