"""The result of a pass or of `validate` as Markdown, for the summary of a CI step.

The most important parts come first, because a text that exceeds the size limit is cut at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report
from reconciler.views.markdown import escaped, fitted, origin_lines, problem_lines, state_lines, table
from reconciler.views.orphans_text import orphan_lines
from reconciler.views.plan_text import REFUSED_TITLE, TITLES
from reconciler.views.problems import document_problems, problems, unjudged_limits, unobserved_accounts
from reconciler.views.refusals_markdown import refusal_lines
from reconciler.views.render_context import RenderContext
from reconciler.views.report_sources import ReportSources
from reconciler.views.result_text import change_line, requests_text
from reconciler.views.row_state import JobState, job_state, row_state, states_text, waiting_rows
from reconciler.views.text import age, count


def result_markdown(report: Report, context: RenderContext) -> str:
    """Return the requests of a pass and their outcomes as GitHub Markdown, cut to the size limit of the context."""
    changes = [line for row in report.rows if (line := change_line(row)) is not None]
    sources = ReportSources.of(report, context)
    found = (*problems(replace(report, refusals=())), *unobserved_accounts(report), *unjudged_limits(report))
    lines = [
        f"### {requests_text(report)}",
        *origin_lines(sources),
        "",
        f"Now: {states_text(report.rows)}.",
        *problem_lines("Problems", found, sources),
        *(["", f"#### {REFUSED_TITLE}", "", *refusal_lines(report.refusals)] if report.refusals else []),
        *(["", "#### Changes", ""] if changes else []),
        *(f"- {escaped(line)}" for line in changes),
        *orphan_lines(report.orphans),
        *state_lines(TITLES[JobState.STALLED], [r for r in report.rows if job_state(r) is JobState.STALLED]),
        *state_lines(TITLES[JobState.WITHHELD], waiting_rows(report.rows)),
        *_jobs_table(report, context.now),
    ]
    return fitted(lines, context.size_limit, "get")


def validation_markdown(report: Report, context: RenderContext) -> str:
    """Return the problems of documents as GitHub Markdown, cut to the size limit of the context."""
    errors = sum(each.severity is Severity.ERROR for each in report.diagnostics)
    warnings = len(report.diagnostics) - errors
    lines = [
        f"### Validation: {count(errors, 'error')}, {count(warnings, 'warning')}",
        *problem_lines("Problems", document_problems(report.diagnostics), ReportSources.of(report, context)),
    ]
    return fitted(lines, context.size_limit, "validate")


def _jobs_table(report: Report, now: datetime) -> Iterator[str]:
    if not report.rows:
        return
    cells = [(row, row_state(row), row.status.job) for row in report.rows]
    yield from ("", "#### Jobs", "")
    yield from table(
        ("Job", "Wanted", "Phase", "Ready", "Reason", "Age"),
        [
            (
                escaped(row.name),
                row.wanted or "",
                escaped(row.status.phase),
                state.ready,
                state.reason,
                age(job.created_at if job else None, now),
            )
            for row, state, job in cells
        ],
        "job",
    )
