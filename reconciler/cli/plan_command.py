"""`reconcile plan`: shows the changes that a pass would request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, report_to_ci, write_file
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, paths, safety_options, selection, trust_sources
from reconciler.cli.options import CI, CONSOLE, PATHS, SAFETY, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import show_progress
from reconciler.formats.plan_file import render_plan
from reconciler.model.exit_code import ExitCode
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import Report
from reconciler.views.row_state import is_pending


@click.command(
    epilog=examples(
        "reconcile plan",
        "reconcile plan --selector team=support --detailed-exitcode",
        "reconcile plan -o markdown > comment.md",
    )
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with code 2 if changes are pending.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the planned changes to this file, for reconcile --once --plan FILE.",
)
@output_option("plan")
@options(PATHS, SELECTION, SAFETY, TRUST, CI, CONSOLE)
def plan(*, detailed_exitcode: bool, out: Path | None, output: str, **values: Any) -> int:
    """Show the changes that a pass would request.

    The command only reads from the providers. It also warns of announced ends of services and models that concern the
    jobs; the warnings do not change the exit code. The format -o markdown is for comments on pull requests.
    """
    console = ConsoleOutput.of(values)
    report = planned(values, console)
    if detailed_exitcode and any(is_pending(row) for row in report.rows):
        report = replace(report, exit_codes=report.exit_codes | {ExitCode.CHANGES_PENDING})
    pinned = pinned_plan(report)
    if out is not None:
        write_file("--out", out, render_plan(pinned).encode())
    code = console.show_report(report, "plan", output, specs=paths(values).specs)
    report_to_ci(values, console, CiReport(report, "plan", pinned))
    return code


def planned(values: OptionValues, console: ConsoleOutput) -> Report:
    """Return the plan that the options of a command line select. Raises the errors of `wiring.make_plan`."""
    with show_progress(console, "reading the specs") as progress:
        return asyncio.run(
            wiring.make_plan(
                paths(values),
                selection(values),
                safety_options(values),
                trust_sources(values),
                progress.on_event,
                with_ends=True,
            )
        )


def pinned_plan(report: Report) -> PinnedPlan:
    """Return the changes of a plan as a pinned plan."""
    return PinnedPlan.of(row.action for row in report.changes if row.action is not None)
