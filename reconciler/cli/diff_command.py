"""`reconcile diff`: compares jobs with their specs and their recorded statuses."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, read_statuses_of
from reconciler.cli.option_values import paths, selection, trust_sources
from reconciler.cli.options import CONSOLE, PATHS, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import show_progress
from reconciler.controller.run_options import SafetyOptions
from reconciler.model.exit_code import ExitCode, worst
from reconciler.views.comparison_text import Comparisons
from reconciler.views.problems import unobserved_accounts
from reconciler.views.renderers import renderer
from reconciler.views.row_state import is_drifting


@click.command(
    epilog=examples(
        "reconcile diff support-triage",
        "reconcile diff --selector team=support",
    )
)
@ANY_NAMES
@output_option("diff")
@options(PATHS, SELECTION, TRUST, CONSOLE)
def diff(*, names: tuple[str, ...], output: str, **values: Any) -> int:
    """Compare the wanted, recorded and live state of jobs.

    The command queries the providers and changes nothing. Each named job is shown. Without a name, the jobs that differ
    from their specs are shown. A fact in which the job differs from its spec is marked with `!`, and one in which its
    recorded status is out of date with `~`. If a job differs from its spec and there is no error, the command exits
    with 2, as `plan --detailed-exitcode` and `drift` do.
    """
    console = ConsoleOutput.of(values)
    read_statuses_of(values, names)
    with show_progress(console, "observing the jobs") as progress:
        report = asyncio.run(
            wiring.make_plan(
                paths(values), selection(values, names), SafetyOptions(), trust_sources(values), progress.on_event
            )
        )
    different = [row for row in report.rows if is_drifting(row)]
    is_complete = not unobserved_accounts(report) and all(row.unobserved is None for row in report.rows)
    console.show("diff", output, Comparisons(report.rows if names else different, is_complete))
    console.show_problems(renderer("diff", output).stderr_problems(report))
    codes = report.exit_codes - {ExitCode.STALLED}
    return worst(codes | {ExitCode.CHANGES_PENDING} if different else codes)
