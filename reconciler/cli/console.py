"""The output of a command: the result goes to stdout, everything else to stderr.

The module `streams` handles readers that are slow or have gone away.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TextIO

import click

from reconciler.ci import host_of
from reconciler.ci.no_host import NO_HOST
from reconciler.ci.run_links import links_of
from reconciler.cli.source_lines import find_source
from reconciler.cli.streams import BackgroundStream
from reconciler.local.clock import SystemClock
from reconciler.local.installed_version import version_text
from reconciler.model.report import Report
from reconciler.model.spec import render_instant
from reconciler.ports import CiHost
from reconciler.redaction import KNOWN_SECRETS
from reconciler.views.layout import UNLIMITED_WIDTH, Canvas, styled
from reconciler.views.problems import Problem, problems_text
from reconciler.views.render_context import RenderContext
from reconciler.views.renderers import render, renderer

WIDTH_MIN = 40
LESS_OPTIONS = "-FRX"
"""The options that Git passes to `less`: quit if the text fits, keep colours, and leave the text on the screen."""


@dataclass(frozen=True, slots=True)
class ConsoleOutput:
    """The output of one run: its log format, its colours and its CI host."""

    is_json_log: bool = False
    """Whether messages on stderr are lines of JSON."""
    is_colorless: bool = False
    """Whether the output has no colours even on a terminal."""
    host: CiHost = NO_HOST
    """The CI host of the run, which may interpret some lines of the output as commands."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the console that the options and the environment select (https://no-color.org)."""
        is_colorless = values["no_color"] or bool(os.environ.get("NO_COLOR"))
        is_json_log = values["log_format"] == "json"
        return cls(is_json_log=is_json_log, is_colorless=is_colorless, host=host_of(values, os.environ))

    def now(self) -> datetime:
        """Return the current time for views, which never read a clock themselves."""
        return SystemClock().now()

    def canvas(self, stream: TextIO) -> Canvas:
        """Return the canvas for a stream: as wide as a terminal, or `UNLIMITED_WIDTH` wide for any other stream."""
        return Canvas(max(_width(stream), WIDTH_MIN), has_color=self.is_terminal(stream) and not self.is_colorless)

    def context(self, reported: Collection[str] = (), specs: Path | None = None) -> RenderContext:
        """Return the context for a renderer.

        `reported` are the names of jobs whose changes were already printed, and `specs` is the specs directory if the
        result links to specs.
        """
        return RenderContext(
            self.canvas(sys.stdout),
            self.now(),
            version_text,
            find_source,
            reported=reported,
            specs=str(specs or ""),
            find_links=lambda: links_of(os.environ),
        )

    def is_terminal(self, stream: TextIO) -> bool:
        """Return whether the stream is a terminal that can move its cursor."""
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def is_closed(self, stream: TextIO) -> bool:
        """Return whether the stream can no longer reach a reader."""
        return isinstance(stream, BackgroundStream) and stream.is_closed

    def print_result(self, text: str) -> None:
        """Print the result of the command to stdout."""
        self._write(sys.stdout, text)

    def page_result(self, text: str) -> None:
        """Print the result to stdout. If a terminal has too few lines for it, show it in `PAGER`, or else in `less`."""
        if self.is_terminal(sys.stdout) and text.count("\n") >= shutil.get_terminal_size().lines:
            os.environ.setdefault("LESS", LESS_OPTIONS)
            click.echo_via_pager(KNOWN_SECRETS.redact(text).removesuffix("\n"))
        else:
            self.print_result(text)

    def show_problems(self, found: Iterable[Problem]) -> None:
        """Print problems to stderr, as text or, with `is_json_log`, as lines of JSON."""
        if not self.is_json_log:
            text = problems_text(found, self.canvas(sys.stderr), find_source)
            # An empty line separates the problems from a result on the same terminal.
            is_below_result = self.is_terminal(sys.stdout) and self.is_terminal(sys.stderr)
            self._write(sys.stderr, f"\n{text}" if text and is_below_result else text)
            return
        for problem in found:
            self.log(problem.summary, level=problem.severity, code=problem.code)

    def log(self, message: str, *, level: str = "info", **more: str) -> None:
        """Write a message to stderr, as text or as a line of JSON. Only JSON has `level` and the fields in `more`."""
        if not self.is_json_log:
            self._write(sys.stderr, self.canvas(sys.stderr).render([styled(message)]))
            return
        line = {"at": render_instant(self.now()), "level": level, "message": message, **more}
        self._write(sys.stderr, json.dumps(line) + "\n")

    def show_hint(self, text: str) -> None:
        """Print a hint to stderr if stderr is a terminal and the log is text."""
        if text and self.is_terminal(sys.stderr) and not self.is_json_log:
            self._write(sys.stderr, self.canvas(sys.stderr).render([styled(text, "dim")]))

    @property
    def has_merged_streams(self) -> bool:
        """Whether stdout and stderr go to the same reader, so that no line needs to be written to both."""
        try:
            out, err = (os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))
        except OSError:
            return self.host.reads_both_streams
        return self.host.reads_both_streams or (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)

    def print_ci_command(self, text: str) -> None:
        """Print lines to stderr that the CI host executes as commands. The other methods escape such lines."""
        _write(sys.stderr, text)

    def show(self, result: str, format_: str, shown: Any) -> None:
        """Print a result in a format. Raises `LookupError` if `RENDERERS` has no such row."""
        self.print_result(render(result, format_, shown, self.context()))

    def show_report(
        self,
        report: Report,
        operation: str,
        format_: str,
        reported: Collection[str] = (),
        specs: Path | None = None,
    ) -> int:
        """Print a report, then the problems that the format leaves out, and return the exit code.

        `operation` and `format_` are a key of `RENDERERS`; for any other, `LookupError` is raised. For `reported` and
        `specs`, see `context`.
        """
        self.print_result(render(operation, format_, report, self.context(reported, specs)))
        self.show_problems(renderer(operation, format_).stderr_problems(report))
        return report.exit_code

    def _write(self, stream: TextIO, text: str) -> None:
        _write(stream, self.host.without_commands(text))


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _width(stream: TextIO) -> int:
    """Return the width of a terminal, which `COLUMNS` overrides, or `UNLIMITED_WIDTH` for any other stream."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return UNLIMITED_WIDTH
    wanted = os.environ.get("COLUMNS", "")
    return (int(wanted) if wanted.isdecimal() else 0) or width or UNLIMITED_WIDTH
