"""`reconcile plan`: what a pass would do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, tell_ci
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import brakes, place, selection, trust
from reconciler.cli.options import BRAKES, CI, PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import progress
from reconciler.formats.plan_file import render_plan
from reconciler.local.file_writer import replace_file
from reconciler.model.exit_code import ExitCode
from reconciler.model.pinned_plan import PinnedPlan
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
    help="Write the plan to this file, for reconcile --once --plan FILE.",
)
@output_option("plan")
@options(PLACE, SELECTION, BRAKES, TRUST, CI, SCREEN)
def plan(*, detailed_exitcode: bool, out: Path | None, output: str, **given: Any) -> int:
    """Show which changes a pass would request, and request none.

    Looks at the providers, and asks them for nothing but that. With -o markdown it is made for a comment on a pull
    request.
    """
    screen = ConsoleOutput.of(given)
    with progress(screen, "reading the specs") as told:
        run = wiring.make_plan(place(given), selection(given), brakes(given), trust(given), told.happened)
        report = asyncio.run(run)
    if detailed_exitcode and any(is_pending(row) for row in report.rows):
        report = replace(report, exit_codes=report.exit_codes | {ExitCode.CHANGES_PENDING})
    pinned = PinnedPlan.of(row.action for row in report.changes if row.action is not None)
    if out is not None:
        replace_file(out, render_plan(pinned).encode())
    code = screen.conclude(report, "plan", output)
    tell_ci(given, screen, CiReport(report, "plan", pinned))
    return code
