"""A table that is kept up to date: on a terminal in place, elsewhere as a line for each change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

from rich.console import Console
from rich.live import Live

from reconciler.cli.console import Screen
from reconciler.cli.progress_output import teller
from reconciler.model.report import Report
from reconciler.views.status_table import get_text, rows_table

Look = Callable[[], Awaitable[Report]]


async def watch_table(screen: Screen, look: Look, every_s: float, *, is_wide: bool) -> NoReturn:
    """Show where jobs stand until somebody ends it, looking again every so many seconds."""
    if screen.is_live(sys.stdout):
        await _in_place(screen, look, every_s, is_wide=is_wide)
    await _by_lines(screen, look, every_s, is_wide=is_wide)


async def _in_place(screen: Screen, look: Look, every_s: float, *, is_wide: bool) -> NoReturn:
    console = Console(no_color=screen.is_colorless, highlight=False)
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            report = await look()
            live.update(rows_table(report.rows, console.width - 1, screen.now(), is_wide=is_wide), refresh=True)
            await asyncio.sleep(every_s)


async def _by_lines(screen: Screen, look: Look, every_s: float, *, is_wide: bool) -> NoReturn:
    report = await look()
    screen.result(get_text(report.rows, screen.canvas(sys.stdout), screen.now(), is_wide=is_wide))
    tell = teller(lambda line: screen.result(f"{line}\n"), report)
    while True:
        await asyncio.sleep(every_s)
        tell(await look())
