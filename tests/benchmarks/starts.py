"""The cost of a start: short commands, an empty interpreter, and the imports of four libraries."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.figures import median_of, number, ratio
from tests.benchmarks.world import FEW, Hosted, note, observing, ours, run_timed, serving
from tests.support.markdown_table import table

TIMES = 7
IMPORTS = "import yaml, pydantic, httpx, click"
MILLISECONDS = 1000


def measure(root: Path) -> str:
    """Return the table of starts: medians of several alternating runs, after one that is not counted."""
    commands = {
        "`python -c pass`": [sys.executable, "-c", "pass"],
        f"`python -c '{IMPORTS}'`": [sys.executable, "-c", IMPORTS],
        "`version`": ours("version"),
        f"`validate` of {FEW} specs": ours("validate"),
        f"`--once` of {FEW} specs": ours("--once"),
    }
    account = Hosted("s", FEW, 1)
    note("starts")
    with serving(account) as served:
        checkout = observing(root, served, account)
        turns = [{name: run_timed(command, checkout) for name, command in commands.items()} for _ in range(TIMES + 1)]
    used = {name: median_of([turn[name] for turn in turns[1:]]) for name in commands}
    bare, imports = list(used.values())[:2]
    rows = [
        (
            name,
            number(each.cpu_s * MILLISECONDS),
            ratio(each.cpu_s, bare.cpu_s),
            ratio(each.cpu_s, imports.cpu_s),
            number(each.wall_s * MILLISECONDS),
            ratio(each.wall_s, imports.wall_s),
            number(each.peak_mib),
        )
        for name, each in used.items()
    ]
    head = (
        "Program",
        "CPU, ms",
        "CPU ÷ interpreter",
        "CPU ÷ imports",
        "Wall time, ms",
        "Wall time ÷ imports",
        "Peak memory, MiB",
    )
    return table(head, *rows)
