"""`python -m tests.mutants --sample N --seed S [MODULE...]`: run random mutants, and print the undetected ones."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutants.checkout import Copy, Fate, Survivor

EXPLAINED = Path(__file__).with_name("equivalent.toml")


def main() -> int:
    """Test a sample of mutants, and print the figures and the survivors. Return 1 if too few are detected."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", default=["reconciler.core"], metavar="MODULE", help="module or package to mutate"
    )
    parser.add_argument("--sample", type=int, default=300, metavar="N", help="number of mutants; 0 means all")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the sample")
    parser.add_argument(
        "--at-least", type=float, default=95, metavar="PERCENT", help="share of the mutants that must be detected"
    )
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        copy = Copy.of(Path(directory), words.modules)
        mutants = copy.mutants()
        lots = random.Random(words.seed)  # noqa: S311 - a sample, not a secret
        drawn = sorted(lots.sample(mutants, min(words.sample or len(mutants), len(mutants))))
        fates = copy.run(drawn)
        left = [copy.survivor(name, fate) for name, fate in fates.items() if fate in (Fate.SURVIVED, Fate.UNTESTED)]
    noticed, counts = len(drawn) - len(left), Counter(fates.values())
    share = 100 * noticed / len(drawn)
    told = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate])
    sys.stdout.write(
        f"{len(mutants)} mutants, {len(drawn)} tried (seed {words.seed}): {told}; {share:.1f} % detected\n"
    )
    _tell(left, tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get("mutant", []))
    return 0 if share >= words.at_least else 1


def _tell(survivors: list[Survivor], explained: list[dict[str, Any]]) -> None:
    for each in survivors:
        why = next((str(entry["why"]) for entry in explained if _is_about(entry, each)), "not explained")
        sys.stdout.write(f"\n{each.function}: {each.fate} ({each.name})\n")
        sys.stdout.writelines(f"  - {line}\n" for line in each.was)
        sys.stdout.writelines(f"  + {line}\n" for line in each.instead)
        sys.stdout.write(f"  why: {why}\n")


def _is_about(entry: dict[str, Any], survivor: Survivor) -> bool:
    lines = "\n".join(survivor.instead)
    return bool(entry["function"] == survivor.function and entry.get("instead", lines) == lines)


if __name__ == "__main__":
    sys.exit(main())
