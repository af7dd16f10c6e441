"""`reconcile wait`: until jobs are where they should be."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import NAMES, read_named
from reconciler.cli.option_values import output_of, place, seconds, trust
from reconciler.cli.options import PLACE, SCREEN, TRUST, OneOf, examples, options, output
from reconciler.cli.progress_output import progress
from reconciler.controller.run_options import SafetyOptions, Selection
from reconciler.controller.wait import Goal, judge, wait_for
from reconciler.local.clock import SystemClock
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.renderers import renderer
from reconciler.views.text import names as list_of
from reconciler.views.wait_text import WaitResult

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
    help="State to wait for; settled means ready or suspended.",
)
@click.option("--timeout", default="30m", show_default=True, metavar="DURATION", help="How long to wait.")
@click.option("--live", is_flag=True, help="Query the provider every ten seconds instead of reading the statuses.")
@output("wait")
@options(PLACE, TRUST, SCREEN)
def wait(*, names: tuple[str, ...], goal: str, live: bool, **given: Any) -> int:
    """Wait until jobs reach a state.

    Reads the status files as another reconcile writes them. Ends with 0; with 1 as soon as one of the jobs is stalled
    or can no longer get there; with 75 once time has run out.
    """
    screen = ConsoleOutput.of(given)
    read_named(given, names)
    chosen = Selection(names=names)

    async def look() -> Report:
        if live:
            return await wiring.make_plan(place(given), chosen, SafetyOptions(), trust(given), told.happened)
        return wiring.read_statuses(place(given), chosen)

    with progress(screen, f"waiting until {list_of(names)} {'is' if len(names) == 1 else 'are'} {goal}") as told:
        report, code = asyncio.run(
            wait_for(
                look,
                Goal(goal),
                SystemClock(),
                interval_s=LOOKS_EVERY_S if live else FILES_EVERY_S,
                timeout_s=seconds(given, "timeout"),
                tell=told.reported,
            )
        )
    wanted = output_of(given, "wait")
    jobs = tuple((row, judge(row, Goal(goal))) for row in report.rows)
    screen.show("wait", wanted, WaitResult(goal, jobs, is_timed_out=code is ExitCode.TIMED_OUT))
    screen.say(renderer("wait", wanted).stderr_problems(report))
    screen.note(last_pass_text(report, screen.now()))
    return code
