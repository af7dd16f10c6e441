"""`reconcile describe`: one job, whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import NAME, read_named
from reconciler.cli.option_values import OptionValues, output_of, place, trust
from reconciler.cli.options import PLACE, SCREEN, TRUST, examples, options, output
from reconciler.controller.account_resolver import SpecProblem, accounts_by_name
from reconciler.controller.request_failure import unseen_by
from reconciler.controller.runtime import open_or_unavailable
from reconciler.errors import ProviderError
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.job import Capabilities, JobCheckpoint, JobEvent, JobRef, Unobserved
from reconciler.model.report import Report, Row
from reconciler.ports import JobReader, SupportsCheckpoints, SupportsEvents
from reconciler.views.describe_text import JobDescription
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.problems import Problem as Complaint
from reconciler.views.renderers import renderer

NEWEST_MAX = 20


@click.command(
    epilog=examples(
        "reconcile describe support-triage",
        "reconcile describe support-triage --events",
    )
)
@NAME
@click.option(
    "--events",
    is_flag=True,
    help=f"Ask the provider for the newest {NEWEST_MAX} lines of the job's own log, and for its checkpoints.",
)
@output("describe")
@options(PLACE, TRUST, SCREEN)
def describe(*, name: str, events: bool, **given: Any) -> int:
    """Show one job: its spec, its status and its history.

    From the files alone, but for --events, which needs the provider and its credential.
    """
    screen = ConsoleOutput.of(given)
    report = _own(read_named(given, (name,)))
    specs = {each.document.metadata.name: each.document for each in wiring.read_specs(place(given)).jobs}
    wanted = output_of(given, "describe")
    codes, untold = set(report.exit_codes), []
    for row in report.rows:
        log, why_not = asyncio.run(_log(given, row)) if events else ((), None)
        screen.show("describe", wanted, JobDescription(row, specs.get(name), log))
        if why_not is not None:
            codes.add(why_not.exit_code)
            untold.append(_untold(row, why_not))
    screen.say((*untold, *renderer("describe", wanted).stderr_problems(report)))
    screen.note(last_pass_text(report, screen.now()))
    return worst(frozenset(codes))


def _own(report: Report) -> Report:
    """Leave out what is wrong with other files: whoever describes one job asks about that one."""
    sources = tuple(f"/{row.source}" for row in report.rows)
    own = tuple(each for each in report.diagnostics if each.file.endswith(sources))
    names = {row.provider for row in report.rows}
    is_invalid = any(each.severity is Severity.ERROR for each in own)
    codes = report.exit_codes - {ExitCode.INVALID_DOCUMENT} | ({ExitCode.INVALID_DOCUMENT} if is_invalid else set())
    accounts = tuple(each for each in report.accounts if each.name in names)
    return replace(report, diagnostics=own, accounts=accounts, exit_codes=codes)


async def _log(given: OptionValues, row: Row) -> tuple[tuple[JobEvent | JobCheckpoint, ...], Unobserved | None]:
    """Return what the provider tells of a job's life, or why it does not. Raises `UsageError` where it keeps none."""
    async with wiring.reading(place(given), trust(given)) as runtime:
        targets = accounts_by_name(wiring.read_specs(place(given)), runtime.policy)
        target = targets.get(row.provider or "")
        if isinstance(target, SpecProblem):
            return (), target.unseen
        if target is None or row.ref is None:
            return (), Unobserved(row.status.ready.reason, row.status.ready.message, is_transient=False)
        can = target.type.capabilities
        if not (can.can_list_events or can.can_list_checkpoints):
            msg = f"{target.account.type} keeps no log of a job that can be read: leave --events out"
            raise wiring.UsageError(msg)
        try:
            return await _ask(await open_or_unavailable(runtime.accounts, target), row.ref, can), None
        except ProviderError as error:
            return (), unseen_by(error)


async def _ask(reader: JobReader, ref: JobRef, can: Capabilities) -> tuple[JobEvent | JobCheckpoint, ...]:
    told: list[JobEvent | JobCheckpoint] = []
    if can.can_list_events and isinstance(reader, SupportsEvents):
        told += await reader.list_events(ref, NEWEST_MAX)
    if can.can_list_checkpoints and isinstance(reader, SupportsCheckpoints):
        told += await reader.list_checkpoints(ref, NEWEST_MAX)
    return tuple(told)


def _untold(row: Row, why_not: Unobserved) -> Complaint:
    summary = f"the log of {row.name} could not be read: {why_not.message}"
    return Complaint(severity=Severity.ERROR, code=why_not.reason, summary=summary)
