"""What a pass would do, to be read in ten seconds: each change, why, at what cost so far; what needs a person; the sum.

Changes are always all listed, for a plan that hides one is a lie; of everything else only as much as helps.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from reconciler.model.action import Action, Progress
from reconciler.model.report import Report, Row
from reconciler.model.status import Receipt, Verb
from reconciler.views.layout import STYLES, UNFOLDED, Canvas, Column, SentenceTable, listing, section, styled, table
from reconciler.views.orphans_text import orphan_part
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, RowState, is_pending, outlook, told_standings, told_verbs, why
from reconciler.views.text import clean, count, moment
from reconciler.views.unobserved_text import unseen_part
from reconciler.views.usage import age_of, finishes, left, left_of, spent

EXPLAINED_MAX = 10
"""More changes than this are told in one line each."""
LISTED_MAX = 20
"""Of jobs that do not change, this many of each standing are listed."""

DITTO = '"'
"""As above: a sweep that is cancelled has one reason for all its jobs."""

TARGETS = {Verb.CANCEL: "cancelled", Verb.PAUSE: "paused", Verb.RESUME: "running"}
VERB_STYLES = {Verb.CANCEL: "bold red", Verb.PAUSE: "bold yellow", Verb.RESUME: "bold green"}
REFUSED_TITLE = "Refused: none of these will be asked for"
UNJUDGED_TITLE = "Limits that cannot be judged: they cancel nothing"
TITLES = {
    JobState.STALLED: "Stalled: a person must act",
    JobState.SUSPENDED: "Suspended: observed, no change is requested",
    JobState.ON_THE_WAY: "On the way: asked before, not confirmed yet",
}


def plan_text(report: Report, context: RenderContext) -> str:
    """Return the plan as text."""
    canvas, now = context.canvas, context.now
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    return canvas.render(
        [
            *([] if pending or refused or (report.orphans and not report.rows) else [styled(_calm(report)), Text()]),
            *_changes(pending, canvas, now),
            *([section(REFUSED_TITLE, _brief(refused, canvas, now), "red")] if refused else []),
            *(part for standing in TITLES for part in standing_part(rest, standing)),
            *unjudged_part(rest),
            *orphan_part(report.orphans),
            *unseen_part(report),
            styled(f"Plan: {_sum(pending, rest, len(report.orphans))}.", "bold"),
        ]
    )


def _sum(pending: list[Row], rest: list[Row], orphans: int) -> str:
    told = [told_verbs(pending)] if pending else []
    told += [told_standings(rest)] if rest or not (pending or orphans) else []
    return "; ".join([*told, *([f"{orphans:,} no longer managed"] if orphans else [])])


def _calm(report: Report) -> str:
    if not report.rows:
        return "No jobs found."
    is_whole = not any(outlook(row).standing is JobState.UNSEEN for row in report.rows)
    return "Nothing to change." if is_whole else "Nothing to change, as far as could be seen."


def _changes(rows: list[Row], canvas: Canvas, now: datetime) -> list[RenderableType]:
    if len(rows) > EXPLAINED_MAX:
        return [_brief(rows, canvas, now), Text()]
    return [_explained(row, row.action, now) for row in rows if row.action is not None]


def _explained(row: Row, action: Action, now: datetime) -> RenderableType:
    """One change in full: a line to find it by, and under it what a person would ask next."""
    title = Text.assemble(
        (action.verb, VERB_STYLES[action.verb]),
        " ",
        (clean(row.name), "bold"),
        f": {row.status.phase} -> {TARGETS[action.verb]}",
    )
    known = (("why", why(action.because, action.reason)), ("spent", spent(row, now)), ("left", left(row, now)))
    facts = [(label, said) for label, said in known if said is not None]
    if (receipt := row.status.open_receipt) is not None and not action.is_first_attempt:
        facts.append(("again", _earlier(receipt)))
    facts += [("job", f"{action.ref.id} at {action.ref.account}"), ("spec", row.source)]
    return Group(title, listing([(styled(label, "dim"), styled(said)) for label, said in facts]), Text())


def _brief(rows: list[Row], canvas: Canvas, now: datetime) -> RenderableType:
    actions = [row.action for row in rows if row.action is not None]
    reasons = [why(action.because, action.reason) for action in actions]
    if canvas.width < UNFOLDED:  # in a pipe each line stands for itself
        reasons = [DITTO if at and said == reasons[at - 1] else said for at, said in enumerate(reasons)]
    columns = [
        Column("CHANGE", [Text(action.verb, VERB_STYLES[action.verb]) for action in actions]),
        Column("NAME", [styled(row.name) for row in rows]),
        Column("PHASE", [Text(row.status.phase) for row in rows]),
        Column("AGE", [Text(age_of(row, now)) for row in rows]),
        *([Column("LEFT", [Text(left_of(row, now)) for row in rows])] if any(map(finishes, rows)) else []),
        Column("WHY", [styled(said) for said in reasons], fold_at=24),
    ]
    return table(columns, canvas.width, drop=("LEFT", "AGE", "PHASE"))


def _earlier(receipt: Receipt) -> str:
    return f"asked {count(receipt.attempts, 'time')} before, last at {moment(receipt.last_attempt_at)}"


def standing_part(rows: Iterable[Row], standing: JobState) -> list[RenderableType]:
    """Return the part of a plan or result that tells of the rows that stand so, and why; none if none does."""
    looks = [(row, look) for row in rows if (look := outlook(row)).standing is standing]
    if not looks:
        return []
    style = STYLES[standing]
    parts: list[RenderableType] = [SentenceTable([_told(row, look, style) for row, look in looks[:LISTED_MAX]])]
    if (more := len(looks) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more: `reconcile get` lists them all", "dim"))
    return [section(TITLES[standing], Group(*parts), style)]


def unjudged_part(rows: Iterable[Row]) -> list[RenderableType]:
    """Return the part that tells of the limits that cannot be judged, and why; none if all can be."""
    found = [row for row in rows if row.unseen is None and row.status.has_unjudged_limit]
    if not found:
        return []
    told = [(styled(row.name), styled(row.status.ready.message)) for row in found[:LISTED_MAX]]
    parts: list[RenderableType] = [SentenceTable(told)]
    if (more := len(found) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more: `reconcile get -o wide` lists them all", "dim"))
    return [section(UNJUDGED_TITLE, Group(*parts), STYLES[JobState.OUT_OF_DATE])]


def _told(row: Row, look: RowState, style: str) -> tuple[Text, ...]:
    """The reason is left out where the title has said it."""
    is_said = look.standing is JobState.SUSPENDED
    reason = () if is_said else (styled(look.reason, style),)
    return (styled(row.name), *reason, styled(look.message))
