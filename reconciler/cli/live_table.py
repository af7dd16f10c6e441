"""A table that is kept up to date: on a terminal in place, elsewhere as a line for each change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.progress_output import teller
from reconciler.model.report import Report
from reconciler.views.layout import Canvas
from reconciler.views.renderers import renderer

LoadReport = Callable[[], Awaitable[Report]]


async def watch_table(screen: ConsoleOutput, look: LoadReport, every_s: float, output: str) -> None:
    """Show where jobs stand until somebody ends it or its reader goes away, looking again every so many seconds."""
    if screen.is_live(sys.stdout):
        await _in_place(screen, look, every_s, output)
    else:
        await _by_lines(screen, look, every_s, output)


async def _in_place(screen: ConsoleOutput, look: LoadReport, every_s: float, output: str) -> None:
    console = Console(no_color=screen.is_colorless, highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while not screen.is_gone(sys.stdout):
            report = await look()
            context = replace(screen.context(), canvas=Canvas(console.width - 1))
            live.update(renderer("get", output).render_live(report, context), refresh=True)
            await asyncio.sleep(every_s)


async def _by_lines(screen: ConsoleOutput, look: LoadReport, every_s: float, output: str) -> None:
    report = await look()
    screen.show("get", output, report)
    tell = teller(lambda line: screen.result(f"{line}\n"), report)
    while not screen.is_gone(sys.stdout):
        await asyncio.sleep(every_s)
        tell(await look())
