"""The output of a run for CI systems: report files, and the annotations, summary, outputs and comment of a CI host.

If a report file cannot be written, the command fails. If the summary, the outputs or the comment cannot be written, a
warning is printed and the exit code does not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reconciler.ci.no_host import NO_HOST
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.option_values import OptionValues, paths
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
from reconciler.views.render_context import FindSource, RenderContext, SizeLimit, SourcePlace
from reconciler.views.renderers import render

UNLIMITED = 1 << 40
"""A size limit that no text reaches."""
FILES = {"junit": "junit", "code_quality": "code-quality"}
"""The format of each report file, by the option that names the file."""


@dataclass(frozen=True, slots=True)
class CiReport:
    """A report, with the operation that made it.

    Args:
        report: the report.
        operation: `plan`, `apply` or `validate`.
        plan: the changes that `reconcile plan` shows; None for any other command.
    """

    report: Report
    operation: str
    plan: PinnedPlan | None = None

    def text(self, format_: str, context: RenderContext, limit: SizeLimit | None = None) -> str:
        """Return the report in a format, with known secrets redacted.

        `limit` replaces the size limit of the context, unless it is None. Raises `LookupError` if nothing renders the
        operation in this format.
        """
        limited = context if limit is None else replace(context, size_limit=limit)
        return KNOWN_SECRETS.redact(render(self.operation, format_, self.report, limited))


def write_file(option: str, path: Path, data: bytes) -> None:
    """Write the file that an option names. Raises an `OSError` that names the file and the option."""
    try:
        replace_file(path, data)
    except OSError as error:
        why = f"{error.strerror or error}; pass another file to {option}"
        raise OSError(error.errno, why, error.filename) from None


def report_to_ci(values: OptionValues, console: ConsoleOutput, ci_report: CiReport) -> None:
    """Write the report files that were requested, and report to the CI host if there is one.

    Raises `OSError` if a report file cannot be written. A failure of the host is only a warning.
    """
    host, where = console.host, paths(values)
    context = console.context(specs=where.specs)
    if where.remote is not None:
        context = replace(context, find_source=partial(_from_top, context.find_source))
    for option, format_ in FILES.items():
        if values[option] is not None:
            write_file(f"--{option.replace('_', '-')}", values[option], ci_report.text(format_, context).encode())
    if host is NO_HOST:
        return
    console.print_ci_command(host.annotations(ci_report.report, where.specs, is_from_top=where.remote is not None))
    try:
        _write_summary_and_outputs(host, ci_report, context)
    except OSError as error:
        console.show_problems(
            [
                _warning(
                    host,
                    f"{error.filename or 'a file of the CI runner'} could not be written: {error.strerror or error}",
                )
            ]
        )
    if host.comment_target is not None and ci_report.operation != "validate":
        console.show_problems(_write_comment(values, host, ci_report, context))


def _from_top(find_source: FindSource, file: str, line: int | None) -> SourcePlace:
    """Return the place of a file whose path is already relative to the top of its repository."""
    return replace(find_source(file, line), path=file)


def _write_summary_and_outputs(host: CiHost, ci_report: CiReport, context: RenderContext) -> None:
    """Write the summary, the files that the host keeps, and the outputs. Raises `OSError` if one cannot be written."""
    from reconciler.ci.outputs import outputs  # noqa: PLC0415  only a CI host needs it

    step_outputs = outputs(ci_report.report) | {"version": context.version}
    if ci_report.plan is not None:
        step_outputs |= {"plan-json": render_plan(ci_report.plan).rstrip(), "plan-digest": plan_digest(ci_report.plan)}
    if host.keeps_files:
        name = f"reconcile-{ci_report.operation}"
        kept = host.write_file(f"{name}.md", ci_report.text("markdown", context, SizeLimit(UNLIMITED)))
        result = f"[{','.join(ci_report.text('json', context).splitlines())}]"
        step_outputs |= {"summary-path": str(kept), "result-json": result}
        step_outputs["result-file"] = str(host.write_file(f"{name}.json", f"{result}\n"))
    if (room := host.summary_bytes_left) is not None:
        host.add_summary(ci_report.text("markdown", context, SizeLimit(room, bytes_of)))
    host.set_outputs(step_outputs)


def _write_comment(
    values: OptionValues, host: CiHost, ci_report: CiReport, context: RenderContext
) -> Iterator[Problem]:
    """Write the comment at `host.comment_target`, and yield a warning if that fails."""
    import asyncio  # noqa: PLC0415  slow to import, and needed only for a comment

    # The marker identifies the comment of an earlier run. Runs with different selections write separate comments.
    about = " ".join(
        str(each) for each in (paths(values).specs, values["selector"], values["provider"], values["kind"]) if each
    )
    marker = f"<!-- reconcile {about.replace('--', '- -')} -->"
    text = ci_report.text("markdown", context, SizeLimit(host.comment_max - len(marker) - 1))
    try:
        host.set_outputs({"comment-id": asyncio.run(host.put_comment(marker, text))})
    except (CommentRefusedError, ProviderError, ValueError, OSError) as error:
        yield _warning(host, f"the comment on {host.comment_target} could not be written: {error}")


def _warning(host: CiHost, summary: str) -> Problem:
    return Problem(severity=Severity.WARNING, code=host.name, summary=summary)
