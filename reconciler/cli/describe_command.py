"""`reconcile describe`: shows jobs in full."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import ANY_NAMES, read_required_statuses, require_one_kind
from reconciler.cli.option_values import OptionValues, output_format, paths, trust_sources
from reconciler.cli.options import ARCHIVED, CONSOLE, PATHS, SELECTION, TRUST, examples, options, output
from reconciler.controller.account_resolver import accounts_by_name
from reconciler.controller.request_failure import unobserved_by
from reconciler.controller.resolved_account import SpecProblem
from reconciler.controller.runtime import open_or_unavailable
from reconciler.errors import ProviderError
from reconciler.model.capabilities import Capabilities
from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.job import JobRef, Unobserved
from reconciler.model.job_log import JobCheckpoint, JobEvent
from reconciler.model.report import Report, Row
from reconciler.ports import JobReader, SupportsCheckpoints, SupportsEvents
from reconciler.views.describe_text import JobDescription
from reconciler.views.last_pass_text import last_pass_text
from reconciler.views.problems import Problem
from reconciler.views.renderers import renderer

LOG_LINES_MAX = 20


@click.command(
    epilog=examples(
        "reconcile describe support-triage",
        "reconcile describe support-triage --events",
        "reconcile describe --selector team=support",
    )
)
@ANY_NAMES
@click.option(
    "--events",
    is_flag=True,
    help=f"Also show the newest {LOG_LINES_MAX} lines of the provider's log of the job, and its newest checkpoints. "
    "Not every provider type offers them.",
)
@output("describe")
@options(ARCHIVED, PATHS, SELECTION, TRUST, CONSOLE)
def describe(*, names: tuple[str, ...], events: bool, **values: Any) -> int:
    """Show jobs in full: spec, status and history.

    The command reads only files. With --events, it also queries the provider, for which it needs a credential.
    """
    console = ConsoleOutput.of(values)
    report = _without_other_files(read_required_statuses(values, names))
    for name in names:
        kinds = {row.status.kind.name: row.source for row in report.rows if row.name == name}
        require_one_kind(values, name, kinds)
    wanted = output_format(values, "describe")
    codes, log_problems = set(report.exit_codes), []
    for number, row in enumerate(report.rows):
        if number:
            console.print_result("\n")
        log, failure = asyncio.run(_read_log(values, row)) if events else ((), None)
        console.show("describe", wanted, JobDescription(row, row.document, log))
        if failure is not None:
            codes.add(failure.exit_code)
            log_problems.append(_log_problem(row, failure))
    console.show_problems((*log_problems, *renderer("describe", wanted).stderr_problems(report)))
    console.show_hint(last_pass_text(report, console.now()))
    return worst(frozenset(codes))


def _without_other_files(report: Report) -> Report:
    """Return the report without the diagnostics and accounts that do not concern its jobs."""
    sources = tuple(f"/{row.source}" for row in report.rows)
    diagnostics = tuple(each for each in report.diagnostics if each.file.endswith(sources))
    names = {row.provider for row in report.rows}
    is_invalid = any(each.severity is Severity.ERROR for each in diagnostics)
    codes = report.exit_codes - {ExitCode.INVALID_DOCUMENT} | ({ExitCode.INVALID_DOCUMENT} if is_invalid else set())
    accounts = tuple(each for each in report.accounts if each.name in names)
    return replace(report, diagnostics=diagnostics, accounts=accounts, exit_codes=codes)


async def _read_log(values: OptionValues, row: Row) -> tuple[tuple[JobEvent | JobCheckpoint, ...], Unobserved | None]:
    """Return the provider's log of a job and None, or an empty log and the reason why it could not be read.

    Raises `UsageError` if the provider type offers no log of jobs of this kind, and the errors of `open_read_only`.
    """
    async with wiring.open_read_only(paths(values), trust_sources(values)) as runtime:
        targets = accounts_by_name(wiring.read_specs(paths(values)), runtime.policy)
        target = targets.get(row.provider or "")
        if isinstance(target, SpecProblem):
            return (), target.unobserved
        target = target.of_kind(row.ref.kind) if target is not None and row.ref is not None else None
        if target is None or row.ref is None:
            return (), Unobserved(row.status.ready.reason, row.status.ready.message, is_transient=False)
        can = target.jobs.capabilities
        if not (can.can_list_events or can.can_list_checkpoints):
            msg = f"the type {target.account.type} offers no log of jobs of kind {target.account.kind}: omit --events"
            raise wiring.UsageError(msg)
        try:
            return await _request_log(await open_or_unavailable(runtime.accounts, target), row.ref, can), None
        except ProviderError as error:
            return (), unobserved_by(error)


async def _request_log(reader: JobReader, ref: JobRef, can: Capabilities) -> tuple[JobEvent | JobCheckpoint, ...]:
    log: list[JobEvent | JobCheckpoint] = []
    if can.can_list_events and isinstance(reader, SupportsEvents):
        log += await reader.list_events(ref, LOG_LINES_MAX)
    if can.can_list_checkpoints and isinstance(reader, SupportsCheckpoints):
        log += await reader.list_checkpoints(ref, LOG_LINES_MAX)
    return tuple(log)


def _log_problem(row: Row, failure: Unobserved) -> Problem:
    summary = f"the log of {row.name} could not be read: {failure.message}"
    return Problem(severity=Severity.ERROR, code=failure.reason, summary=summary)
