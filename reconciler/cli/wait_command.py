"""`reconcile wait`: waits until jobs reach a state."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.choices import OneOf
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, read_required_statuses
from reconciler.cli.option_values import output_format, paths, seconds, trust_sources
from reconciler.cli.options import CONSOLE, PATHS, SELECTION, TRUST, examples, options, output
from reconciler.cli.progress_output import show_progress
from reconciler.controller.run_options import SafetyOptions, Selection
from reconciler.controller.wait import Goal, judge, wait_for
from reconciler.local.clock import SystemClock
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.renderers import renderer
from reconciler.views.text import names as list_of
from reconciler.views.wait_text import WaitResult

READ_EVERY_S = 0.5
"""The time between two reads of the status files, in seconds."""
QUERY_EVERY_S = 10.0
"""The time between two queries of the provider with `--live`, in seconds."""


@click.command(
    epilog=examples(
        "reconcile wait support-triage --for cancelled --timeout 10m",
        "reconcile wait --selector team=support",
        "reconcile wait nightly-ranker --for succeeded --live --timeout 12h",
    )
)
@ANY_NAMES
@click.option(
    "--for",
    "goal",
    type=OneOf([str(each) for each in Goal]),
    default=str(Goal.SETTLED),
    show_default=True,
    help="State to wait for; settled means ready or suspended, so that no change is in progress.",
)
@click.option("--timeout", default="30m", show_default=True, metavar="DURATION", help="How long to wait.")
@click.option("--live", is_flag=True, help="Query the provider every ten seconds instead of reading the statuses.")
@output("wait")
@options(PATHS, SELECTION, TRUST, CONSOLE)
def wait(*, names: tuple[str, ...], goal: str, live: bool, **values: Any) -> int:
    """Wait until jobs reach a state.

    The jobs are named, or selected with --selector, --provider or --kind at the start.
    Without --live, the command reads the status files, which another reconcile process must update.

    The command exits with 0 once all jobs are in the state, with 1 as soon as a job is stalled or can no longer reach
    the state, and with 75 after the timeout.
    """
    console = ConsoleOutput.of(values)
    names = tuple(row.name for row in read_required_statuses(values, names).rows)
    chosen = Selection(names=names, kind=values["kind"])

    async def load_report() -> Report:
        if live:
            options_ = SafetyOptions()
            return await wiring.make_plan(paths(values), chosen, options_, trust_sources(values), progress.on_event)
        return wiring.read_statuses(paths(values), chosen)

    step = f"waiting until {list_of(names)} {'is' if len(names) == 1 else 'are'} {goal}"
    with show_progress(console, step) as progress:
        report, code = asyncio.run(
            wait_for(
                load_report,
                Goal(goal),
                SystemClock(),
                interval_s=QUERY_EVERY_S if live else READ_EVERY_S,
                timeout_s=seconds(values, "timeout"),
                on_report=progress.on_report,
            )
        )
    wanted = output_format(values, "wait")
    jobs = tuple((row, judge(row, Goal(goal))) for row in report.rows)
    console.show("wait", wanted, WaitResult(goal, jobs, is_timed_out=code is ExitCode.TIMED_OUT))
    console.show_problems(renderer("wait", wanted).stderr_problems(report))
    console.show_hint(last_pass_text(report, console.now()))
    return code
