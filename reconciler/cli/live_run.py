"""A run that requests changes, for `--once` and `retry`: with progress lines, and a summary if it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.progress_output import show_progress
from reconciler.model.action_record import Notify
from reconciler.model.report import Report
from reconciler.views.activity import ActivityLine

ALREADY_REPORTED = "the interrupt was reported"
Run = Callable[[Notify], Coroutine[Any, Any, Report]]


def run_with_progress(console: ConsoleOutput, current_step: str, run: Run) -> tuple[Report, Collection[str]]:
    """Run and show the progress. Return the report, and the names of the jobs whose changes need not be printed again.

    A change need not be printed again if it was printed as progress, and stderr and stdout go to the same reader. On an
    interrupt, print which requests were sent and which are still open, and raise `click.Abort` with an argument, so
    that `program.run` does not report the interrupt again. Raises the errors of `run` too. `current_step` is what the
    run does at first.
    """
    with show_progress(console, current_step, has_events=True) as progress:
        try:
            report = asyncio.run(run(progress.on_event))
        except KeyboardInterrupt:
            progress.print_line(ActivityLine(progress.activity.interrupted_text(progress.elapsed_s), {}))
            progress.print_line(ActivityLine("All requests are recorded, so the next pass continues from here.", {}))
            raise click.Abort(ALREADY_REPORTED) from None
    if progress.has_printed and console.has_merged_streams and not console.is_json_log:
        console.log("")  # an empty line between the progress and the result
    return report, progress.activity.reported if console.has_merged_streams else ()
