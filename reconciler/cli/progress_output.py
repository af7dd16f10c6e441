"""Progress of a running command on stderr: a line for each notable event, and what the command waits for.

On a terminal, what the command waits for is on one line with a spinner, which is updated every second. Elsewhere, it is
printed after `QUIET_MAX_S` seconds without another line. Each line is flushed at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Lock, Thread

from rich.console import Console
from rich.text import Text

from reconciler.cli.console import ConsoleOutput
from reconciler.local.clock import SystemClock
from reconciler.model.action_record import PassEvent
from reconciler.model.report import Report
from reconciler.views.activity import Activity, ActivityLine
from reconciler.views.progress_text import changed_lines

OnReport = Callable[[Report], None]

QUIET_MAX_S = 10.0
"""If stderr is not a terminal: the time without a line after which a line about waiting is due, in seconds."""
UPDATE_EVERY_S = 1.0
SPINNER_WIDTH = len("| ") + 1
"""The width of the spinner and of the last column, which stays empty because some terminals wrap a full line."""


class ProgressOutput:
    """The progress of a run: collected from events, and printed as lines. `show_progress` creates and updates it."""

    def __init__(self, current_step: str, print_line: Callable[[ActivityLine], None], *, has_events: bool) -> None:
        self.activity = Activity(current_step)
        self._print_line = print_line
        self._has_events = has_events
        self._clock = SystemClock()
        # The thread of `_regularly` reads the activity while the event loop changes it.
        self._activity_lock = Lock()
        self._begun_at = self._printed_at = self._clock.monotonic()
        self._print_changes = change_printer(lambda line: self.print_line(ActivityLine(line, {})))

    @property
    def has_printed(self) -> bool:
        """Whether a line has been printed."""
        return self._printed_at > self._begun_at

    @property
    def elapsed_s(self) -> float:
        """The time since the start, in seconds."""
        return self._clock.monotonic() - self._begun_at

    @property
    def quiet_s(self) -> float:
        """The time since the last line, in seconds."""
        return self._clock.monotonic() - self._printed_at

    def on_event(self, event: PassEvent) -> None:
        """Record an event of a pass. With `has_events`, print the line that reports it, if there is one."""
        with self._activity_lock:
            line = self.activity.record(event)
        if line is not None and self._has_events:
            self.print_line(line)

    def begin(self, step: str) -> None:
        """Record what the run does from now on, while no event reports anything else."""
        with self._activity_lock:
            self.activity.current_step = step

    def on_report(self, report: Report) -> None:
        """Print what changed since the previous report."""
        self._print_changes(report)

    def print_line(self, line: ActivityLine) -> None:
        """Print a line, and restart the time after which a line about waiting is due."""
        self._printed_at = self._clock.monotonic()
        self._print_line(line)

    def waiting_text(self) -> str:
        """Return the elapsed time and what the run waits for."""
        with self._activity_lock:
            return self.activity.waiting_text(self.elapsed_s)


@contextmanager
def show_progress(console: ConsoleOutput, current_step: str, *, has_events: bool = False) -> Iterator[ProgressOutput]:
    """Show the progress of a run until the block ends.

    Args:
        console: the output of the command.
        current_step: what the run does while no event has reported anything else.
        has_events: whether notable events are printed; otherwise they only update the text of what the run waits for.
    """
    if console.is_json_log or not console.is_terminal(sys.stderr):
        progress = ProgressOutput(current_step, partial(_log_activity, console), has_events=has_events)

        def print_if_quiet() -> None:
            if progress.quiet_s > QUIET_MAX_S - UPDATE_EVERY_S / 2:
                progress.print_line(ActivityLine(progress.waiting_text(), {}))

        with _regularly(print_if_quiet):
            yield progress
        return
    terminal = Console(file=sys.stderr, no_color=console.is_colorless, highlight=False)
    progress = ProgressOutput(current_step, lambda line: terminal.print(Text(line.message)), has_events=has_events)
    with terminal.status(Text(current_step), spinner="line") as status:

        def update_status() -> None:
            line = Text(progress.waiting_text())
            line.truncate(terminal.width - SPINNER_WIDTH)
            status.update(line)

        with _regularly(update_status):
            yield progress


@contextmanager
def _regularly(step: Callable[[], object]) -> Iterator[None]:
    """Call a function every `UPDATE_EVERY_S` seconds while the body runs.

    A thread makes the calls, so that they continue while the body is blocked.
    """
    is_done = Event()

    def repeat() -> None:
        while not is_done.wait(UPDATE_EVERY_S):
            step()

    thread = Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()


def change_printer(print_line: Callable[[str], None], last: Report | None = None) -> OnReport:
    """Return a function that prints what has changed since the previous report, or since `last` in the first call."""

    def print_changes(report: Report) -> None:
        nonlocal last
        for line in changed_lines(last, report):
            print_line(line)
        last = report

    return print_changes


def _log_activity(console: ConsoleOutput, line: ActivityLine) -> None:
    console.log(line.message, level="warning" if line.is_warning else "info", **line.fields)
