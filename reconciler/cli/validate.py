"""`reconcile validate`: whether every document is valid."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.given import place
from reconciler.cli.options import PLACE, SCREEN, options
from reconciler.cli.options import output as output_option
from reconciler.cli.screen import Screen
from reconciler.views.problems import problems, validation_text


@click.command()
@output_option("text", "json")
@options(PLACE, SCREEN)
def validate(*, output: str, **given: Any) -> int:
    """Check every document, without a key or a network.

    What is wrong stands on stdout as file:line: field: what, one line each.
    """
    screen = Screen.of(given)
    report = wiring.validate(place(given))
    if output == "json":
        return screen.conclude_json(report, operation="validate")
    screen.result(validation_text(report, screen.canvas(sys.stdout)))
    screen.say(problems(replace(report, diagnostics=())))
    return report.exit_code
