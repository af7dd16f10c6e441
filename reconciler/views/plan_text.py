"""What a pass would do, to be read in ten seconds: each change, why, at what cost so far; what needs a person; the sum.

Changes are always all listed, for a plan that hides one is a lie; of everything else only as much as helps.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.text import Text

from reconciler.model.plan import Action, Progress, Report, Row
from reconciler.model.status import Because, Receipt, Verb
from reconciler.views.canvas import STYLES, Canvas, Column, listing, section, styled, table
from reconciler.views.outlook import Standing, is_pending, outlook, told_standings, told_verbs
from reconciler.views.unseen_text import unseen_part
from reconciler.views.wording import NOTHING, clean, count, moment, span

EXPLAINED_MAX = 10
"""More changes than this are told in one line each."""
LISTED_MAX = 20
"""Of jobs that do not change, this many of each standing are listed."""

TARGETS = {Verb.CANCEL: "cancelled", Verb.PAUSE: "paused", Verb.RESUME: "running"}
VERB_STYLES = {Verb.CANCEL: "bold red", Verb.PAUSE: "bold yellow", Verb.RESUME: "bold green"}
REFUSED_TITLE = "Refused: none of these will be asked for"
TITLES = {
    Standing.STALLED: "Stalled: a person must act",
    Standing.SUSPENDED: "Suspended: looked at, nothing is asked",
    Standing.ON_THE_WAY: "On the way: asked before, not confirmed yet",
}


def plan_text(report: Report, canvas: Canvas, now: datetime) -> str:
    """Return the plan as text."""
    pending = [row for row in report.rows if is_pending(row)]
    rest = [row for row in report.rows if not is_pending(row)]
    refused = [row for row in rest if row.progress is Progress.REFUSED]
    return canvas.render(
        [
            *([] if pending or refused else [styled("Nothing to change."), Text()]),
            *_changes(pending, canvas, now),
            *([section(REFUSED_TITLE, _brief(refused, canvas, now), "red")] if refused else []),
            *(part for standing in TITLES for part in standing_part(rest, standing)),
            *unseen_part(report),
            styled(f"Plan: {told_verbs(pending)}; {told_standings(rest)}.", "bold"),
        ]
    )


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
    facts = [("why", why(action)), *_spent(row, now)]
    if (receipt := row.status.open_receipt) is not None and not action.is_first_attempt:
        facts.append(("again", _earlier(receipt)))
    facts += [("job", f"{action.ref.id} at {action.ref.account}"), ("spec", row.source)]
    return Group(title, listing([(styled(label, "dim"), styled(said)) for label, said in facts]), Text())


def _brief(rows: list[Row], canvas: Canvas, now: datetime) -> RenderableType:
    actions = [row.action for row in rows if row.action is not None]
    columns = [
        Column("CHANGE", [Text(action.verb, VERB_STYLES[action.verb]) for action in actions]),
        Column("NAME", [styled(row.name) for row in rows]),
        Column("PHASE", [Text(row.status.phase) for row in rows]),
        Column("SINCE", [Text(_since(row, now)) for row in rows]),
        Column("WHY", [styled(why(action)) for action in actions], fold_at=24),
    ]
    return table(columns, canvas.width, drop=("SINCE", "PHASE"))


def why(action: Action) -> str:
    """Return why a change is wanted, with the words of the spec, or of the limit."""
    because = "over its limit" if action.because is Because.LIMIT_REACHED else "the spec wants it"
    return because if action.reason is None else f"{because}: {action.reason}"


def _since(row: Row, now: datetime) -> str:
    spent = _spent(row, now)
    return spent[0][1].partition(",")[0] if spent else NOTHING


def _spent(row: Row, now: datetime) -> list[tuple[str, str]]:
    """How long the job has been there: what it may have cost so far."""
    job = row.status.job
    since = None if job is None else job.created_at or job.started_at
    return [] if since is None else [("age", _for(now - since, since))]


def _for(length: timedelta, since: datetime) -> str:
    return f"{span(length)}, since {moment(since)}"


def _earlier(receipt: Receipt) -> str:
    return f"asked {count(receipt.attempts, 'time')} before, last at {moment(receipt.last_attempt_at)}"


def standing_part(rows: Iterable[Row], standing: Standing) -> list[RenderableType]:
    """Return the part of a plan or result that tells of the rows that stand so, and why; none if none does."""
    looks = [(row, look) for row in rows if (look := outlook(row)).standing is standing]
    if not looks:
        return []
    style = STYLES[standing]
    lines = [(styled(row.name), styled(look.reason, style), styled(look.message)) for row, look in looks[:LISTED_MAX]]
    parts: list[RenderableType] = [listing(lines)]
    if (more := len(looks) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more: `reconcile get` lists them all", "dim"))
    return [section(TITLES[standing], Group(*parts), style)]
