"""`reconcile retry`: the next attempt of a job, now."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.job_names import NAMES, read_named
from reconciler.cli.option_values import brakes, place, seconds, trust
from reconciler.cli.options import BRAKES, PLACE, SCREEN, TRUST, examples, options, output
from reconciler.cli.progress_output import progress
from reconciler.controller.run_options import Patience, Selection
from reconciler.views.result_text import result_text


@click.command(
    epilog=examples(
        "reconcile retry support-triage",
    )
)
@NAMES
@click.option(
    "--timeout", default="5m", show_default=True, metavar="DURATION", help="How long to try what may work later."
)
@output("text", "json")
@options(PLACE, BRAKES, TRUST, SCREEN)
def retry(*, names: tuple[str, ...], **given: Any) -> int:
    """Make one pass for these jobs, in which their next attempt is due.

    For a job that was asked to stop and still runs: it is asked again now, not in six hours. Locks as --once does.
    """
    screen = Screen.of(given)
    read_named(given, names)
    with progress(screen, "asking again") as tell:
        report = asyncio.run(
            wiring.run_once(
                place(given),
                Selection(names=names, is_retry=True),
                brakes(given),
                trust(given),
                dry_run=False,
                patience=Patience(timeout_s=seconds(given, "timeout")),
                tell=tell,
            )
        )
    return screen.conclude(report, result_text, output=given["output"], operation="apply")
