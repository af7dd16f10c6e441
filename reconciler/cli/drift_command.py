"""`reconcile drift`: where the world is not what the specs say."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.option_values import Given, place, selection, trust
from reconciler.cli.options import PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import progress
from reconciler.cli.unmanaged_output import UNFINISHED_ONLY, complain, exit_codes, strangers_of
from reconciler.controller.reconcile import Memory, run_pass
from reconciler.controller.run_options import Brakes, orders
from reconciler.controller.unmanaged import Listed, list_strangers
from reconciler.model.report import ExitCode, Report, worst
from reconciler.views.drift_text import drift_json, drift_text
from reconciler.views.problems import problems, unseen
from reconciler.views.row_state import is_drifting


@click.command(
    epilog=examples(
        "reconcile drift",
        "reconcile drift --unfinished -o json",
    )
)
@UNFINISHED_ONLY
@output_option("text", "json")
@options(PLACE, SELECTION, TRUST, SCREEN)
def drift(*, unfinished: bool, output: str, **given: Any) -> int:
    """Show where the world is not what the specs say, and touch nothing.

    That is: jobs that are not in the state that their spec wants, and jobs at the same accounts that have no spec
    (which a label cannot select). Exits with 2 if there is any.
    """
    screen = Screen.of(given)
    with progress(screen, "looking at the providers"):
        report, listed = asyncio.run(_look(given))
    rows = [row for row in report.rows if is_drifting(row)]
    strangers = [] if given["selector"] else strangers_of(listed, is_unfinished=unfinished)
    if output == "json":
        screen.result(drift_json(rows, strangers))
    else:
        is_whole = not unseen(report) and all(each.unseen is None for each in listed)
        screen.result(drift_text(rows, strangers, screen.canvas(sys.stdout), screen.now(), is_whole=is_whole))
    screen.say((*unseen(report), *problems(report)))
    told = {each.account for each in report.accounts if each.unseen_reason}
    complain(screen, [each for each in listed if each.account not in told])
    codes = (report.exit_codes | exit_codes(listed)) - {ExitCode.STALLED}
    return worst(codes | {ExitCode.CHANGES_PENDING} if rows or strangers else codes)


async def _look(given: Given) -> tuple[Report, tuple[Listed, ...]]:
    async with wiring.reading(place(given), trust(given)) as tools:
        passed = await run_pass(tools, orders(selection(given), Brakes()), Memory())
        return passed.report, await list_strangers(tools.specs.snapshot(), tools, given["provider"])
