"""A plan as text: each change with its cause and the usage of its job, then the other jobs by state, then the totals.

All changes are listed, however many there are, because a person approves them. Of the other jobs, at most `LISTED_MAX`
are listed in each state, and those in their desired state are only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from reconciler.model.action import Action, Progress
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.status import Receipt, Verb
from reconciler.views.cost_text import cancels_cost_text, cost_text, guard_cost_lines
from reconciler.views.layout import (
    STYLES,
    UNLIMITED_WIDTH,
    Canvas,
    Column,
    SentenceTable,
    listing,
    section,
    styled,
    table,
)
from reconciler.views.orphans_text import orphan_part
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import (
    NO_JOBS,
    JobState,
    RowState,
    cause_text,
    is_pending,
    no_change_text,
    planned_text,
    row_state,
    rows_by_state,
    totals_text,
)
from reconciler.views.text import clean, count, moment
from reconciler.views.unobserved_text import unobserved_part
from reconciler.views.usage import expected_end, job_age, time_left, time_left_text, usage_text

EXPLAINED_MAX = 10
"""The maximum number of changes that have a block of several lines each. Otherwise, every change has one line."""
LISTED_MAX = 20
"""The maximum number of jobs without a change that are listed in each state."""

DITTO = '"'
"""The mark for a reason that is the same as in the line above."""

TARGETS = {Verb.CANCEL: "cancelled", Verb.PAUSE: "paused", Verb.RESUME: "running"}
VERB_STYLES = {Verb.CANCEL: "bold red", Verb.PAUSE: "bold yellow", Verb.RESUME: "bold green"}
REFUSED_TITLE = "Refused by the guard: none of these changes will be requested"
SHADOW_TEXT = "Shadow mode: no run with these options requests a change."
NEAR_TITLE = "Limits that are near: they will cancel these jobs"
UNJUDGED_TITLE = "Limits that cannot be judged: they cancel nothing"
TITLES = {
    JobState.STALLED: "Stalled: manual action is needed",
    JobState.SUSPENDED: "Suspended: observed, no change is requested",
    JobState.WITHHELD: "Withheld: a change is due, and is not requested",
    JobState.ON_THE_WAY: "On the way: waiting for the provider",
}


def plan_text(report: Report, context: RenderContext) -> str:
    """Return the plan as text."""
    canvas, now = context.canvas, context.now
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    by_state = rows_by_state(rest)
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    has_news = pending or refused or (report.orphans and not report.rows)
    return canvas.render(
        [
            *([] if has_news else [styled(_unchanged(by_state)), Text()]),
            *_changes(pending, canvas, now),
            *_refused_part(refused, canvas, now),
            *_state_parts(by_state),
            *limits_part(rest),
            *orphan_part(report.orphans),
            *unobserved_part(report, report.rows),
            *([styled(SHADOW_TEXT), Text()] if report.is_shadow else []),
            *_cost_part(report, pending, now),
            styled(f"Plan: {_totals(pending, by_state, len(report.orphans))}.", "bold"),
        ]
    )


def _state_parts(by_state: Mapping[JobState, list[Row]]) -> Iterator[RenderableType]:
    """Yield the section of each state that needs attention, if a job is in it."""
    for state in TITLES:
        yield from state_part(by_state[state], state)


def _totals(pending: list[Row], by_state: Mapping[JobState, list[Row]], orphans: int) -> str:
    parts = [planned_text(pending)] if pending else []
    parts += [totals_text(by_state)] if any(by_state.values()) or not (pending or orphans) else []
    return "; ".join([*parts, *([f"{orphans:,} no longer managed"] if orphans else [])])


def _cost_part(report: Report, pending: Sequence[Row], now: datetime) -> list[RenderableType]:
    """Return what the jobs to cancel have cost and will still cost, and what the guard allows, if there are prices."""
    costs = cancels_cost_text(pending, now)
    lines = [*([] if costs is None else [costs]), *guard_cost_lines(report)]
    return [*map(styled, lines), Text()] if lines else []


def _unchanged(by_state: Mapping[JobState, list[Row]]) -> str:
    """Return the message for a plan without a change."""
    if not any(by_state.values()):
        return NO_JOBS
    return f"{no_change_text(by_state[JobState.UNOBSERVED]).capitalize()}."


def _changes(rows: list[Row], canvas: Canvas, now: datetime) -> list[RenderableType]:
    if len(rows) > EXPLAINED_MAX:
        return [_brief(rows, canvas, now), Text()]
    return [_explained(row, row.action, now) for row in rows if row.action is not None]


def _refused_part(rows: list[Row], canvas: Canvas, now: datetime) -> list[RenderableType]:
    """Return the section with the changes that the guard refuses, or an empty list if there are none."""
    return [section(REFUSED_TITLE, _brief(rows, canvas, now), "red")] if rows else []


def _explained(row: Row, action: Action, now: datetime) -> RenderableType:
    """Return one change in full: a title line, and below it the facts that a reviewer needs."""
    title = Text.assemble(
        (action.verb, VERB_STYLES[action.verb]),
        " ",
        (clean(row.name), "bold"),
        f": {row.status.phase} -> {TARGETS[action.verb]}",
    )
    known = (
        ("why", cause_text(action.because, action.reason)),
        ("spent", usage_text(row, now)),
        ("left", time_left_text(row, now)),
        ("cost", cost_text(row, now)),
        *_consequences(row, action),
    )
    facts = [(label, value) for label, value in known if value is not None]
    if (receipt := row.status.open_receipt) is not None and not action.is_first_attempt:
        facts.append(("again", _attempts_text(receipt)))
    facts += [("job", f"{action.ref.id} at {action.ref.account}"), ("spec", row.source)]
    return Group(title, listing([(styled(label, "dim"), styled(value)) for label, value in facts]), Text())


def _consequences(row: Row, action: Action) -> tuple[tuple[str, str | None], ...]:
    """Return what a cancel keeps and what is charged for it, if the provider documents that."""
    if action.verb is not Verb.CANCEL or row.capabilities is None:
        return ()
    return ("keeps", row.capabilities.cancel_keeps), ("charged", row.capabilities.cancel_costs)


def _brief(rows: list[Row], canvas: Canvas, now: datetime) -> RenderableType:
    actions = [row.action for row in rows if row.action is not None]
    columns = [
        Column("CHANGE", [Text(action.verb, VERB_STYLES[action.verb]) for action in actions]),
        Column("NAME", [styled(row.name) for row in rows]),
        Column("PHASE", [Text(row.status.phase) for row in rows]),
        Column("AGE", [Text(job_age(row, now)) for row in rows]),
        *([Column("LEFT", [Text(time_left(row, now)) for row in rows])] if any(map(expected_end, rows)) else []),
        Column("WHY", list(map(styled, _reasons(actions, canvas))), fold_at=24),
    ]
    return table(columns, canvas.width, drop=("LEFT", "AGE", "PHASE"))


def _reasons(actions: Sequence[Action], canvas: Canvas) -> list[str]:
    """Return the reason of each change. On a terminal, a reason that is the same as the one above is left out."""
    reasons = [cause_text(action.because, action.reason) for action in actions]
    if canvas.width >= UNLIMITED_WIDTH:  # in a pipe, a program may read each line by itself
        return reasons
    return [DITTO if at and reason == reasons[at - 1] else reason for at, reason in enumerate(reasons)]


def _attempts_text(receipt: Receipt) -> str:
    return f"requested {count(receipt.attempts, 'time')} before, last at {moment(receipt.last_attempt_at)}"


def state_part(rows: Sequence[Row], job_state: JobState) -> list[RenderableType]:
    """Return the section with the jobs in this state, for a plan or a result, or an empty list if there are none."""
    if not rows:
        return []
    style = STYLES[job_state]
    lines = [_state_line(row, row_state(row), style) for row in rows[:LISTED_MAX]]
    parts: list[RenderableType] = [SentenceTable(lines)]
    if (more := len(rows) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more: `reconcile get` lists them all", "dim"))
    return [section(TITLES[job_state], Group(*parts), style)]


def limits_part(rows: Iterable[Row]) -> list[RenderableType]:
    """Return the sections with the limits that are near, and with those that cannot be judged, if there are any."""
    seen = [row for row in rows if row.unobserved is None]
    near = [row for row in seen if row.status.ready.reason is Reason.LIMIT_NEAR]
    unjudged = [row for row in seen if row.status.has_unjudged_limit]
    return [_limits_section(*each) for each in ((NEAR_TITLE, near), (UNJUDGED_TITLE, unjudged)) if each[1]]


def _limits_section(title: str, found: Sequence[Row]) -> RenderableType:
    lines = [(styled(row.name), styled(row.status.ready.message)) for row in found[:LISTED_MAX]]
    parts: list[RenderableType] = [SentenceTable(lines)]
    if (more := len(found) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more: `reconcile get -o wide` lists them all", "dim"))
    return section(title, Group(*parts), STYLES[JobState.OUT_OF_DATE])


def _state_line(row: Row, state: RowState, style: str) -> tuple[Text, ...]:
    # A suspended job has no reason column, because the title of the section already states its reason.
    reason = () if state.job_state is JobState.SUSPENDED else (styled(state.reason, style),)
    return (styled(row.name), *reason, styled(state.message))
