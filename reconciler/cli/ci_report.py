"""What a CI is told besides the text: a JUnit file, and in GitHub Actions annotations, summary, outputs and comment.

Rules: none of it changes the exit code; what GitHub does not take is a warning. A JUnit file that was asked for and
cannot be written is a failure.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.ci.github import CommentRefused, Runner, append, put_comment, size_of
from reconciler.ci.github_text import SUMMARY_MAX, Places, commands, output_text, outputs, remarks
from reconciler.cli.console import Screen
from reconciler.cli.option_values import Given, place
from reconciler.errors import ProviderError
from reconciler.formats.plan_file import plan_digest, render_plan
from reconciler.model.diagnostic import Severity
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import Report
from reconciler.views.junit import junit_xml
from reconciler.views.markdown import COMMENT_MAX, Size, bytes_of
from reconciler.views.problems import Problem

Markdown = Callable[[Report, datetime, int, Size], str]

WHOLE = 1 << 40
"""More than any text is long."""


@dataclass(frozen=True, slots=True)
class Told:
    """A report, and how it is told: `operation` is `plan`, `apply` or `validate`."""

    report: Report
    operation: str
    markdown: Markdown
    plan: PinnedPlan | None = None


def tell_ci(given: Given, screen: Screen, told: Told) -> None:
    """Tell whoever the options and the environment name."""
    if given["junit"] is not None:
        xml = junit_xml(told.report, told.operation, screen.now())
        given["junit"].write_text(xml, encoding="utf-8", newline="\n")
    if screen.is_github:
        runner = Runner.of(os.environ)
        screen.command(commands(remarks(told.report, _places(given, runner))))
        try:
            _write_files(runner, told, screen.now())
        except OSError as error:
            screen.say([_warning(f"a file of the runner could not be written: {error}")])
        if runner.can_comment and told.operation != "validate":
            screen.say(_commented(given, runner, told, screen.now()))


def _places(given: Given, runner: Runner) -> Places:
    here = Path.cwd()
    top = runner.workspace if runner.workspace and here.is_relative_to(runner.workspace) else here
    return Places(here.relative_to(top).as_posix(), str(place(given).specs))


def _write_files(runner: Runner, told: Told, now: datetime) -> None:
    """Add to the step's summary and outputs. Raises OSError."""
    values = outputs(told.report)
    if told.plan is not None:
        values |= {"plan-json": render_plan(told.plan).rstrip(), "plan-digest": plan_digest(told.plan)}
    if runner.temp is not None:
        kept = runner.temp / f"reconcile-{told.operation}.md"
        kept.write_text(told.markdown(told.report, now, WHOLE, len), encoding="utf-8")
        values["summary-path"] = str(kept)
    if runner.summary is not None:
        room = SUMMARY_MAX - size_of(runner.summary)
        append(runner.summary, told.markdown(told.report, now, room, bytes_of))
    if runner.output is not None:
        append(runner.output, output_text(values, lambda: f"end-{secrets.token_hex(16)}"))


def _commented(given: Given, runner: Runner, told: Told, now: datetime) -> Iterator[Problem]:
    """Write the comment. Yields a warning where that does not work."""
    about = " ".join(str(each) for each in (place(given).specs, given["selector"], given["provider"]) if each)
    marker = f"<!-- reconcile {about.replace('--', '- -')} -->"
    text = told.markdown(told.report, now, COMMENT_MAX - len(marker) - 1, len)
    try:
        asyncio.run(_comment(runner, marker, text))
    except (CommentRefused, ProviderError, ValueError) as error:
        yield _warning(f"the comment on pull request {runner.pull_request} could not be written: {error}")


async def _comment(runner: Runner, marker: str, text: str) -> None:
    from reconciler.ports import Rate  # noqa: PLC0415  as below
    from reconciler.transport import Gate, HttpTransport  # noqa: PLC0415  httpx takes a fifth of a second

    gate = Gate(Rate(requests_per_second=5, burst=10))
    async with HttpTransport(runner.base_url(), gate) as transport:
        await put_comment(transport, runner, marker, text)


def _warning(summary: str) -> Problem:
    return Problem(severity=Severity.WARNING, code="GitHub", summary=summary)
