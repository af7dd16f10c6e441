"""`python -m tests.night_run`: whether a watch over many jobs grows over time.

    hour    a real watch for an hour, after a warm-up, which is scraped every 15 s
    night   eight hours of virtual time in the simulator
    judge   the samples of an earlier hour

The exit code is 1 if a measure grows by more than its tolerance, or if a cancel was lost or requested too often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.night_run import real_hour, virtual_hours
from tests.night_run.samples import Sample, measures
from tests.night_run.trend import HEAD, trend
from tests.night_run.workload import PERIOD_MIN
from tests.support.markdown_table import table

SAMPLES = "samples.jsonl"
MOST_TYPES = 15
"""The number of types whose living objects are printed."""
MOST_REQUESTS = 2
"""How often one cancel may be requested: once, and once more if the response to the first request was lost."""


def hour(given: argparse.Namespace) -> bool:
    """Run the real hour, and return whether nothing grows and no cancel was lost."""
    directory = Path(given.directory or tempfile.mkdtemp(prefix="night-run-"))
    directory.mkdir(parents=True, exist_ok=True)
    ran = asyncio.run(real_hour.run(_plan(given), directory, directory / SAMPLES))
    is_steady = judged(given, ran.samples)
    cancels = ran.provider.cancels
    most = max(cancels.values(), default=0)
    lost = f"lost: {len(ran.lost)}" + (f" ({', '.join(ran.lost[:5])})" if ran.lost else "")
    sys.stdout.write(f"{cancels.total()} cancel requests for {len(cancels)} jobs, at most {most} for one; {lost}\n")
    return is_steady and not ran.lost and most <= MOST_REQUESTS


def judge(given: argparse.Namespace) -> bool:
    """Judge the samples of an earlier hour."""
    text = (Path(given.directory) / SAMPLES).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return judged(given, [(row["s"], row) for row in rows if row["s"] >= given.warm_up * _plan(given).minute_s])


def judged(given: argparse.Namespace, samples: Sequence[tuple[float, Sample]]) -> bool:
    """Print the table of the samples, and return whether nothing grows."""
    found = measures(kept_statuses=_plan(given).kept_statuses, is_remote=given.remote)
    period_s = PERIOD_MIN * _plan(given).minute_s
    trends = [trend(each, [(at, row[key]) for at, row in samples], period_s) for key, each in found.items()]
    sys.stdout.write(f"{table(HEAD, *(each.row() for each in trends))}\n")
    return not any(each.grows for each in trends)


def night(given: argparse.Namespace) -> bool:
    """Simulate a night, print what each hour needed, and return whether nothing grows."""
    ran = virtual_hours.run(virtual_hours.Night(given.hours, given.jobs, given.accounts))
    hours, cancels, leaks = ran.hours, ran.cancels, ran.leaks()
    rows = [(str(at), *(f"{value:,.0f}" for value in each.values())) for at, each in enumerate(hours, 1)]
    most = max(cancels.values(), default=0)
    sys.stdout.write(f"{table(('Hour', *hours[0]), *rows)}\n")
    sys.stdout.write(f"{cancels.total()} cancel requests for {len(cancels)} jobs, at most {most} for one\n")
    kinds = ran.alive[-1].most_common(MOST_TYPES)
    by_type = [(name, *(f"{each[name]:,}" for each in ran.alive)) for name, _ in kinds]
    sys.stdout.write(f"{table(('Living objects', *(f'hour {at}' for at, _ in enumerate(hours, 1))), *by_type)}\n")
    for name, (most, fewest) in leaks.items():
        sys.stdout.write(f"{name}: at most {most:,} objects in the first half, and at least {fewest:,} in the second\n")
    sys.stdout.write(f"{len(ran.alive[-1])} types of the product have objects, {len(leaks)} of them leak\n")
    return not leaks and most <= MOST_REQUESTS


def _plan(given: argparse.Namespace) -> real_hour.Plan:
    return real_hour.Plan(
        given.jobs,
        given.accounts,
        given.minutes,
        given.warm_up,
        given.every_s,
        given.remote,
        given.memory_every_s,
        given.faster,
        given.frames,
        given.collect,
    )


PARTS = {"hour": hour, "night": night, "judge": judge}


def main() -> None:
    """Run the part that the arguments name."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.night_run", description=__doc__, formatter_class=raw)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--jobs", type=int, default=5_000, help="number of specs (default: 5000)")
    parser.add_argument("--accounts", type=int, default=8, help="number of accounts, at least 5 (default: 8)")
    parser.add_argument("--hours", type=int, default=8, help="night: hours of virtual time (default: 8)")
    parser.add_argument("--minutes", type=int, default=100, help="hour: minutes of the whole run (default: 100)")
    parser.add_argument("--warm-up", type=int, default=40, help="hour: minutes that are not judged (default: 40)")
    parser.add_argument("--every-s", type=float, default=15.0, help="hour: seconds between samples (default: 15)")
    parser.add_argument("--remote", action="store_true", help="hour: specs and statuses are in a Git remote")
    parser.add_argument("--faster", type=float, default=1, help="hour: how often faster a minute passes (default: 1)")
    parser.add_argument("--memory-every-s", type=float, default=60, help="hour: seconds between two records of memory")
    parser.add_argument("--frames", type=int, default=0, help="hour: frames of each allocation to record (default: 0)")
    parser.add_argument("--collect", action="store_true", help="hour: collect garbage before each record of memory")
    parser.add_argument("--directory", help="hour, judge: directory of the files (default: a temporary one)")
    given = parser.parse_args()
    sys.exit(0 if PARTS[given.part](given) else 1)


if __name__ == "__main__":
    main()
