"""Runs seeds and checks each with the oracles, in one process for each processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import PurePosixPath

from tests.scenario.batch_services import kind_of
from tests.scenario.disruptions import Disruption, RetryRequested
from tests.scenario.fault_free_run import differs_from_fault_free_run
from tests.scenario.history import Crashed, Edited, Event, ExternalEvent, History, ProviderRequest, Tampered
from tests.scenario.oracles import OF_A_WATCH, verdict
from tests.scenario.parallel import in_parallel
from tests.scenario.process import SPECS, STATUSES
from tests.scenario.seeded_pauses import scenario as pause_scenario
from tests.scenario.seeded_run import scenario
from tests.scenario.seeded_watch import scenario as watch_scenario
from tests.scenario.simulation import simulate

SeedRunner = Callable[[int], tuple[History, tuple[str, ...]]]
"""Runs one seed."""
_TOLD = {
    "disk full",
    "key changed",
    "revived",
    "some are hidden",
    "deleted at the provider",
    "ended before our cancel",
    "time hidden",
    "rows garbled",
    "lists lag",
    "created outside",
}
COMPARED_EVERY = 5
"""Every fifth seed is also compared with a fault-free run, which adds half of the time of a run."""


@dataclass(frozen=True, slots=True)
class SeedResults:
    """The sums of the figures of some seeds."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    """The other faults and actions: of specs, statuses, disks, keys and jobs."""
    requests: int = 0
    crashes: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    """The number of accounts of each dialect."""
    jobs: Counter[str] = field(default_factory=Counter)
    """The number of jobs of each kind."""
    simulated: timedelta = timedelta(0)
    wrong: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """The seeds with violations, and their violations."""

    def __add__(self, other: SeedResults) -> SeedResults:
        """Return the sum of each figure of the two results."""
        return SeedResults(
            self.seeds + other.seeds,
            self.faults + other.faults,
            self.others + other.others,
            self.requests + other.requests,
            self.crashes + other.crashes,
            self.accounts + other.accounts,
            self.jobs + other.jobs,
            self.simulated + other.simulated,
            self.wrong + other.wrong,
        )

    def __str__(self) -> str:
        """Return the figures, on one line."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.faults.most_common())
        others = ", ".join(f"{kind} {count}" for kind, count in self.others.most_common())
        jobs = ", ".join(f"{kind} {count}" for kind, count in sorted(self.jobs.items()))
        dialects = ", ".join(f"{dialect} {count}" for dialect, count in sorted(self.accounts.items()))
        days = self.simulated / timedelta(days=1)
        return (
            f"{self.seeds} seeds, {self.faults.total()} faults met in {self.requests} requests, "
            f"{self.crashes} crashes, {days:.0f} days simulated, {len(self.wrong)} seeds wrong; "
            f"jobs: {jobs}; accounts: {dialects}; "
            f"faults by kind: {kinds}; besides: {others}"
        )


def run_seed(seed: int) -> tuple[History, tuple[str, ...]]:
    """Run one seed. Return its history and its violations, none if the run was right."""
    planned = scenario(seed)
    history = simulate(planned)
    wrong = verdict(history)
    if seed % COMPARED_EVERY == 0:
        wrong += [f"differs_from_fault_free_run: {each}" for each in differs_from_fault_free_run(planned, history)]
    return history, tuple(wrong)


def run_watch_seed(seed: int) -> tuple[History, tuple[str, ...]]:
    """Run one seed's watch. Return its history and its violations, none if the watch was right."""
    history = simulate(watch_scenario(seed))
    return history, tuple(verdict(history, OF_A_WATCH))


def run_pause_seed(seed: int) -> tuple[History, tuple[str, ...]]:
    """Run one seed of the runs with many pauses. Return its history and its violations, none if the run was right."""
    history = simulate(pause_scenario(seed))
    return history, tuple(verdict(history))


def check_seeds(seeds: Iterable[int], run: SeedRunner = run_seed) -> SeedResults:
    """Run seeds one after another, and return the sums of their figures. Without seeds, every figure is 0."""
    return sum((_result_of(seed, run=run) for seed in seeds), SeedResults())


def check_all_seeds(seeds: Sequence[int], run: SeedRunner = run_seed) -> SeedResults:
    """Run seeds, many of them on all processors, and return the sums of their figures."""
    return sum(in_parallel(partial(_result_of, run=run), seeds), SeedResults())


def failure_report(seed: int, wrong: Iterable[str], lines: Iterable[str], word: str = "seed") -> str:
    """Return the violations of a seed, the option that replays it, and the lines of its history."""
    return "\n".join([f"{word} {seed} (replay it with --{word} {seed}):", *wrong, "", *lines])


def failure_reports(results: SeedResults, run: SeedRunner = run_seed, word: str = "seed") -> str:
    """Return one line for each failed seed, and the end of the history of the first three."""
    lines = [f"{word} {seed}: {len(wrong)} violations, first: {wrong[0]}" for seed, wrong in results.wrong]
    reports = [failure_report(seed, wrong, run(seed)[0].lines()[-80:], word) for seed, wrong in results.wrong[:3]]
    return "\n\n".join(["\n".join(lines), *reports])


def _result_of(seed: int, *, run: SeedRunner) -> SeedResults:
    history, wrong = run(seed)
    served = [each for each in history.events if isinstance(each, ProviderRequest)]
    return SeedResults(
        seeds=1,
        faults=Counter(each.fault for each in served if each.fault is not None),
        others=Counter(kind for each in history.events if (kind := _kind(each))),
        requests=len(served),
        crashes=sum(isinstance(each, Crashed) for each in history.events),
        accounts=Counter(service.type for service in history.first_revision.services.values()),
        jobs=Counter(kind_of(account) for account, world in history.worlds.items() for _ in world.ids()),
        simulated=history.events[-1].at - history.began_at,
        wrong=((seed, wrong),) if wrong else (),
    )


def _kind(event: Event) -> str | None:
    match event:
        case Edited():
            return "specs edited"
        case Tampered(what=what):
            return f"status {what}"
        case Disruption(kind=kind):
            return f"for a time: {kind}"
        case RetryRequested():
            return "retry asked for"
        case ExternalEvent(kind="disk refuses", what=path):
            return f"disk refuses {_sort_of(path)}"
        case ExternalEvent(kind=kind) if kind.startswith("another user") or kind in _TOLD:
            return kind
        case _:
            return None


def _sort_of(path: str) -> str:
    root = STATUSES.relative_to(SPECS.parent)
    what = "status" if PurePosixPath(path).is_relative_to(root) else "spec"
    return f"a {what}" if path.endswith(".yaml") else f"a directory of {what}{'es' if what == 'status' else 's'}"
