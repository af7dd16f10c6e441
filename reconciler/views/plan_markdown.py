"""A plan as Markdown, for a comment on a pull request and the summary of a CI step.

The most important parts come first, because a text that exceeds the size limit is cut at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.model.action import Progress
from reconciler.model.report import Report, Row
from reconciler.views.cost_text import amount_text, cancels_cost_text, guard_cost_lines, left, spent
from reconciler.views.markdown import escaped, fitted, origin_lines, problem_lines, spec_link, state_lines, table
from reconciler.views.orphans_text import may_still_run, orphan_lines
from reconciler.views.plan_text import REFUSED_TITLE, SHADOW_TEXT, TARGETS, TITLES
from reconciler.views.problems import problems, unjudged_limits, unobserved_accounts
from reconciler.views.refusals_markdown import refusal_lines
from reconciler.views.render_context import RenderContext
from reconciler.views.report_sources import ReportSources
from reconciler.views.row_state import (
    JobState,
    cause_text,
    is_pending,
    job_state,
    no_change_text,
    planned_text,
    states_text,
)
from reconciler.views.usage import job_age, time_left

HEAD = ("Change", "Job", "Now", "Age", "Left", "Why", "Spec")
COSTS = ("Cost so far", "Cost left")
"""Further columns, if prices are stated."""


def plan_markdown(report: Report, context: RenderContext) -> str:
    """Return the plan as GitHub Markdown, cut to the size limit of the context."""
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    sources = ReportSources.of(report, context)
    found = (*problems(replace(report, refusals=())), *unobserved_accounts(report), *unjudged_limits(report))
    lines = [
        f"### Plan: {_title(report, pending, refused)}",
        *origin_lines(sources),
        *(["", f"{states_text(rest).capitalize()}."] if rest or not pending else []),
        *(["", SHADOW_TEXT] if report.is_shadow else []),
        *problem_lines("Problems", found, sources),
        *_changes("Changes", pending, sources, context.now),
        *_refused(report, refused, sources, context.now),
        *(line for each in guard_cost_lines(report) for line in ("", escaped(each))),
        *orphan_lines(report.orphans),
        *_unchanged(rest),
    ]
    return fitted(lines, context.size_limit, "plan")


def _unchanged(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a section for each state that needs attention, with the jobs in it."""
    for state, title in (*TITLES.items(), (JobState.UNOBSERVED, "Could not observe")):
        yield from state_lines(title, [row for row in rows if job_state(row) is state])


def _title(report: Report, pending: list[Row], refused: list[Row]) -> str:
    running = sum(may_still_run(each) for each in report.orphans)
    parts = (
        planned_text(pending),
        f"{len(refused):,} refused" if refused else "",
        f"{len(report.orphans):,} no longer managed" if report.orphans else "",
    )
    warning = f" ({running:,} may still run)" if running else ""
    return (", ".join(filter(None, parts)) or no_change_text(report.rows)) + warning


def _changes(title: str, rows: Sequence[Row], sources: ReportSources, now: datetime) -> Iterator[str]:
    # This table is never collapsed, because a person approves the changes.
    if rows:
        yield from ("", f"#### {title}", "", *table(_head(rows), _cells(rows, sources, now)), *_total(rows, now))


def _refused(report: Report, rows: Sequence[Row], sources: ReportSources, now: datetime) -> Iterator[str]:
    if rows or report.refusals:
        yield from ("", f"#### {REFUSED_TITLE}", "", *refusal_lines(report.refusals))
    if rows:
        yield from ("", *table(_head(rows), _cells(rows, sources, now), "refused change"))


def _has_prices(rows: Sequence[Row]) -> bool:
    return any(row.price is not None for row in rows)


def _head(rows: Sequence[Row]) -> tuple[str, ...]:
    return (*HEAD, *COSTS) if _has_prices(rows) else HEAD


def _total(rows: Sequence[Row], now: datetime) -> Iterator[str]:
    """Yield what the jobs to cancel have cost and will still cost, if prices are stated."""
    if costs := cancels_cost_text(rows, now):
        yield from ("", costs)


def _cells(rows: Sequence[Row], sources: ReportSources, now: datetime) -> list[tuple[str, ...]]:
    return [
        (
            f"**{row.action.verb}** to {TARGETS[row.action.verb]}",
            f"**{escaped(row.name)}**",
            escaped(row.status.phase),
            job_age(row, now),
            time_left(row, now),
            escaped(cause_text(row.action.because, row.action.reason)),
            spec_link(row, sources),
            *(_costs(row, now) if _has_prices(rows) else ()),
        )
        for row in rows
        if row.action is not None
    ]


def _costs(row: Row, now: datetime) -> tuple[str, str]:
    """Return the cells of `COSTS`. A cost that is not known is stated as unknown, never as nothing."""
    so_far, more = spent(row, now), left(row, now)
    return amount_text(so_far) or "unknown", amount_text(more) or ("-" if more is None else "unknown")
