"""What is going on while it goes on: a line that moves on a terminal, elsewhere a line only when there is news."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from reconciler.cli.console import Screen
from reconciler.model.report import Report
from reconciler.views.progress_text import news, standing_line

Tell = Callable[[Report], None]

SPINNER_WIDTH = len("| ") + 1
"""What stands before the line, and the last column, which some terminals fold at."""


@contextmanager
def progress(screen: Screen, doing: str) -> Iterator[Tell]:
    """Show what is being done until the block ends; what it yields is told each intermediate report."""
    if screen.is_json_log or not screen.is_live(sys.stderr):
        yield teller(screen.log)
        return
    console = Console(file=sys.stderr, no_color=screen.is_colorless, highlight=False)
    with console.status(Text(doing), spinner="line") as status:
        tell_news = teller(lambda line: console.print(Text(line)))

        def tell(report: Report) -> None:
            tell_news(report)
            line = Text(standing_line(report))
            line.truncate(console.width - SPINNER_WIDTH)
            status.update(line)

        yield tell


def teller(say: Callable[[str], None], last: Report | None = None) -> Tell:
    """Return a function that says what is new in each report, compared with the one before."""

    def tell(report: Report) -> None:
        nonlocal last
        for line in news(last, report):
            say(line)
        last = report

    return tell
