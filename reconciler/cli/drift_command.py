"""`reconcile drift`: where the world is not what the specs say."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, place, selection, trust
from reconciler.cli.options import PLACE, SCREEN, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import progress
from reconciler.cli.unmanaged_output import UNFINISHED_ONLY, complain, exit_codes, unmanaged_jobs
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import SafetyOptions
from reconciler.controller.unmanaged import AccountListing, list_strangers
from reconciler.model.action_record import Notify
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.report import Report
from reconciler.views.drift_text import Drift
from reconciler.views.problems import unobserved_accounts
from reconciler.views.renderers import renderer
from reconciler.views.row_state import is_drifting


@click.command(
    epilog=examples(
        "reconcile drift",
        "reconcile drift --unfinished -o json",
    )
)
@UNFINISHED_ONLY
@output_option("drift")
@options(PLACE, SELECTION, TRUST, SCREEN)
def drift(*, unfinished: bool, output: str, **given: Any) -> int:
    """Show differences between specs and providers; change nothing.

    That is: jobs that are not in the state that their spec wants, and jobs at the same accounts that have no spec
    (which a label cannot select). Exits with 2 if there is any.
    """
    screen = ConsoleOutput.of(given)
    with progress(screen, "reading the specs") as told:
        report, listed = asyncio.run(_look(given, told.happened))
    rows = [row for row in report.rows if is_drifting(row)]
    unmanaged = [] if given["selector"] else unmanaged_jobs(listed, is_unfinished=unfinished)
    is_complete = not unobserved_accounts(report) and all(each.unseen is None for each in listed)
    screen.show("drift", output, Drift(rows, unmanaged, is_complete))
    screen.say(renderer("drift", output).stderr_problems(report))
    unseen_accounts = {each.account for each in report.accounts if each.unseen}
    complain(screen, [each for each in listed if each.account not in unseen_accounts])
    codes = (report.exit_codes | exit_codes(listed)) - {ExitCode.STALLED}
    return worst(codes | {ExitCode.CHANGES_PENDING} if rows or unmanaged else codes)


async def _look(given: OptionValues, notify: Notify) -> tuple[Report, tuple[AccountListing, ...]]:
    async with wiring.reading(place(given), trust(given), notify) as runtime:
        passed = await reconcile_once(
            runtime, wiring.run_options_of(place(given), selection(given), SafetyOptions()), PassMemory()
        )
        snapshot = runtime.specs.snapshot()
        report = wiring.check_selected(passed.report, selection(given), snapshot)
        return report, await list_strangers(snapshot, runtime, given["provider"])
