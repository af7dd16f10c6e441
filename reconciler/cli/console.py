"""The two streams: the result goes to stdout, everything else to stderr. Nothing else in the product prints.

A reader that has seen enough (`| head`) is no error, and a stream that cannot show a character shows its escape.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self, TextIO

import click

from reconciler.ci.github_text import harmless
from reconciler.cli.option_values import Given
from reconciler.cli.version_command import version_text
from reconciler.local.clock import SystemClock
from reconciler.model.report import Report
from reconciler.model.spec import render_instant
from reconciler.views.json_lines import report_lines
from reconciler.views.layout import UNFOLDED, Canvas
from reconciler.views.problems import Problem, problems, problems_text, unseen

WIDTH_MIN = 40
LESS = "-FRX"
"""As Git asks it to: in colours, and what was read stays on the screen."""

View = Callable[[Report, Canvas, datetime], str]


@dataclass(frozen=True, slots=True)
class Screen:
    """How this run speaks."""

    is_json_log: bool = False
    is_colorless: bool = False
    is_github: bool = False
    """A runner of GitHub Actions reads both streams, and would take some lines for commands."""

    @classmethod
    def of(cls, given: Given) -> Self:
        """Return the screen that the options and the environment ask for (https://no-color.org)."""
        is_colorless = given["no_color"] or bool(os.environ.get("NO_COLOR"))
        is_github = bool(given.get("github")) or os.environ.get("GITHUB_ACTIONS") == "true"
        return cls(is_json_log=given["log_format"] == "json", is_colorless=is_colorless, is_github=is_github)

    def now(self) -> datetime:
        """Return the moment that a view may call now."""
        return SystemClock().now()

    def canvas(self, stream: TextIO) -> Canvas:
        """Return what may be drawn on a stream. In a pipe nothing is folded, so that a line stays a line."""
        width = shutil.get_terminal_size((UNFOLDED, 24)).columns
        return Canvas(max(width, WIDTH_MIN), has_color=self.is_live(stream) and not self.is_colorless)

    def is_live(self, stream: TextIO) -> bool:
        """Whether a person is watching the stream, on a terminal that can move its cursor."""
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def result(self, text: str) -> None:
        """Print what was asked for."""
        self._write(sys.stdout, text)

    def long_result(self, text: str) -> None:
        """Print what was asked for; on a terminal that is too low for it, through the pager (`PAGER`, else `less`)."""
        if self.is_live(sys.stdout) and text.count("\n") >= shutil.get_terminal_size().lines:
            os.environ.setdefault("LESS", LESS)
            click.echo_via_pager(text.removesuffix("\n"))
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
            self._write(sys.stderr, f"{message}\n")
            return
        line = {"at": render_instant(self.now()), "level": level, "message": message, **more}
        self._write(sys.stderr, json.dumps(line) + "\n")

    def command(self, text: str) -> None:
        """Tell the runner something."""
        _write(sys.stderr, text)

    def conclude(self, report: Report, view: View, *, output: str, operation: str) -> int:
        """Print a report by this view, or as NDJSON; then its problems; and return the exit code."""
        if output == "json":
            return self.conclude_json(report, operation=operation)
        self.result(view(report, self.canvas(sys.stdout), self.now()))
        self.say(problems(report))
        return report.exit_code

    def conclude_json(self, report: Report, *, operation: str) -> int:
        """Print a report as NDJSON, and for people its problems; and return the exit code."""
        self.result(report_lines(report, operation=operation, version=version_text(), now=self.now()))
        self.say((*unseen(report), *problems(report)))
        return report.exit_code

    def _write(self, stream: TextIO, text: str) -> None:
        _write(stream, harmless(text) if self.is_github else text)


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        # what is still buffered would fail again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
