"""`reconcile get`: where jobs stand, from the status files: no key, no network; or live, from the providers."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, check_names
from reconciler.cli.live_table import watch_table
from reconciler.cli.option_values import OptionValues, place, selection, trust
from reconciler.cli.options import PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.controller.run_options import SafetyOptions
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.report import Report
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.renderers import render, renderer

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
@click.option("--live", is_flag=True, help="Query the providers instead of reading the statuses. Writes nothing.")
@click.option(
    "--watch", is_flag=True, help="Keep watching: a live table on a terminal, otherwise a line for each change."
)
@output_option("get")
@options(PLACE, SELECTION, TRUST, SCREEN)
def get(*, names: tuple[str, ...], live: bool, watch: bool, output: str, **given: Any) -> int:
    """List jobs with their last recorded status.

    A job whose spec has changed since its status was written is shown as OutOfDate. --live asks the providers instead;
    with --watch it does so every ten seconds.
    """
    screen = ConsoleOutput.of(given)
    known = {row.name for row in wiring.read_statuses(place(given), selection(given)).rows}
    found = tuple(name for name in names if name in known)
    if watch or not found:
        check_names(names, known)
    if watch:
        if renderer("get", output).live is None:
            msg = f"--watch shows a table; it does not go with -o {output}."
            raise click.UsageError(msg)
        every_s = LOOKS_EVERY_S if live else FILES_EVERY_S
        asyncio.run(watch_table(screen, lambda: _look(given, names, is_live=live), every_s, output))
        return ExitCode.OK
    report = asyncio.run(_look(given, found, is_live=live))
    screen.long_result(render("get", output, report, screen.context()))
    screen.say(renderer("get", output).stderr_problems(report))
    screen.note(last_pass_text(report, screen.now()))
    check_names(names, known, report.diagnostics)
    is_unread = not report.rows and any(each.severity is Severity.ERROR for each in report.diagnostics)
    return worst(report.exit_codes | {ExitCode.INVALID_DOCUMENT}) if is_unread else report.exit_code


async def _look(given: OptionValues, names: tuple[str, ...], *, is_live: bool) -> Report:
    if is_live:
        return await wiring.make_plan(place(given), selection(given, names), SafetyOptions(), trust(given))
    return wiring.read_statuses(place(given), selection(given, names))
