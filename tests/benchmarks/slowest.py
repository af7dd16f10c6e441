"""A profile of the command with the highest CPU time beyond its imports: its time by function and by module."""

from __future__ import annotations

import pstats
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.passes import COLD, OURS, Sized
from tests.benchmarks.world import Fleet, forget, note, run_timed
from tests.support.cli import RECONCILE
from tests.support.markdown_table import table

FUNCTIONS = 15
MODULES = 10
BUILT_IN = "~"
"""The file name that the profiler uses for C functions."""
Where = tuple[str, int, str]
PACKAGES = ("reconciler", "yaml", "pydantic", "httpx", "httpcore", "asyncio", "json", "pathlib")


def slowest_of(sized: Sized) -> str:
    """Return the name of our command that uses most CPU beyond its imports."""
    return max(OURS, key=lambda name: sized.costs[name].beyond.cpu_s)


def place(file: str) -> str:
    """Return the path of a file from its package on, or its name. It contains no directory of this machine."""
    parts = Path(file).parts
    start = next((at for at, part in enumerate(parts) if part in PACKAGES), len(parts) - 1)
    return "/".join(parts[start:]).strip("<>").removeprefix("frozen ") if file != BUILT_IN else "built in"


def profile(fleet: Fleet, sized: Sized) -> tuple[str, str, str]:
    """Run the slowest command again under cProfile. Returns its name, its modules and its functions, as tables."""
    name = slowest_of(sized)
    note(f"{sized.size:,} specs: profile of {name}")
    file = fleet.large.root / "profile"
    if name == COLD:
        forget(fleet.large)
    run_timed([sys.executable, "-m", "cProfile", "-o", str(file), *RECONCILE[1:], *OURS[name]], fleet.large)
    functions, modules = tables_of(pstats.Stats(str(file)))
    return name, modules, functions


def tables_of(stats: pstats.Stats) -> tuple[str, str]:
    """Return two tables: the functions with the most own time, and the modules."""
    found: Mapping[Where, tuple[int, int, float, float, Mapping[Where, tuple[int, int, float, float]]]]
    found = stats.stats  # type: ignore[attr-defined] # undocumented, but the only access to the callers
    total = sum(own for _, _, own, _, _ in found.values())
    worst = sorted(found.items(), key=lambda each: -each[1][2])[:FUNCTIONS]
    functions = [(f"{own / total:.1%}", f"{calls:,}", name_of(where)) for where, (_, calls, own, _, _) in worst]
    modules: dict[str, float] = defaultdict(float)
    for where, (_, _, own, _, callers) in found.items():
        if where[0] != BUILT_IN:
            modules[place(where[0])] += own
        for caller, (_, _, part, _) in callers.items() if where[0] == BUILT_IN else ():
            modules[place(caller[0])] += part
    shares = sorted(modules.items(), key=lambda each: -each[1])[:MODULES]
    return (
        table(("Share of own time", "Calls", "Function"), *functions),
        table(
            ("Share of own time, including called built-in functions", "Module"),
            *((f"{own / total:.1%}", module) for module, own in shares),
        ),
    )


def name_of(where: Where) -> str:
    """Return the name of a function and where it is."""
    file, line, name = where
    return name.strip("<>") if file == BUILT_IN else f"{name.strip('<>')}, {place(file)}:{line}"
