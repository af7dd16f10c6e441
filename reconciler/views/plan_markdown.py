"""A plan for a pull request: its comment, and the summary of a step. What matters most comes first: it is not cut."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.model.action import Progress
from reconciler.model.report import Report, Row
from reconciler.views.markdown import (
    escaped,
    fitted,
    problem_lines,
    standing_lines,
    table_row,
)
from reconciler.views.orphans_text import orphan_lines
from reconciler.views.plan_text import REFUSED_TITLE, TARGETS, TITLES
from reconciler.views.problems import problems, unjudged, unseen
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, is_pending, outlook, told_standings, told_verbs, why
from reconciler.views.usage import age_of, left_of


def plan_markdown(report: Report, context: RenderContext) -> str:
    """Return the plan as GitHub's Markdown, cut to the room that there is."""
    now = context.now
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    lines = [
        f"### Plan: {_title(pending, refused, len(report.orphans))}",
        "",
        f"{told_standings(rest).capitalize()}.",
        *problem_lines("Problems", (*problems(report), *unseen(report), *unjudged(report))),
        *_changes("Changes", pending, now),
        *_changes(REFUSED_TITLE, refused, now),
    ]
    lines += orphan_lines(report.orphans)
    for standing, title in TITLES.items():
        lines += standing_lines(title, [row for row in rest if outlook(row).standing is standing])
    lines += standing_lines("Could not observe", [row for row in rest if outlook(row).standing is JobState.UNSEEN])
    return fitted(lines, context.room, "plan")


def _title(pending: list[Row], refused: list[Row], orphans: int) -> str:
    parts = (
        told_verbs(pending),
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
                age_of(row, now),
                left_of(row, now),
                escaped(why(row.action.because, row.action.reason)),
                escaped(row.source),
            )
