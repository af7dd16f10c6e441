"""What is printed where: the result goes to stdout, everything else to stderr. Nothing else in the product prints.

What becomes of it where nobody reads is up to `streams`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TextIO

import click

from reconciler.ci import host_of
from reconciler.ci.no_host import NO_HOST
from reconciler.cli.option_values import OptionValues
from reconciler.cli.streams import ReaderProofStream
from reconciler.cli.version_command import version_text
from reconciler.local.clock import SystemClock
from reconciler.model.report import Report
from reconciler.model.spec import render_instant
from reconciler.ports import CiHost
from reconciler.redaction import KNOWN_SECRETS
from reconciler.views.activity import ActivityLine
from reconciler.views.layout import UNFOLDED, Canvas, styled
from reconciler.views.problems import Problem, problems_text
from reconciler.views.render_context import RenderContext
from reconciler.views.renderers import render, renderer

WIDTH_MIN = 40
LESS = "-FRX"
"""As Git asks it to: in colours, and what was read stays on the screen."""


@dataclass(frozen=True, slots=True)
class ConsoleOutput:
    """How this run speaks."""

    is_json_log: bool = False
    is_colorless: bool = False
    host: CiHost = NO_HOST
    """The CI host that reads both streams, and may take some lines for commands."""

    @classmethod
    def of(cls, given: OptionValues) -> Self:
        """Return the screen that the options and the environment ask for (https://no-color.org)."""
        is_colorless = given["no_color"] or bool(os.environ.get("NO_COLOR"))
        is_json_log = given["log_format"] == "json"
        return cls(is_json_log=is_json_log, is_colorless=is_colorless, host=host_of(given, os.environ))

    def now(self) -> datetime:
        """Return the moment that a view may call now."""
        return SystemClock().now()

    def canvas(self, stream: TextIO) -> Canvas:
        """Return what may be drawn on a stream. In a pipe nothing is folded, so that a line stays a line."""
        return Canvas(max(_width(stream), WIDTH_MIN), has_color=self.is_live(stream) and not self.is_colorless)

    def context(self, reported: Collection[str] = ()) -> RenderContext:
        """Return the input of a renderer. `reported` names the jobs whose changes were already printed."""
        return RenderContext(self.canvas(sys.stdout), self.now(), version_text(), reported=reported)

    def is_live(self, stream: TextIO) -> bool:
        """Whether a person is watching the stream, on a terminal that can move its cursor."""
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def is_gone(self, stream: TextIO) -> bool:
        """Whether the stream's reader has gone away, as far as writing to it has shown."""
        return isinstance(stream, ReaderProofStream) and stream.is_over

    def result(self, text: str) -> None:
        """Print what was asked for."""
        self._write(sys.stdout, text)

    def long_result(self, text: str) -> None:
        """Print what was asked for; on a terminal that is too low for it, through the pager (`PAGER`, else `less`)."""
        if self.is_live(sys.stdout) and text.count("\n") >= shutil.get_terminal_size().lines:
            os.environ.setdefault("LESS", LESS)
            click.echo_via_pager(KNOWN_SECRETS.redact(text).removesuffix("\n"))
        else:
            self.result(text)

    def say(self, found: Iterable[Problem]) -> None:
        """Tell what went wrong, or should be known."""
        if not self.is_json_log:
            text = problems_text(found, self.canvas(sys.stderr))
            is_below_result = self.is_live(sys.stdout) and self.is_live(sys.stderr)
            self._write(sys.stderr, f"\n{text}" if text and is_below_result else text)
            return
        for problem in found:
            self.log(problem.summary, level=problem.severity, code=problem.code)

    def log(self, message: str, *, level: str = "info", **more: str) -> None:
        """Tell one line of what is going on."""
        if not self.is_json_log:
            self._write(sys.stderr, self.canvas(sys.stderr).render([styled(message)]))
            return
        line = {"at": render_instant(self.now()), "level": level, "message": message, **more}
        self._write(sys.stderr, json.dumps(line) + "\n")

    def note(self, text: str) -> None:
        """Tell a person, on a terminal, something beside the result that a program has no use for."""
        if text and self.is_live(sys.stderr) and not self.is_json_log:
            self._write(sys.stderr, self.canvas(sys.stderr).render([styled(text, "dim")]))

    def log_activity(self, line: ActivityLine) -> None:
        """Log one line of a run's progress."""
        self.log(line.message, level="warning" if line.is_warning else "info", **line.fields)

    @property
    def is_one_stream(self) -> bool:
        """Whether stdout and stderr are read together, so that what was said on one need not be said on the other."""
        try:
            out, err = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
        except OSError:
            return self.host.reads_both_streams
        return self.host.reads_both_streams or (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)

    def command(self, text: str) -> None:
        """Tell the CI host something, by a line that is its command."""
        _write(sys.stderr, text)

    def show(self, what: str, output: str, shown: Any) -> None:
        """Print a result in a format that `RENDERERS` has for it."""
        self.result(render(what, output, shown, self.context()))

    def conclude(self, report: Report, what: str, output: str, told: Collection[str] = ()) -> int:
        """Print a report in a format; then the problems that it leaves out; and return the exit code."""
        self.result(render(what, output, report, self.context(told)))
        self.say(renderer(what, output).stderr_problems(report))
        return report.exit_code

    def _write(self, stream: TextIO, text: str) -> None:
        _write(stream, self.host.harmless(text))


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _width(stream: TextIO) -> int:
    """Return how many columns a terminal has, by `COLUMNS` or by itself; what is no terminal has no edge."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return UNFOLDED
    wanted = os.environ.get("COLUMNS", "")
    return (int(wanted) if wanted.isdecimal() else 0) or width or UNFOLDED
