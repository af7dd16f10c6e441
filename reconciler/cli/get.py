"""`reconcile get`: where jobs stand, from the status files: no key, no network."""

from __future__ import annotations

import sys
from typing import Any

import click

from reconciler import wiring
from reconciler.adapters.status_text import render_status
from reconciler.cli.given import place, selection
from reconciler.cli.options import PLACE, SCREEN, SELECTION, options
from reconciler.cli.options import output as output_option
from reconciler.cli.screen import Screen
from reconciler.model.plan import Report
from reconciler.views.problems import problems
from reconciler.views.status_json import get_json
from reconciler.views.status_table import get_text


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@output_option("table", "wide", "json", "yaml")
@options(PLACE, SELECTION, SCREEN)
def get(*, names: tuple[str, ...], output: str, **given: Any) -> int:
    """Show where jobs stand, from the status files alone.

    A job whose spec has changed since its status was written is shown as OutOfDate.
    """
    screen = Screen.of(given)
    report = wiring.read_statuses(place(given), selection(given, names))
    _check_names(names, report)
    screen.result(_text(report, output, screen))
    screen.say(problems(report))
    return report.exit_code


def _text(report: Report, output: str, screen: Screen) -> str:
    if output == "json":
        return get_json(report.rows)
    if output == "yaml":
        return "---\n".join(render_status(row.status) for row in report.rows)
    return get_text(report.rows, screen.canvas(sys.stdout), screen.now(), is_wide=output == "wide")


def _check_names(names: tuple[str, ...], report: Report) -> None:
    known = {row.name for row in report.rows}
    if missing := [name for name in names if name not in known]:
        msg = f"No job is called {missing[0]!r}; `reconcile get` lists them all."
        raise click.UsageError(msg)
