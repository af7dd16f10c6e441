"""`reconcile --once`: one pass, or with `--wait` as many as it takes until nothing is on its way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from reconciler import wiring
from reconciler.cli.ci_report import Told, tell_ci
from reconciler.cli.console import Screen
from reconciler.cli.option_values import Given, brakes, patience, place, publishing, selection, trust
from reconciler.cli.progress_output import progress
from reconciler.formats.plan_file import PlanUnreadable, read_plan
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import plan_text
from reconciler.views.result_markdown import result_markdown
from reconciler.views.result_text import result_text


def once(given: Given) -> int:
    """Make the pass, print what it did, and return the exit code."""
    screen = Screen.of(given)
    limits = brakes(given) if given["plan"] is None else replace(brakes(given), pinned=_approved(given["plan"]))
    with progress(screen, "reading the specs and looking at the providers") as tell:
        report = asyncio.run(
            wiring.run_once(
                place(given),
                selection(given),
                limits,
                trust(given),
                dry_run=given["dry_run"],
                patience=patience(given),
                tell=tell,
                publishing=publishing(given),
            )
        )
    view, operation = (plan_text, "plan") if report.is_dry else (result_text, "apply")
    code = screen.conclude(report, view, output=given["output"], operation=operation)
    tell_ci(given, screen, Told(report, operation, plan_markdown if report.is_dry else result_markdown))
    return code


def _approved(path: Path) -> PinnedPlan:
    try:
        return read_plan(path)
    except PlanUnreadable as error:
        raise wiring.UsageError(str(error)) from None
