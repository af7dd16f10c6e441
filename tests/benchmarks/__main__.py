"""`python -m tests.benchmarks`: compare with peers in the same run, and print tables. No test depends on a time.

`--write` puts the tables into `.github/PERFORMANCE.md`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import (
    commit_to_cancel,
    confirmed_cancels,
    many_accounts,
    one_process,
    pages,
    passes,
    scrapes,
    slowest,
    starts,
)
from tests.benchmarks.figures import with_section
from tests.benchmarks.growth import growth
from tests.benchmarks.machine import machine
from tests.benchmarks.world import fleet, note
from tests.support.cli import COLD as NEW_INTERPRETERS
from tests.support.markdown_table import ROOT, table

DOCUMENT = ROOT / ".github" / "PERFORMANCE.md"
SIZES = (1_000, 10_000)
IDLE_S = 20.0
PROFILED_UP_TO = 10_000
"""The largest size that is profiled, because a profiler makes a run several times as long."""

NOT_MEASURED = "This part failed in this run, and has no figures."

Section = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """Sections of the document that are measured together. A failure in one part does not end the run."""

    sections: tuple[str, ...]
    measure: Callable[[Path], Iterator[Section]]


def sizes_of(text: str) -> tuple[int, ...]:
    """Parse sizes such as `1000,10000`, and return them in ascending order."""
    return tuple(sorted({int(word) for word in text.split(",")}))


def parts(sizes: tuple[int, ...], idle_s: float) -> Iterator[Part]:
    """Yield everything that is measured, in order."""
    yield Part(("machine",), lambda _: iter([("machine", table(("Fact", "This run"), *machine(sizes)))]))
    yield Part(("starts",), lambda root: iter([("starts", starts.measure(root))]))
    yield Part(("passes", "growth", "saves", "idle", "profile"), lambda root: _by_size(root, sizes, idle_s))
    yield Part(("bursts",), lambda root: iter([("bursts", commit_to_cancel.measure_bursts(root))]))
    yield Part(("cancels",), lambda root: iter([("cancels", confirmed_cancels.measure(root))]))
    yield Part(("accounts",), lambda root: iter([("accounts", many_accounts.measure(root))]))
    yield Part(("process",), lambda root: iter([("process", one_process.measure(root, idle_s))]))
    yield Part(("scrapes",), lambda _: iter([("scrapes", scrapes.measure())]))
    yield Part(("pages",), lambda _: iter([("pages", pages.measure())]))


def measured(part: Part, root: Path) -> tuple[dict[str, str], bool]:
    """Measure a part. Return the text of each of its sections, and whether the measurement was complete.

    If a section is measured twice, its last text counts. If the measurement fails, the error is printed, and a section
    without a text gets `NOT_MEASURED`.
    """
    found: dict[str, str] = {}
    is_complete = True
    try:
        found.update(part.measure(root))
    except Exception:  # noqa: BLE001 - any failure, so that the other parts are measured
        traceback.print_exc()
        is_complete = False
    return {name: found.get(name, NOT_MEASURED) for name in part.sections}, is_complete


def _by_size(root: Path, sizes: tuple[int, ...], idle_s: float) -> Iterator[Section]:
    found, saved, profile = [], [], ""
    for size in sizes:
        with fleet(root / str(size), size) as at_size:
            found.append(passes.measure(at_size))
            saved.append(commit_to_cancel.measure(at_size, idle_s))
            if size <= PROFILED_UP_TO or not profile:
                name, modules, functions = slowest.profile(at_size, found[-1])
                profile = f"{name}, {size:,} specs:\n\n{modules}\n\n{functions}"
        saves, idles = commit_to_cancel.tables(saved)
        yield "passes", "\n\n".join(f"### {each.size:,} specs\n\n{each.rows()}" for each in found)
        yield "growth", growth(found)
        yield "saves", saves
        yield "idle", idles
        yield "profile", profile


def main() -> None:
    """Run every benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=sizes_of, default=SIZES, help="numbers of specs (default: 1000,10000)")
    parser.add_argument(
        "--idle-s", type=float, default=IDLE_S, help="seconds for which each watch is idle (default: 20)"
    )
    parser.add_argument("--write", action="store_true", help=f"write the tables into {DOCUMENT.relative_to(ROOT)}")
    given = parser.parse_args()
    os.environ[NEW_INTERPRETERS] = "1"
    begun = time.monotonic()
    text = DOCUMENT.read_text(encoding="utf-8")
    has_failed = False
    for part in parts(given.sizes, given.idle_s):
        with tempfile.TemporaryDirectory() as directory:
            sections, is_complete = measured(part, Path(directory))
        for name, body in sections.items():
            sys.stdout.write(f"\n{name}\n\n{body}\n")
            text = with_section(text, name, body)
        sys.stdout.flush()
        has_failed |= not is_complete
    note(f"done in {time.monotonic() - begun:.0f} s")
    if given.write:
        DOCUMENT.write_text(text, encoding="utf-8")
    sys.exit(has_failed)


if __name__ == "__main__":
    main()
