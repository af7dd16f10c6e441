"""`reconcile validate`: whether every document is valid."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import Told, tell_ci
from reconciler.cli.console import Screen
from reconciler.cli.option_values import place
from reconciler.cli.options import AUTHOR, CI, PLACE, SCREEN, examples, options
from reconciler.cli.options import output as output_option
from reconciler.views.problems import problems, validation_text
from reconciler.views.result_markdown import validation_markdown


@click.command(
    epilog=examples(
        "reconcile validate",
        "reconcile validate --since origin/main --junit validate.xml",
    )
)
@output_option("text", "json")
@click.option("--since", metavar="REV", help="Also check each commit since then: only reconcile may write statuses.")
@options(PLACE, AUTHOR, CI, SCREEN)
def validate(*, output: str, since: str | None, **given: Any) -> int:
    """Check every document, without a key or a network.

    What is wrong stands on stdout as file:line: field: what, one line each. A status that was edited by hand is wrong;
    whose commits are reconcile's own, --commit-author says.
    """
    screen = Screen.of(given)
    report = wiring.validate(place(given), since=since, author=given["commit_author"])
    if output == "json":
        screen.conclude_json(report, operation="validate")
    else:
        screen.result(validation_text(report, screen.canvas(sys.stdout)))
        screen.say(problems(replace(report, diagnostics=())))
    tell_ci(given, screen, Told(report, "validate", validation_markdown))
    return report.exit_code
