"""`reconcile --once`: makes a pass, and more passes while failures are retried or `--wait` waits for a change."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, report_to_ci
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.live_run import run_with_progress
from reconciler.cli.option_values import (
    OptionValues,
    paths,
    publishing,
    safety_options,
    selection,
    timeouts,
    trust_sources,
)
from reconciler.cli.streams import detach_from_terminal
from reconciler.controller.run_options import SafetyOptions
from reconciler.formats.plan_file import PlanUnreadableError, read_plan
from reconciler.model.action_record import Notify
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import Report


def once(values: OptionValues) -> int:
    """Run to completion, print the result and return the exit code.

    Raises `UsageError` if the file of `--plan` cannot be used, and the errors of `wiring.run_once`.
    """
    detach_from_terminal()
    console = ConsoleOutput.of(values)
    safety = safety_options(values)
    if values["plan"] is not None:
        safety = replace(safety, pinned=_read_plan(values["plan"]))
    report, reported = run_with_progress(console, "reading the specs", partial(run_passes, values, safety))
    operation = "plan" if report.is_dry else "apply"
    code = console.show_report(report, operation, values["output"], reported)
    report_to_ci(values, console, CiReport(report, operation))
    return code


async def run_passes(values: OptionValues, safety: SafetyOptions, notify: Notify) -> Report:
    """Make passes with the options of a command line, and return the report. Raises the errors of `wiring.run_once`."""
    return await wiring.run_once(
        paths(values),
        selection(values),
        safety,
        trust_sources(values),
        dry_run=values["dry_run"],
        timeouts=timeouts(values),
        publishing=publishing(values),
        notify=notify,
    )


def _read_plan(path: Path) -> PinnedPlan:
    try:
        return read_plan(path)
    except PlanUnreadableError as error:
        raise wiring.UsageError(str(error)) from None
