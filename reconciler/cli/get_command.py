"""`reconcile get`: where jobs stand, from the status files: no key, no network; or live, from the providers."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.job_names import ANY_NAMES, check_names
from reconciler.cli.live_table import watch_table
from reconciler.cli.option_values import Given, place, selection, trust
from reconciler.cli.options import PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.controller.run_options import Brakes
from reconciler.formats.status_writer import render_status
from reconciler.model.report import Report
from reconciler.views.problems import problems, unseen
from reconciler.views.status_json import get_json
from reconciler.views.status_table import get_text

FILES_EVERY_S = 1.0
LOOKS_EVERY_S = 10.0


@click.command(
    epilog=examples(
        "reconcile get",
        "reconcile get --selector team=support -o wide",
        "reconcile get --live --watch",
        "reconcile get support-triage -o yaml",
    )
)
@ANY_NAMES
@click.option("--live", is_flag=True, help="Ask the providers, in place of reading the statuses. Nothing is written.")
@click.option(
    "--watch", is_flag=True, help="Go on: a table that moves on a terminal, elsewhere a line for each change."
)
@output_option("table", "wide", "json", "yaml")
@options(PLACE, SELECTION, TRUST, SCREEN)
def get(*, names: tuple[str, ...], live: bool, watch: bool, output: str, **given: Any) -> int:
    """Show where jobs stand, from the status files alone.

    A job whose spec has changed since its status was written is shown as OutOfDate. --live asks the providers instead;
    with --watch it does so every ten seconds.
    """
    screen = Screen.of(given)
    check_names(names, {row.name for row in wiring.read_statuses(place(given), selection(given)).rows})
    if watch:
        if output not in {"table", "wide"}:
            msg = f"--watch shows a table; it does not go with -o {output}."
            raise click.UsageError(msg)
        every_s = LOOKS_EVERY_S if live else FILES_EVERY_S
        asyncio.run(watch_table(screen, lambda: _look(given, names, is_live=live), every_s, is_wide=output == "wide"))
    report = asyncio.run(_look(given, names, is_live=live))
    screen.long_result(_text(report, output, screen))
    screen.say((*unseen(report), *problems(report)))
    return report.exit_code


async def _look(given: Given, names: tuple[str, ...], *, is_live: bool) -> Report:
    if is_live:
        return await wiring.make_plan(place(given), selection(given, names), Brakes(), trust(given))
    return wiring.read_statuses(place(given), selection(given, names))


def _text(report: Report, output: str, screen: Screen) -> str:
    if output == "json":
        return get_json(report.rows)
    if output == "yaml":
        return "---\n".join(render_status(row.status) for row in report.rows)
    return get_text(report.rows, screen.canvas(sys.stdout), screen.now(), is_wide=output == "wide")
