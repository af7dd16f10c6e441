"""`reconcile validate`: checks every document."""

from __future__ import annotations

from typing import Any

import click

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, report_to_ci
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import paths
from reconciler.cli.options import AUTHOR, CI, CONSOLE, PATHS, examples, options
from reconciler.cli.options import output as output_option


@click.command(
    epilog=examples(
        "reconcile validate",
        "reconcile validate -o sarif > reconcile.sarif",
        "reconcile validate --since origin/main --junit validate.xml",
    )
)
@output_option("validate")
@click.option(
    "--since",
    metavar="REV",
    help="Also check the commits after this Git revision: only --commit-author may have changed statuses. The check "
    "detects accidents, not attacks. By default no commit is checked.",
)
@options(PATHS, AUTHOR, CI, CONSOLE)
def validate(*, output: str, since: str | None, **values: Any) -> int:
    """Check every document, without credentials or network access.

    The command prints one line to stdout for each problem, file:line: field: message, and below it the line of the
    document. Words of the document that the message does not name are hidden, because they may be secrets. A status
    file that was edited by hand is a problem too. With -o sarif, the output is a SARIF file for code scanning, also if
    there is no problem.
    """
    console = ConsoleOutput.of(values)
    report = wiring.validate(paths(values), since=since, author=values["commit_author"])
    code = console.show_report(report, "validate", output)
    report_to_ci(values, console, CiReport(report, "validate"))
    return code
