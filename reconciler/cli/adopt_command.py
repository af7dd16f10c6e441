"""`reconcile adopt`: a spec for each job that has none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, output_of, place, trust
from reconciler.cli.options import DRY_RUN, PLACE, SCREEN, TRUST, examples, options, output
from reconciler.cli.progress_output import progress
from reconciler.cli.unmanaged_output import UNFINISHED_ONLY, complain, exit_codes
from reconciler.controller.adopt import Adoption
from reconciler.controller.adopt import adopt as make_adoptions
from reconciler.controller.run_options import Selection
from reconciler.controller.unmanaged import AccountListing, list_strangers
from reconciler.local.spec_editor import create
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.job import UNFINISHED
from reconciler.ports import Snapshot
from reconciler.views.adopted_text import AdoptedSpecs, adopted_spec
from reconciler.views.problems import Problem, document_problems


@click.command(
    epilog=examples(
        "reconcile adopt --provider openai",
        "reconcile adopt --unfinished --dry-run",
    )
)
@click.option(
    "--provider", metavar="NAME", help="Only jobs of this account: a Provider document's name, or a provider type."
)
@UNFINISHED_ONLY
@output("adopt")
@options(DRY_RUN, PLACE, TRUST, SCREEN)
def adopt(*, provider: str | None, unfinished: bool, **given: Any) -> int:
    """Write a spec for each unmanaged job.

    It is `observed`, so that nothing is asked for its job until you say so, and stands in adopted/PROVIDER/ID.yaml
    below the specs, which need not be there yet. What is there already is never overwritten.
    """
    screen = ConsoleOutput.of(given)
    is_begun = place(given).specs.exists()
    snapshot = wiring.read_specs(place(given)) if is_begun else Snapshot()
    if snapshot.broken_files or snapshot.broken_jobs:
        screen.say(document_problems(snapshot.diagnostics))
        screen.log("Nothing was adopted: a spec that cannot be read may speak of one of the jobs. Mend it first.")
        return ExitCode.INVALID_DOCUMENT
    with progress(screen, "listing the providers' jobs"):
        listed, adoptions = asyncio.run(_find(given, snapshot, provider, is_unfinished=unfinished))
    if not listed:
        msg = "no document names an account yet: say whose jobs are meant, as in --provider openai"
        raise wiring.UsageError(msg)
    written = [each for each in adoptions if each.problem is None]
    for each in written if not given["dry_run"] else ():
        create(
            place(given).specs,
            place(given).specs / each.file,
            adopted_spec(each.name, each.provider, each.job, screen.now()),
        )
    files = [(str(place(given).specs / each.file), str(each.job.phase)) for each in written]
    is_complete = all(each.unseen is None for each in listed)
    screen.show("adopt", output_of(given, "adopt"), AdoptedSpecs(files, given["dry_run"], is_complete))
    if written and not given["dry_run"]:
        screen.log("Commit them. `reconcile set NAME STATE` takes charge of one.")
    complain(screen, listed)
    screen.say(_refusal(each) for each in adoptions if each.problem is not None)
    refused = {ExitCode.INVALID_DOCUMENT} if len(written) < len(adoptions) else set()
    return worst(exit_codes(listed) | refused)


async def _find(
    given: OptionValues, snapshot: Snapshot, provider: str | None, *, is_unfinished: bool
) -> tuple[tuple[AccountListing, ...], tuple[Adoption, ...]]:
    async with wiring.reading(place(given), trust(given)) as runtime:
        wiring.why_nothing(Selection(provider=provider), snapshot)
        listed = await list_strangers(snapshot, runtime, provider)
        if is_unfinished:
            listed = tuple(
                replace(each, strangers=tuple(job for job in each.strangers if job.phase in UNFINISHED))
                for each in listed
            )
        return listed, make_adoptions(snapshot, listed, runtime.policy)


def _refusal(adoption: Adoption) -> Problem:
    summary = f"{adoption.job.id} was not adopted: {adoption.problem}"
    return Problem(severity=Severity.ERROR, code="NotAdopted", summary=summary)
