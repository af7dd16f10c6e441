"""`reconcile plan`: what a pass would do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import Told, tell_ci
from reconciler.cli.console import Screen
from reconciler.cli.option_values import brakes, place, selection, trust
from reconciler.cli.options import BRAKES, CI, PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import progress
from reconciler.formats.plan_file import render_plan
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import ExitCode
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import plan_text
from reconciler.views.problems import problems
from reconciler.views.row_state import is_pending


@click.command(
    epilog=examples(
        "reconcile plan",
        "reconcile plan --selector team=support --detailed-exitcode",
        "reconcile plan -o markdown > comment.md",
    )
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if changes are pending.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the plan to a file, for reconcile --once --plan FILE.",
)
@output_option("text", "json", "markdown")
@options(PLACE, SELECTION, BRAKES, TRUST, CI, SCREEN)
def plan(*, detailed_exitcode: bool, out: Path | None, output: str, **given: Any) -> int:
    """Show what a pass would do, and do none of it.

    Looks at the providers, and asks them for nothing but that. With -o markdown it is made for a comment on a pull
    request.
    """
    screen = Screen.of(given)
    with progress(screen, "looking at the providers"):
        report = asyncio.run(wiring.make_plan(place(given), selection(given), brakes(given), trust(given)))
    if detailed_exitcode and any(is_pending(row) for row in report.rows):
        report = replace(report, exit_codes=report.exit_codes | {ExitCode.CHANGES_PENDING})
    pinned = PinnedPlan.of(row.action for row in report.changes if row.action is not None)
    if out is not None:
        out.write_text(render_plan(pinned), encoding="utf-8", newline="\n")
    if output == "markdown":
        screen.result(plan_markdown(report, screen.now()))
        screen.say(problems(report))
    else:
        screen.conclude(report, plan_text, output=output, operation="plan")
    tell_ci(given, screen, Told(report, "plan", plan_markdown, pinned))
    return report.exit_code
