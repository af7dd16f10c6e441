"""The table of `get --watch`: updated in place on a terminal, otherwise followed by a line for each change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.progress_output import change_printer
from reconciler.model.report import Report
from reconciler.views.layout import Canvas
from reconciler.views.renderers import renderer

LoadReport = Callable[[], Awaitable[Report]]


async def watch_table(console: ConsoleOutput, load_report: LoadReport, every_s: float, output: str) -> None:
    """Show the state of jobs, and reload it every `every_s` seconds.

    Returns once stdout has no reader. `output` is a format of `get` that can be updated in place. Raises the errors of
    `load_report`.
    """
    if console.is_terminal(sys.stdout):
        await _update_in_place(console, load_report, every_s, output)
    else:
        await _print_changes(console, load_report, every_s, output)


async def _update_in_place(console: ConsoleOutput, load_report: LoadReport, every_s: float, output: str) -> None:
    terminal = Console(no_color=console.is_colorless, highlight=False)
    with Live(console=terminal, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while not console.is_closed(sys.stdout):
            report = await load_report()
            context = replace(console.context(), canvas=Canvas(terminal.width - 1))
            live.update(renderer("get", output).render_live(report, context), refresh=True)
            await asyncio.sleep(every_s)


async def _print_changes(console: ConsoleOutput, load_report: LoadReport, every_s: float, output: str) -> None:
    report = await load_report()
    console.show("get", output, report)
    print_changes = change_printer(lambda line: console.print_result(f"{line}\n"), report)
    while not console.is_closed(sys.stdout):
        await asyncio.sleep(every_s)
        print_changes(await load_report())
