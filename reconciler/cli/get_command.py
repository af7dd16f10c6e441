"""`reconcile get`: lists jobs, from the status files without a credential, or with `--live` from the providers."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, check_names, reading_exit_code
from reconciler.cli.live_table import watch_table
from reconciler.cli.option_values import OptionValues, paths, selection, trust_sources
from reconciler.cli.options import ARCHIVED, CONSOLE, PATHS, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.controller.run_options import SafetyOptions
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.renderers import render, renderer

READ_EVERY_S = 1.0
"""The time between two reads of the status files with `--watch`, in seconds."""
QUERY_EVERY_S = 10.0
"""The time between two queries of the providers with `--watch --live`, in seconds."""


@click.command(
    epilog=examples(
        "reconcile get",
        "reconcile get --selector team=support -o wide",
        "reconcile get --live --watch",
        "reconcile get support-triage -o yaml",
        "reconcile get -o custom-columns=NAME:.metadata.name,TEAM:.metadata.labels.team",
    )
)
@ANY_NAMES
@click.option("--live", is_flag=True, help="Show the state that the providers report now. No status is written.")
@click.option(
    "--watch", is_flag=True, help="Keep watching: a live table on a terminal, otherwise a line for each change."
)
@output_option("get")
@options(ARCHIVED, PATHS, SELECTION, TRUST, CONSOLE)
def get(*, names: tuple[str, ...], live: bool, watch: bool, output: str, **values: Any) -> int:
    """List jobs with their last recorded status.

    A job whose spec is new, or has changed since its status was written, is shown as OutOfDate. With --live, the
    command queries the providers instead. With --live and --watch, it queries them every ten seconds.
    """
    console = ConsoleOutput.of(values)
    _check_archived(values, is_live=live)
    everything = wiring.read_statuses(paths(values), selection(values), is_archived=values["archived"])
    known = {row.name for row in everything.rows}
    found = tuple(name for name in names if name in known)
    # If some names are known, the result is shown before the unknown names are reported below.
    if watch or not found:
        check_names(values, names, known)
    if watch:
        if renderer("get", output).live is None:
            msg = f"--watch shows a table, so it cannot be combined with -o {output}: use -o table or -o wide."
            raise click.UsageError(msg)
        every_s = QUERY_EVERY_S if live else READ_EVERY_S
        asyncio.run(watch_table(console, lambda: _load_report(values, names, is_live=live), every_s, output))
        return ExitCode.OK
    report = asyncio.run(_load_report(values, found, is_live=live)) if live or found else everything
    console.page_result(render("get", output, report, console.context()))
    console.show_problems(renderer("get", output).stderr_problems(report))
    console.show_hint(last_pass_text(report, console.now()))
    check_names(values, names, known, report.diagnostics)
    return reading_exit_code(report)


def _check_archived(values: OptionValues, *, is_live: bool) -> None:
    if values["archived"] and is_live:
        msg = "--archived cannot be combined with --live: no job in the archive is observed."
        raise click.UsageError(msg)


async def _load_report(values: OptionValues, names: tuple[str, ...], *, is_live: bool) -> Report:
    if is_live:
        return await wiring.make_plan(paths(values), selection(values, names), SafetyOptions(), trust_sources(values))
    return wiring.read_statuses(paths(values), selection(values, names), is_archived=values["archived"])
