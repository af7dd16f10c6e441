"""`reconcile wait`: until jobs are where they should be."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.job_names import NAMES, read_named
from reconciler.cli.option_values import place, seconds, trust
from reconciler.cli.options import PLACE, SCREEN, TRUST, OneOf, examples, options
from reconciler.cli.progress_output import progress
from reconciler.controller.run_options import Brakes, Selection
from reconciler.controller.wait import Goal, judge, wait_for
from reconciler.local.clock import SystemClock
from reconciler.model.report import ExitCode, Report
from reconciler.views.row_state import outlook
from reconciler.views.text import clean

FILES_EVERY_S = 0.5
LOOKS_EVERY_S = 10.0


@click.command(
    epilog=examples(
        "reconcile wait support-triage --for cancelled --timeout 10m",
        "reconcile wait nightly-ranker --for succeeded --live --timeout 12h",
    )
)
@NAMES
@click.option(
    "--for",
    "goal",
    type=OneOf([str(each) for each in Goal]),
    default=str(Goal.SETTLED),
    show_default=True,
    help="What to wait for; settled is ready, or suspended.",
)
@click.option("--timeout", default="30m", show_default=True, metavar="DURATION", help="How long.")
@click.option("--live", is_flag=True, help="Ask the provider, every ten seconds, in place of reading the statuses.")
@options(PLACE, TRUST, SCREEN)
def wait(*, names: tuple[str, ...], goal: str, live: bool, **given: Any) -> int:
    """Wait until jobs are where they should be.

    Reads the status files as another reconcile writes them. Ends with 0; with 1 as soon as one of the jobs is stalled
    or can no longer get there; with 75 once time has run out.
    """
    screen = Screen.of(given)
    read_named(given, names)
    chosen = Selection(names=names)

    async def look() -> Report:
        if live:
            return await wiring.make_plan(place(given), chosen, Brakes(), trust(given))
        return wiring.read_statuses(place(given), chosen)

    with progress(screen, f"waiting for {goal}") as tell:
        report, code = asyncio.run(
            wait_for(
                look,
                Goal(goal),
                SystemClock(),
                interval_s=LOOKS_EVERY_S if live else FILES_EVERY_S,
                timeout_s=seconds(given, "timeout"),
                tell=tell,
            )
        )
    screen.result("".join(f"{line}\n" for line in _told(report, Goal(goal), code)))
    return code


def _told(report: Report, goal: Goal, code: ExitCode) -> list[str]:
    """A line for each job: that it is there, or what keeps it."""
    lines = []
    for row in report.rows:
        look, is_there = outlook(row), judge(row, goal)
        state = f"{row.status.phase}, {look.reason}"
        if is_there:
            lines.append(f"{clean(row.name)}: {state}")
        elif is_there is False:
            lines.append(f"{clean(row.name)}: will not be {goal}: {state}: {clean(look.message)}")
        elif code is ExitCode.TIMED_OUT:
            lines.append(f"{clean(row.name)}: not {goal} in time: {state}: {clean(look.message)}")
        else:
            lines.append(f"{clean(row.name)}: not {goal} yet: {state}")
    return lines
