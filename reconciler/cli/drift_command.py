"""`reconcile drift`: shows differences between specs and providers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, paths, selection, trust_sources
from reconciler.cli.options import CONSOLE, PATHS, SELECTION, TRUST, examples, options
from reconciler.cli.options import output as output_option
from reconciler.cli.progress_output import ProgressOutput, show_progress
from reconciler.cli.unmanaged_output import (
    UNFINISHED_ONLY,
    exit_codes,
    read_lists,
    show_unlisted_accounts,
    unmanaged_jobs,
    why_nothing_is_listed,
)
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import SafetyOptions
from reconciler.controller.unmanaged import AccountListing, list_unmanaged
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
@options(PATHS, SELECTION, TRUST, CONSOLE)
def drift(*, unfinished: bool, output: str, **values: Any) -> int:
    """Show how jobs differ from their specs, and jobs without a spec.

    Drift is a job that is not in its desired state, or a job without a spec in an account that the documents name. The
    command changes nothing. If there is drift and no error, it exits with 2. Only jobs with a spec have labels, so
    --selector leaves out jobs without one. With --provider, jobs without a spec are listed only for that provider.
    Unfinished batches without a spec are listed in three cases: with --kind BatchJob, where a spec names a batch of the
    same account, and where the provider type has no fine-tuning jobs. Finished batches are never listed.
    """
    console = ConsoleOutput.of(values)
    with show_progress(console, "reading the specs") as progress:
        report, listed = asyncio.run(_observe(values, progress, is_unfinished=unfinished))
    if values["kind"] and not listed and not report.rows:
        raise wiring.UsageError(why_nothing_is_listed(values["provider"], values["kind"]))
    rows = [row for row in report.rows if is_drifting(row)]
    without_specs = () if values["selector"] else listed
    unmanaged, lists = unmanaged_jobs(without_specs), read_lists(without_specs)
    is_complete = not unobserved_accounts(report) and all(each.unobserved is None for each in listed)
    console.show("drift", output, Drift(rows, unmanaged, is_complete, lists))
    console.show_problems(renderer("drift", output).stderr_problems(report))
    show_unlisted_accounts(console, _not_reported(listed, report))
    codes = (report.exit_codes | exit_codes(listed)) - {ExitCode.STALLED}
    return worst(codes | {ExitCode.CHANGES_PENDING} if rows or unmanaged else codes)


def _not_reported(listed: Iterable[AccountListing], report: Report) -> list[AccountListing]:
    """Return the lists, without those of accounts that are among the problems of the report, as unobserved."""
    unobserved = {each.account for each in report.accounts if each.unobserved}
    return [each for each in listed if each.account not in unobserved]


async def _observe(
    values: OptionValues, progress: ProgressOutput, *, is_unfinished: bool
) -> tuple[Report, tuple[AccountListing, ...]]:
    async with wiring.open_read_only(paths(values), trust_sources(values), progress.on_event) as runtime:
        passed = await reconcile_once(
            runtime, wiring.run_options_of(paths(values), selection(values), SafetyOptions()), PassMemory()
        )
        snapshot = runtime.specs.snapshot()
        # A kind that no spec has is not an error here, because the unmanaged jobs of that kind are listed.
        report = wiring.check_selection(passed.report, replace(selection(values), kind=None), snapshot)
        progress.begin("listing the providers' jobs")
        listed = await list_unmanaged(
            snapshot,
            runtime,
            values["provider"],
            values["kind"],
            is_unfinished=is_unfinished,
            archived=wiring.archived_jobs(paths(values)),
        )
        return report, listed
