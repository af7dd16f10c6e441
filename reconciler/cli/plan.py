"""`reconcile plan`: what a pass would do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.given import brakes, place, selection, trust
from reconciler.cli.options import BRAKES, PLACE, SCREEN, SELECTION, TRUST, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress import progress
from reconciler.cli.screen import Screen
from reconciler.model.plan import ExitCode
from reconciler.views.outlook import is_pending
from reconciler.views.plan_text import plan_text


@click.command()
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if changes are pending.")
@output_option("text", "json")
@options(PLACE, SELECTION, BRAKES, TRUST, SCREEN)
def plan(*, detailed_exitcode: bool, output: str, **given: Any) -> int:
    """Show what a pass would do, and do none of it.

    Looks at the providers, and asks them for nothing but that.
    """
    screen = Screen.of(given)
    with progress(screen, "looking at the providers"):
        report = asyncio.run(wiring.make_plan(place(given), selection(given), brakes(given), trust(given)))
    if detailed_exitcode and any(is_pending(row) for row in report.rows):
        report = replace(report, exit_codes=report.exit_codes | {ExitCode.CHANGES_PENDING})
    return screen.conclude(report, plan_text, output=output, operation="plan")
