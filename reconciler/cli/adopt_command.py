"""`reconcile adopt`: writes a spec for each unmanaged job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, output_format, paths, trust_sources
from reconciler.cli.options import CONSOLE, DRY_RUN, KIND, PATHS, TRUST, examples, options, output
from reconciler.cli.progress_output import show_progress
from reconciler.cli.unmanaged_output import (
    UNFINISHED_ONLY,
    exit_codes,
    read_lists,
    show_unlisted_accounts,
    why_nothing_is_listed,
)
from reconciler.controller.adopt import Adoption
from reconciler.controller.adopt import adopt as make_adoptions
from reconciler.controller.run_options import Selection
from reconciler.controller.unmanaged import AccountListing, list_unmanaged
from reconciler.local.spec_editor import create
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode, worst
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
@options(KIND, DRY_RUN, PATHS, TRUST, CONSOLE)
def adopt(*, provider: str | None, kind: str | None, unfinished: bool, **values: Any) -> int:
    """Write a spec for each unmanaged job.

    The desired state in each spec is `observed`, so no change is requested for the job until you edit the spec. The
    file of a spec is adopted/PROVIDER/NAME.yaml in the specs directory, with a name that is derived from the job's id.
    Directories are created if needed, and an existing file is never overwritten. Only unfinished batches are adopted,
    in three cases: with --kind BatchJob, where a spec names a batch of the same account, and where the provider type
    has no fine-tuning jobs.
    """
    console = ConsoleOutput.of(values)
    snapshot = wiring.read_specs(paths(values)) if paths(values).specs.exists() else Snapshot()
    if snapshot.broken_files or snapshot.broken_jobs:
        console.show_problems(document_problems(snapshot.diagnostics))
        console.log("Nothing was adopted: a spec that is not valid may name one of the jobs. Correct the spec first.")
        return ExitCode.INVALID_DOCUMENT
    with show_progress(console, "listing the providers' jobs"):
        listed, adoptions = asyncio.run(_find(values, snapshot, provider, kind, is_unfinished=unfinished))
    if not listed:
        raise wiring.UsageError(why_nothing_is_listed(provider, kind))
    written = [each for each in adoptions if each.problem is None]
    if not values["dry_run"]:
        _create(paths(values).specs, written, console.now())
    _show(console, values, written, listed)
    show_unlisted_accounts(console, listed)
    console.show_problems(_refusal(each) for each in adoptions if each.problem is not None)
    refused = {ExitCode.INVALID_DOCUMENT} if len(written) < len(adoptions) else set()
    return worst(exit_codes(listed) | refused)


def _create(specs: Path, adoptions: Iterable[Adoption], now: datetime) -> None:
    """Write the spec of each adoption below the specs directory."""
    for each in adoptions:
        text = adopted_spec(each.name, each.provider, each.kind, each.job, now)
        create(specs, specs / each.file, text)


def _show(
    console: ConsoleOutput, values: OptionValues, written: Sequence[Adoption], listed: Sequence[AccountListing]
) -> None:
    """Show the files of the specs, and what to do next."""
    is_dry = values["dry_run"]
    files = [(str(paths(values).specs / each.file), str(each.job.phase)) for each in written]
    is_complete = all(each.unobserved is None for each in listed)
    console.show("adopt", output_format(values, "adopt"), AdoptedSpecs(files, is_dry, is_complete, read_lists(listed)))
    if written and not is_dry:
        console.log("Commit the specs. To manage a job, set its desired state with `reconcile set NAME STATE`.")


async def _find(
    values: OptionValues, snapshot: Snapshot, provider: str | None, kind: str | None, *, is_unfinished: bool
) -> tuple[tuple[AccountListing, ...], tuple[Adoption, ...]]:
    async with wiring.open_read_only(paths(values), trust_sources(values)) as runtime:
        wiring.why_no_match(Selection(provider=provider), snapshot)
        archived = wiring.archived_jobs(paths(values))
        listed = await list_unmanaged(snapshot, runtime, provider, kind, is_unfinished=is_unfinished, archived=archived)
        return listed, make_adoptions(snapshot, listed, runtime.policy)


def _refusal(adoption: Adoption) -> Problem:
    summary = f"{adoption.job.id} was not adopted: {adoption.problem}"
    return Problem(severity=Severity.ERROR, code="NotAdopted", summary=summary)
