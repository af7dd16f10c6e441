"""`reconcile retry`: the next attempt of a job, now."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import NAMES, read_named
from reconciler.cli.live_run import act
from reconciler.cli.option_values import OptionValues, brakes, place, seconds, trust
from reconciler.cli.options import BRAKES, PLACE, SCREEN, TRUST, examples, options, output
from reconciler.cli.streams import work_unattended
from reconciler.controller.run_options import Selection, Timeouts
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from reconciler.views.text import names as list_of


@click.command(
    epilog=examples(
        "reconcile retry support-triage",
    )
)
@NAMES
@click.option(
    "--timeout",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long to retry failing requests before giving up.",
)
@output("apply")
@options(PLACE, BRAKES, TRUST, SCREEN)
def retry(*, names: tuple[str, ...], **given: Any) -> int:
    """Retry a change now, instead of waiting for its next attempt.

    For a job that was asked to stop and still runs: it is asked again now, not in six hours. While a watch is at work
    on these specs, the watch makes the attempt, within a few seconds.
    """
    work_unattended()
    screen = ConsoleOutput.of(given)
    read_named(given, names)
    try:
        report, told = _retry(given, screen, names)
    except wiring.BusyError as busy:
        if not busy.is_watch:
            raise
        wiring.ask_watch_to_retry(place(given), names)
        screen.result(f"A watch is at work: it makes the next attempt of {list_of(names)} now.\n")
        return ExitCode.OK
    return screen.conclude(report, "apply", given["output"], told)


def _retry(given: OptionValues, screen: ConsoleOutput, names: tuple[str, ...]) -> tuple[Report, Collection[str]]:
    return act(
        screen,
        "asking again",
        lambda notify: wiring.run_once(
            place(given),
            Selection(names=names, is_retry=True),
            brakes(given),
            trust(given),
            dry_run=False,
            patience=Timeouts(timeout_s=seconds(given, "timeout")),
            notify=notify,
        ),
    )
