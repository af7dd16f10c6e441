"""`reconcile describe`: one job, whole."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import Screen
from reconciler.cli.job_names import NAME, read_named
from reconciler.cli.option_values import Given, place, trust
from reconciler.cli.options import PLACE, SCREEN, TRUST, examples, options
from reconciler.controller.account_resolver import Reach, reaches_by_name
from reconciler.controller.observe import unseen_by
from reconciler.errors import ProviderError
from reconciler.model.diagnostic import Severity
from reconciler.model.job import Capabilities, JobCheckpoint, JobEvent, JobRef, Unseen
from reconciler.model.report import ExitCode, Report, Row, worst
from reconciler.ports import JobReader, SupportsCheckpoints, SupportsEvents
from reconciler.views.describe_text import describe_text
from reconciler.views.problems import Problem, problems

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
@options(PLACE, TRUST, SCREEN)
def describe(*, name: str, events: bool, **given: Any) -> int:
    """Show one job: its spec, its status, and what happened when.

    From the files alone, but for --events, which needs the provider and its credential.
    """
    screen = Screen.of(given)
    report = _own(read_named(given, (name,)))
    specs = {each.document.metadata.name: each.document for each in wiring.read_specs(place(given)).jobs}
    codes, untold = set(report.exit_codes), []
    for row in report.rows:
        log, unseen = asyncio.run(_log(given, row)) if events else ((), None)
        screen.result(describe_text(row, specs.get(name), log, screen.canvas(sys.stdout), screen.now()))
        if unseen is not None:
            codes.add(ExitCode.CONFIGURATION if unseen.is_configuration else ExitCode.PROVIDER_UNSEEN)
            untold.append(_untold(row, unseen))
    screen.say((*untold, *problems(report)))
    return worst(frozenset(codes))


def _own(report: Report) -> Report:
    """Leave out what is wrong with other files: whoever describes one job asks about that one."""
    sources = tuple(f"/{row.source}" for row in report.rows)
    own = tuple(each for each in report.diagnostics if each.file.endswith(sources))
    is_invalid = any(each.severity is Severity.ERROR for each in own)
    codes = report.exit_codes - {ExitCode.INVALID_DOCUMENT} | ({ExitCode.INVALID_DOCUMENT} if is_invalid else set())
    return replace(report, diagnostics=own, exit_codes=codes)


async def _log(given: Given, row: Row) -> tuple[tuple[JobEvent | JobCheckpoint, ...], Unseen | None]:
    """Return what the provider tells of a job's life, or why it does not. Raises `UsageError` where it keeps none."""
    async with wiring.reading(place(given), trust(given)) as tools:
        reaches = reaches_by_name(wiring.read_specs(place(given)), tools.environment)
        reach = reaches.get(row.provider or "")
        if not isinstance(reach, Reach) or row.ref is None:
            msg = f"{row.name} cannot be asked about: {row.status.ready.message}"
            raise wiring.UsageError(msg)
        can = reach.type.capabilities
        if not (can.can_list_events or can.can_list_checkpoints):
            msg = f"{reach.account.type} keeps no log of a job that can be read: leave --events out"
            raise wiring.UsageError(msg)
        try:
            return await _ask(await tools.accounts.open(reach), row.ref, can), None
        except ProviderError as error:
            return (), unseen_by(error)


async def _ask(reader: JobReader, ref: JobRef, can: Capabilities) -> tuple[JobEvent | JobCheckpoint, ...]:
    told: list[JobEvent | JobCheckpoint] = []
    if can.can_list_events and isinstance(reader, SupportsEvents):
        told += await reader.list_events(ref, NEWEST_MAX)
    if can.can_list_checkpoints and isinstance(reader, SupportsCheckpoints):
        told += await reader.list_checkpoints(ref, NEWEST_MAX)
    return tuple(told)


def _untold(row: Row, unseen: Unseen) -> Problem:
    summary = f"the log of {row.name} could not be read: {unseen.message}"
    return Problem(severity=Severity.ERROR, code=unseen.reason, summary=summary)
