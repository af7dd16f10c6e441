"""What a CI is told besides the text: a JUnit file, and what its host offers: annotations, summary, outputs, a comment.

Rules: none of it changes the exit code; what the host does not take is a warning. A JUnit file that was asked for and
cannot be written is a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

from reconciler.ci.no_host import NO_HOST
from reconciler.ci.outputs import outputs
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, place
from reconciler.errors import ProviderError
from reconciler.formats.plan_file import plan_digest, render_plan
from reconciler.local.file_writer import replace_file
from reconciler.model.diagnostic import Severity
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.report import Report
from reconciler.ports import CiHost, CommentRefusedError
from reconciler.redaction import KNOWN_SECRETS
from reconciler.views.markdown import bytes_of
from reconciler.views.problems import Problem
from reconciler.views.render_context import RenderContext, SizeLimit
from reconciler.views.renderers import render

WHOLE = 1 << 40
"""More than any text is long."""


@dataclass(frozen=True, slots=True)
class CiReport:
    """A report, and what it is of: `plan`, `apply` or `validate`."""

    report: Report
    what: str
    plan: PinnedPlan | None = None

    def text(self, format_: str, context: RenderContext, limit: SizeLimit | None = None) -> str:
        """Return the report in a format, without secrets, cut to a size limit if there is one."""
        limited = context if limit is None else replace(context, size_limit=limit)
        return KNOWN_SECRETS.redact(render(self.what, format_, self.report, limited))


def tell_ci(given: OptionValues, screen: ConsoleOutput, told: CiReport) -> None:
    """Tell whoever the options and the environment name."""
    host, context = screen.host, screen.context()
    if given["junit"] is not None:
        replace_file(given["junit"], told.text("junit", context).encode())
    if host is NO_HOST:
        return
    screen.command(host.annotations(told.report, place(given).specs))
    try:
        _hand_over(host, told, context)
    except OSError as error:
        screen.say([_warning(host, f"a file of the runner could not be written: {error}")])
    if host.conversation is not None and told.what != "validate":
        screen.say(_commented(given, host, told, context))


def _hand_over(host: CiHost, told: CiReport, context: RenderContext) -> None:
    """Give the host what a reader of the run and later steps want to know. Raises OSError."""
    values = outputs(told.report) | {"version": context.version}
    if told.plan is not None:
        values |= {"plan-json": render_plan(told.plan).rstrip(), "plan-digest": plan_digest(told.plan)}
    if host.keeps_files:
        kept = host.keep(f"reconcile-{told.what}.md", told.text("markdown", context, SizeLimit(WHOLE)))
        result = f"[{','.join(told.text('json', context).splitlines())}]"
        values |= {"summary-path": str(kept), "result-json": result}
        values["result-file"] = str(host.keep(f"reconcile-{told.what}.json", f"{result}\n"))
    if (room := host.summary_room) is not None:
        host.add_summary(told.text("markdown", context, SizeLimit(room, bytes_of)))
    host.hand_on(values)


def _commented(given: OptionValues, host: CiHost, told: CiReport, context: RenderContext) -> Iterator[Problem]:
    """Write the comment. Yields a warning where that does not work."""
    about = " ".join(str(each) for each in (place(given).specs, given["selector"], given["provider"]) if each)
    marker = f"<!-- reconcile {about.replace('--', '- -')} -->"
    text = told.text("markdown", context, SizeLimit(host.comment_max - len(marker) - 1))
    try:
        host.hand_on({"comment-id": asyncio.run(host.put_comment(marker, text))})
    except (CommentRefusedError, ProviderError, ValueError, OSError) as error:
        yield _warning(host, f"the comment on {host.conversation} could not be written: {error}")


def _warning(host: CiHost, summary: str) -> Problem:
    return Problem(severity=Severity.WARNING, code=host.name, summary=summary)
