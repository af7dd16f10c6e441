"""What a pass did, and what `validate` found, for the summary of a step. What matters most comes first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.model.diagnostic import Severity
from reconciler.model.report import Report
from reconciler.views.markdown import escaped, fitted, problem_lines, standing_lines, table_row
from reconciler.views.orphans_text import orphan_lines
from reconciler.views.plan_text import TITLES
from reconciler.views.problems import diagnosed, problems, unjudged, unseen
from reconciler.views.render_context import RenderContext
from reconciler.views.result_text import ASKED, change_line
from reconciler.views.row_state import JobState, outlook, told_standings, told_verbs
from reconciler.views.text import age, count


def result_markdown(report: Report, context: RenderContext) -> str:
    """Return what was asked for and came of it as GitHub's Markdown, cut to the room that there is."""
    asked = [row for row in report.rows if row.progress in ASKED]
    told = [line for row in report.rows if (line := change_line(row)) is not None]
    lines = [
        f"### Asked: {told_verbs(asked) or 'nothing'}",
        "",
        f"Now: {told_standings(report.rows)}.",
        *problem_lines("Problems", (*problems(report), *unseen(report), *unjudged(report))),
        *(["", "#### What was done", ""] if told else []),
        *(f"- {escaped(line)}" for line in told),
        *orphan_lines(report.orphans),
        *standing_lines(TITLES[JobState.STALLED], [r for r in report.rows if outlook(r).standing is JobState.STALLED]),
        *_everything(report, context.now),
    ]
    return fitted(lines, context.room, "get")


def validation_markdown(report: Report, context: RenderContext) -> str:
    """Return what is wrong with documents as GitHub's Markdown, cut to the room that there is."""
    errors = sum(each.severity is Severity.ERROR for each in report.diagnostics)
    warnings = len(report.diagnostics) - errors
    lines = [
        f"### Validation: {count(errors, 'error')}, {count(warnings, 'warning')}",
        *problem_lines("Problems", diagnosed(report.diagnostics)),
    ]
    return fitted(lines, context.room, "validate")


def _everything(report: Report, now: datetime) -> Iterator[str]:
    if not report.rows:
        return
    yield from ("", "#### Jobs", "", "| Job | Wanted | Phase | Ready | Reason | Age |", "|---|---|---|---|---|---|")
    for row in report.rows:
        look, job = outlook(row), row.status.job
        yield table_row(
            escaped(row.name),
            row.wanted or "",
            escaped(row.status.phase),
            look.ready,
            look.reason,
            age(job.created_at if job else None, now),
        )
