"""Plant deliberate bugs, one at a time, and record which test detects each: evidence that the tests are effective.

Run it from the checkout: `python -m tests.scenario.plant_bugs [--seeds 60] [--only WORDS] [--write]`. It puts each bug
of `bugs` into a copy of the package, and runs these against the copy: the exhaustive walk (if the bug is in code that
it covers), the simulator's tests, and random seeds. It prints a table, which `--write` writes to `.github/PROOFS.md`
if no bug was left out, and fails if a bug is not detected.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from tests.scenario.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
PROOFS = ROOT / ".github" / "PROOFS.md"
WALK = "tests/unit/test_walk.py"
WALKED = ("core/", "model/")
"""The modules that the walk covers. It cannot detect a bug in another module."""
_TOPICS = (
    "kinds",
    "ambiguous_faults",
    "watch_loop",
    "cancel_races",
    "adapter_bugs",
    "invalid_settings",
    "change_limit",
    "cancel_costs",
    "mass_disappearance",
    "preflight_check",
    "limits",
    "paused_elsewhere",
    "outages",
    "revived_jobs",
    "unreadable_files",
    "request_economy",
)
"""The tests, the fastest first, because the first failure ends the run."""
SCENARIOS = tuple(f"tests/scenario/test_{topic}.py" for topic in _TOPICS)
AT_ONCE = 10
"""The number of seeds for each process, which takes a second to start."""
NOTHING = "-"
UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Caught:
    """What detected a bug: the walk, the name of a scenario test, or the oracle of a seed. `-` means not detected."""

    bug: Bug
    walk: str
    scenario: str
    seed: str

    @property
    def is_noticed(self) -> bool:
        """Return whether anything detected the bug."""
        return not {self.walk, self.scenario, self.seed} <= {NOTHING, UNTRIED}

    def row(self) -> str:
        """Return the bug's row of the table."""
        return f"| {self.bug.name} | `{self.bug.file}` | {self.walk} | {self.scenario} | {self.seed} |"


@click.command()
@click.option("--seeds", default=60, show_default=True, help="Seeds to try for each bug.")
@click.option("--only", default="", help="Plant only the bugs whose name contains this text.")
@click.option("--write", is_flag=True, help="Write the table to .github/PROOFS.md, unless --only is given.")
def main(*, seeds: int, only: str, write: bool) -> None:
    """Plant each bug whose name contains `only`, and report what detects it. Exits with 1 if a bug is not detected."""
    rows = ["| Planted bug | In | The walk | A scenario | A seed |", "|---|---|---|---|---|"]
    click.echo("\n".join(rows))
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for caught in pool.map(lambda bug: _plant(bug, seeds), [each for each in BUGS if only in each.name]):
            rows.append(caught.row())
            click.echo(caught.row())
            missed += not caught.is_noticed
    if write and not only:
        text = PROOFS.read_text(encoding="utf-8")
        table = "<!-- planted -->\n" + "\n".join(rows) + "\n<!-- /planted -->"
        PROOFS.write_text(
            re.sub("<!-- planted -->.*<!-- /planted -->", lambda _: table, text, flags=re.DOTALL), encoding="utf-8"
        )
    sys.exit(f"{missed} bugs were not detected" if missed else 0)


def _plant(bug: Bug, seeds: int) -> Caught:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for name in ("reconciler", "tests"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        bug.plant_in(place / "reconciler")
        if bug.is_of_replicas:
            return Caught(bug, UNTRIED, UNTRIED, _replicas(place, seeds, bug.oracle))
        walk = _walk(place) if bug.file.startswith(WALKED) else NOTHING
        seed = _seed(place, seeds, bug.oracle)
        if seed == NOTHING:
            seed = _seed(place, seeds, bug.oracle, "run_watch_seed")
        return Caught(bug, walk, _scenario(place), seed)


def _walk(place: Path) -> str:
    # An ordinary run walks only some of the worlds.
    return NOTHING if _pytest(place, WALK, "--long").returncode == 0 else "yes"


def _scenario(place: Path) -> str:
    ended = _pytest(place, *SCENARIOS)
    if ended.returncode == 0:
        return NOTHING
    failed = next((line for line in ended.stdout.splitlines() if line.startswith("FAILED")), "FAILED ::crash")
    return f"`{failed.split('::')[1].split(' ')[0].split('[')[0]}`"


def _seed(place: Path, seeds: int, oracle: str | None, run: str = "run_seed") -> str:
    """Return the first oracle that detects the bug, and the number of seeds until then; `NOTHING` if none does.

    If `oracle` is not None, only this oracle counts.
    """
    noun = "watch" if run == "run_watch_seed" else ""
    for first in range(0, seeds, AT_ONCE):
        judged = f"check_seeds(range({first}, {first + AT_ONCE}), {run})"
        script = f"from tests.scenario.seed_runner import check_seeds, {run}; print({judged}.wrong)"
        ended = _python(place, "-c", script)
        if ended.returncode != 0:
            return f"crash, after {_counted(first + AT_ONCE, noun)}"
        for number, wrong in ast.literal_eval(ended.stdout):
            oracles = [each.partition(":")[0] for each in wrong]
            if oracle is None or oracle in oracles:
                return f"`{oracle or oracles[0]}`, after {_counted(number + 1, noun)}"
    return NOTHING


def _replicas(place: Path, seeds: int, oracle: str | None) -> str:
    """Return what `_seed` returns, for the runs of replicas. One process makes all runs until one is wrong."""
    script = (
        "from tests.scenario.replica_runs import run_replicas_seed\n"
        f"wrong = ((seed, run_replicas_seed(seed).wrong) for seed in range({seeds}))\n"
        "print(next(((seed, found) for seed, each in wrong if (found := [text.partition(':')[0] for text in each])"
        f" and {oracle!r} in (None, *found)), None))"
    )
    ended = _python(place, "-c", script)
    if ended.returncode != 0:
        return "crash, in a run of replicas"
    found = ast.literal_eval(ended.stdout)
    return NOTHING if found is None else f"`{oracle or found[1][0]}`, after {_counted(found[0] + 1, 'run')} of replicas"


def _counted(number: int, noun: str) -> str:
    """Return `1 watch`, `2 watches`, or only the number for seeds, whose noun is empty."""
    many = "es" if noun.endswith("ch") else "s"
    return f"{number} {noun}{many * (number != 1)}" if noun else str(number)


def _pytest(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _python(place, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *arguments)


def _python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=place, env=environ, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    main()
