"""`reconcile retry`: makes the next attempt of a change now."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, read_required_statuses
from reconciler.cli.live_run import run_with_progress
from reconciler.cli.option_values import OptionValues, paths, safety_options, seconds, trust_sources
from reconciler.cli.options import CONSOLE, PATHS, SAFETY, SELECTION, TRUST, examples, options, output
from reconciler.cli.streams import detach_from_terminal
from reconciler.controller.run_options import Selection, Timeouts
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from reconciler.views.text import names as list_of

OF_THE_WATCH = (
    "allow_cancels",
    "allow_cancel",
    "max_cancels",
    "max_cancel_percent",
    "max_cancels_absolute",
    "suspend",
    "shadow",
)
"""The options of this command that a running watch would ignore, by parameter name."""


@click.command(
    epilog=examples(
        "reconcile retry support-triage",
        "reconcile retry --provider openai",
    )
)
@ANY_NAMES
@click.option(
    "--timeout",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long to retry requests that fail; 0s tries each once.",
)
@output("apply")
@options(PATHS, SELECTION, SAFETY, TRUST, CONSOLE)
def retry(*, names: tuple[str, ...], **values: Any) -> int:
    """Retry a change now, instead of waiting for its next attempt.

    Without this command, a request that had no effect is repeated after a delay that grows to six hours. A job that is
    PausedElsewhere is resumed only by this command without --shadow, or after its spec has changed. While a watch runs
    for these specs on this machine, the command asks the watch to make the attempt, and returns at once. The watch uses
    its own options, so this command then refuses --suspend, --shadow and the options of the guard.
    """
    detach_from_terminal()
    console = ConsoleOutput.of(values)
    names = tuple(row.name for row in read_required_statuses(values, names).rows)
    try:
        report, reported = _retry(values, console, names)
    except wiring.BusyError as busy:
        if not busy.is_watch:
            raise
        _refuse_own_options(values)
        wiring.request_retry_by_watch(paths(values), names)
        console.print_result(f"A watch is running, and was asked to make the next attempt for {list_of(names)} now.\n")
        return ExitCode.OK
    return console.show_report(report, "apply", values["output"], reported)


def _refuse_own_options(values: OptionValues) -> None:
    """Raise `click.UsageError` if an option is set that the running watch would ignore."""
    given = [f"--{name.replace('_', '-')}" for name in OF_THE_WATCH if values[name] not in (None, False, ())]
    if given:
        msg = f"A watch is running for these specs, and it uses its own options: leave out {list_of(given)}."
        raise click.UsageError(msg)


def _retry(values: OptionValues, console: ConsoleOutput, names: tuple[str, ...]) -> tuple[Report, Collection[str]]:
    return run_with_progress(
        console,
        "repeating the request",
        lambda notify: wiring.run_once(
            paths(values),
            Selection(names=names, kind=values["kind"], is_retry=True),
            safety_options(values),
            trust_sources(values),
            dry_run=False,
            timeouts=Timeouts(timeout_s=seconds(values, "timeout")),
            notify=notify,
        ),
    )
