"""`reconcile apply`: shows the plan, asks for approval, and requests exactly the changes in the plan."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import click

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.live_run import run_with_progress
from reconciler.cli.once_command import run_passes
from reconciler.cli.option_values import OptionValues, safety_options
from reconciler.cli.options import AUDIT, CONSOLE, PATHS, PUBLISHING, SAFETY, SELECTION, TRUST, examples, options
from reconciler.cli.plan_command import pinned_plan, planned
from reconciler.cli.streams import detach_from_terminal
from reconciler.model.exit_code import ExitCode
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.views.row_state import is_pending

APPROVAL = "yes"
QUESTION = f"\nRequest these changes? Only {APPROVAL!r} is accepted"
NOT_APPROVED = "Not approved: no change was requested."
CANNOT_ASK = (
    "`reconcile apply` asks for approval, but standard input is not a terminal. Use --auto-approve, or run `reconcile "
    "plan --out FILE`, and then `reconcile --once --plan FILE`."
)


@click.command(
    epilog=examples(
        "reconcile apply",
        "reconcile apply --selector team=support",
        "reconcile apply --auto-approve --wait 10m",
    )
)
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval.")
@click.option(
    "--wait",
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="How long to wait, at most, until the changes have taken effect.",
)
@click.option(
    "--timeout",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long to retry requests that fail; 0s tries each once.",
)
@options(PATHS, SELECTION, SAFETY, TRUST, PUBLISHING, AUDIT, CONSOLE)
def apply(*, auto_approve: bool, **values: Any) -> int:
    """Show the plan, ask for approval, and request the changes.

    Only the changes that the plan shows are requested. If another change is due after the approval, none is requested,
    as with --once --plan. The command then waits until the changes have taken effect. Without approval, the exit code
    is 3. If no change can be requested, the command does not ask.
    """
    if not auto_approve and not sys.stdin.isatty():
        raise click.UsageError(CANNOT_ASK)
    console = ConsoleOutput.of(values)
    report = planned(values, console)
    code = console.show_report(report, "plan", "text")
    if report.is_shadow or not any(map(is_pending, report.rows)):
        return code
    if not auto_approve and not _is_approved():
        console.log(NOT_APPROVED)
        return ExitCode.REFUSED
    return _apply(values, console, pinned_plan(report))


def _is_approved() -> bool:
    """Ask on stderr, because stdout contains only the plan and the result."""
    answer = click.prompt(QUESTION, default="", show_default=False, prompt_suffix=": ", err=True)
    return str(answer).strip() == APPROVAL


def _apply(values: OptionValues, console: ConsoleOutput, pinned: PinnedPlan) -> int:
    detach_from_terminal()
    safety = replace(safety_options(values), pinned=pinned)
    run: Mapping[str, Any] = {**values, "dry_run": False}
    report, reported = run_with_progress(console, "reading the specs", partial(run_passes, run, safety))
    return console.show_report(report, "apply", "text", reported)
