"""`reconcile validate`: whether every document is valid."""

from __future__ import annotations

from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, tell_ci
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import place
from reconciler.cli.options import AUTHOR, CI, PLACE, SCREEN, examples, options
from reconciler.cli.options import output as output_option


@click.command(
    epilog=examples(
        "reconcile validate",
        "reconcile validate --since origin/main --junit validate.xml",
    )
)
@output_option("validate")
@click.option(
    "--since",
    metavar="REV",
    help="Also check each commit since: only reconcile may write statuses. It finds accidents: authors are free text.",
)
@options(PLACE, AUTHOR, CI, SCREEN)
def validate(*, output: str, since: str | None, **given: Any) -> int:
    """Check every document, without a credential or a network.

    What is wrong stands on stdout as file:line: field: what, one line each. A status that was edited by hand is wrong;
    whose commits are reconcile's own, --commit-author says.
    """
    screen = ConsoleOutput.of(given)
    report = wiring.validate(place(given), since=since, author=given["commit_author"])
    code = screen.conclude(report, "validate", output)
    tell_ci(given, screen, CiReport(report, "validate"))
    return code
