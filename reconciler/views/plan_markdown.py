"""A plan as Markdown, for a comment on a pull request and the summary of a CI step.

The most important parts come first, because a text that exceeds the size limit is cut at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.model.action import Progress
from reconciler.model.report import Report, Row
from reconciler.views.markdown import (
    escaped,
    fitted,
    problem_lines,
    state_lines,
    table_row,
)
from reconciler.views.orphans_text import orphan_lines
from reconciler.views.plan_text import REFUSED_TITLE, SHADOW_TEXT, TARGETS, TITLES
from reconciler.views.problems import problems, unjudged_limits, unobserved_accounts
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, cause_text, is_pending, planned_text, row_state, states_text
from reconciler.views.usage import job_age, time_left


def plan_markdown(report: Report, context: RenderContext) -> str:
    """Return the plan as GitHub Markdown, cut to the size limit of the context."""
    now = context.now
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    lines = [
        f"### Plan: {_title(pending, refused, len(report.orphans))}",
        *(["", f"{states_text(rest).capitalize()}."] if rest or not pending else []),
        *(["", SHADOW_TEXT] if report.is_shadow else []),
        *problem_lines("Problems", (*problems(report), *unobserved_accounts(report), *unjudged_limits(report))),
        *_changes("Changes", pending, now),
        *_changes(REFUSED_TITLE, refused, now),
    ]
    lines += orphan_lines(report.orphans)
    for state, title in TITLES.items():
        lines += state_lines(title, [row for row in rest if row_state(row).job_state is state])
    lines += state_lines("Could not observe", [row for row in rest if row_state(row).job_state is JobState.UNOBSERVED])
    return fitted(lines, context.size_limit, "plan")


def _title(pending: list[Row], refused: list[Row], orphans: int) -> str:
    parts = (
        planned_text(pending),
        f"{len(refused):,} refused" if refused else "",
        f"{orphans:,} no longer managed" if orphans else "",
    )
    return ", ".join(filter(None, parts)) or "nothing to change"


def _changes(title: str, rows: list[Row], now: datetime) -> Iterator[str]:
    if not rows:
        return
    head = table_row("Change", "Job", "Now", "Age", "Left", "Why", "Spec")
    yield from ("", f"#### {title}", "", head, "|---|---|---|---|---|---|---|")
    for row in rows:
        if row.action is not None:
            yield table_row(
                f"**{row.action.verb}** to {TARGETS[row.action.verb]}",
                f"**{escaped(row.name)}**",
                escaped(row.status.phase),
                job_age(row, now),
                time_left(row, now),
                escaped(cause_text(row.action.because, row.action.reason)),
                escaped(row.source),
            )
