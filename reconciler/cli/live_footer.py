"""The footer of a watch on a terminal: what it does next, and why. Log lines scroll above it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.cli.console import ConsoleOutput
from reconciler.controller.health import HealthTracker
from reconciler.local.clock import SystemClock
from reconciler.model.watch_status import WatchStatus, liveness_problems
from reconciler.views.progress_text import summary_line
from reconciler.views.text import clean

LINES_MAX = 5


@contextmanager
def live_footer(health: HealthTracker, console: ConsoleOutput) -> Iterator[None]:
    """Show the footer while the body runs, and update it once a second."""
    terminal = Console(file=sys.stderr, no_color=console.is_colorless, highlight=False)
    clock = SystemClock()

    def draw() -> RenderableType:
        return footer(health.overview, clock.monotonic())

    with Live(get_renderable=draw, console=terminal, refresh_per_second=1, transient=True, redirect_stdout=False):
        yield


def footer(overview: WatchStatus, now: float) -> RenderableType:
    """Return the summary of all jobs, the jobs that are due next and why, and the problems of the watch itself.

    `now` is in monotonic seconds.
    """
    table = Table.grid(padding=(0, 2))
    for each in overview.upcoming[:LINES_MAX]:
        table.add_row(f"in {max(0.0, each.at - now):.0f} s", clean(each.name), each.why)
    more = overview.waiting - LINES_MAX
    if more > 0:
        table.add_row("", f"and {more:,} more", "")
    problems = [Text(problem, style="bold red") for problem in liveness_problems(overview, now)]
    summary = overview.standing_by or summary_line(overview.report)
    return Group(Text(clean(summary), style="bold"), table, *problems)
