"""What is going on while it goes on, on stderr: each event that is news, and what is being waited for.

Rules: nothing is silent for long: on a terminal one line moves, elsewhere a line comes at least every `QUIET_S`, and
each is passed on at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from rich.console import Console
from rich.text import Text

from reconciler.cli.console import ConsoleOutput
from reconciler.local.clock import SystemClock
from reconciler.model.action_record import PassEvent
from reconciler.model.report import Report
from reconciler.views.activity import Activity, ActivityLine
from reconciler.views.progress_text import changed_lines

Tell = Callable[[Report], None]

QUIET_S = 10.0
"""How long nothing is said at most, where no line moves."""
STEP_S = 1.0
SPINNER_WIDTH = len("| ") + 1
"""What stands before the line, and the last column, which some terminals fold at."""


class ProgressOutput:
    """What a run has done so far, and how it is told. Use `progress`, which keeps it telling."""

    def __init__(
        self, screen: ConsoleOutput, doing: str, say: Callable[[ActivityLine], None], *, has_events: bool
    ) -> None:
        self.activity = Activity(doing)
        self._screen = screen
        self._say = say
        self._has_events = has_events
        self._clock = SystemClock()
        self._is_changing = Lock()
        self._begun_at = self._said_at = self._clock.monotonic()
        self._tell = teller(lambda line: self.say(ActivityLine(line, {})))

    @property
    def has_said(self) -> bool:
        """Whether anything has been said so far."""
        return self._said_at > self._begun_at

    @property
    def elapsed_s(self) -> float:
        """How long it has taken so far."""
        return self._clock.monotonic() - self._begun_at

    @property
    def quiet_s(self) -> float:
        """How long nothing has been said."""
        return self._clock.monotonic() - self._said_at

    def happened(self, event: PassEvent) -> None:
        """Take in an event of a pass, and tell it if it is news."""
        with self._is_changing:
            found = self.activity.record(event)
        if found is not None and self._has_events:
            self.say(found)

    def reported(self, report: Report) -> None:
        """Tell what is new in a report, compared with the one before."""
        self._tell(report)

    def say(self, line: ActivityLine) -> None:
        """Print a line."""
        self._said_at = self._clock.monotonic()
        self._say(line)

    def wait(self) -> str:
        """Return what is being waited for."""
        with self._is_changing:
            return self.activity.waiting_text(self.elapsed_s)


@contextmanager
def progress(screen: ConsoleOutput, doing: str, *, has_events: bool = False) -> Iterator[ProgressOutput]:
    """Show what is being done until the block ends.

    Args:
        screen: where.
        doing: what it is about, while nothing more is known.
        has_events: whether events are lines of their own; otherwise they only say what is being waited for.
    """
    if screen.is_json_log or not screen.is_live(sys.stderr):
        told = ProgressOutput(screen, doing, screen.log_activity, has_events=has_events)
        with _regularly(
            lambda: told.say(ActivityLine(told.wait(), {})) if told.quiet_s > QUIET_S - STEP_S / 2 else None
        ):
            yield told
        return
    console = Console(file=sys.stderr, no_color=screen.is_colorless, highlight=False)
    told = ProgressOutput(screen, doing, lambda line: console.print(Text(line.message)), has_events=has_events)
    with console.status(Text(doing), spinner="line") as status:

        def move() -> None:
            line = Text(told.wait())
            line.truncate(console.width - SPINNER_WIDTH)
            status.update(line)

        with _regularly(move):
            yield told


@contextmanager
def _regularly(step: Callable[[], object]) -> Iterator[None]:
    """Take a step every second while the body runs, in a thread of its own: also while the body is blocked."""
    over = Event()

    def go_on() -> None:
        while not over.wait(STEP_S):
            step()

    thread = Thread(target=go_on, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def teller(say: Callable[[str], None], last: Report | None = None) -> Tell:
    """Return a function that says what is new in each report, compared with the one before."""

    def tell(report: Report) -> None:
        nonlocal last
        for line in changed_lines(last, report):
            say(line)
        last = report

    return tell
