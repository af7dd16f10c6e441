"""`reconcile --once`: one pass, or with `--wait` as many as it takes until nothing is on its way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from reconciler import wiring
from reconciler.cli.ci_report import CiReport, tell_ci
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.live_run import act
from reconciler.cli.option_values import OptionValues, brakes, patience, place, publishing, selection, trust
from reconciler.cli.streams import work_unattended
from reconciler.controller.run_options import SafetyOptions
from reconciler.formats.plan_file import PlanUnreadableError, read_plan
from reconciler.model.action_record import Notify
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import Report


def once(given: OptionValues) -> int:
    """Make the pass, print what it did, and return the exit code."""
    work_unattended()
    screen = ConsoleOutput.of(given)
    limits = brakes(given) if given["plan"] is None else replace(brakes(given), pinned=_approved(given["plan"]))
    report, told = act(screen, "reading the specs", partial(_run, given, limits))
    what = "plan" if report.is_dry else "apply"
    code = screen.conclude(report, what, given["output"], told)
    tell_ci(given, screen, CiReport(report, what))
    return code


async def _run(given: OptionValues, limits: SafetyOptions, notify: Notify) -> Report:
    return await wiring.run_once(
        place(given),
        selection(given),
        limits,
        trust(given),
        dry_run=given["dry_run"],
        patience=patience(given),
        publishing=publishing(given),
        notify=notify,
    )


def _approved(path: Path) -> PinnedPlan:
    try:
        return read_plan(path)
    except PlanUnreadableError as error:
        raise wiring.UsageError(str(error)) from None
