"""`reconcile --once`: one pass, or with `--wait` as many as it takes until nothing is on its way."""

from __future__ import annotations

import asyncio

from reconciler import wiring
from reconciler.cli.given import Given, brakes, patience, place, publishing, selection, trust
from reconciler.cli.progress import progress
from reconciler.cli.screen import Screen
from reconciler.views.plan_text import plan_text
from reconciler.views.result_text import result_text


def once(given: Given) -> int:
    """Make the pass, print what it did, and return the exit code."""
    screen = Screen.of(given)
    with progress(screen, "reading the specs and looking at the providers") as tell:
        report = asyncio.run(
            wiring.run_once(
                place(given),
                selection(given),
                brakes(given),
                trust(given),
                dry_run=given["dry_run"],
                patience=patience(given),
                tell=tell,
                publishing=publishing(given),
            )
        )
    view, operation = (plan_text, "plan") if report.is_dry else (result_text, "apply")
    return screen.conclude(report, view, output=given["output"], operation=operation)
