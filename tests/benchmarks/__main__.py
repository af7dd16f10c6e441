"""`python -m tests.benchmarks`: run the benchmarks, print a table and write JSON. Nothing is asserted."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import commit_to_cancel, idle, passes


def main() -> None:
    """Run every benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--specs", type=int, default=1000, help="of commit to cancel")
    parser.add_argument("--edits", type=int, default=30, help="of commit to cancel, each way")
    parser.add_argument("--jobs", type=int, default=10_000, help="of a pass, and finished ones while idle")
    parser.add_argument("--idle-s", type=float, default=600, help="how long to watch nothing; 0 leaves it out")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), help="where the results go")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        results: dict[str, dict[str, Any]] = {
            f"commit to cancel, {way}": found
            for way, found in commit_to_cancel.run(_new(root / "commit"), given.specs, given.edits).items()
        }
        results["pass"], slowest = passes.run(_new(root / "pass"), given.jobs)
        if given.idle_s:
            results["idle"] = idle.run(_new(root / "idle"), 50, given.jobs, given.idle_s)
    told = {**results, "profile of a cold pass": slowest}
    given.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    table = Table("benchmark", "figure", "value")
    for name, found in results.items():
        for figure, value in found.items():
            table.add_row(name, figure, f"{value:,.3g}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)
    Console().print("Where a cold pass spends its own time:", *slowest, sep="\n", markup=False, highlight=False)


def _new(path: Path) -> Path:
    path.mkdir()
    return path


if __name__ == "__main__":
    main()
