"""Jobs in three columns: what the spec wants, what the status records, and what the provider reports now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.spec import render_duration
from reconciler.model.status import JobStatus
from reconciler.views.describe_text import job_facts
from reconciler.views.layout import STYLES, Column, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import JobState, is_drifting, next_change
from reconciler.views.text import NO_VALUE, clean
from reconciler.views.usage import current_facts

FOLD = 24
DIFFERS, IS_STALE = "!", "~"
"""The mark of a fact in which the job differs from its spec, and of one in which the status differs from the job."""

Facts = dict[str, str]
"""The value of each known fact, by its label."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """The jobs to compare.

    Args:
        rows: the jobs, as a plan observed them.
        is_complete: whether every job could be observed.
    """

    rows: Sequence[Row]
    is_complete: bool


def diff_text(shown: Comparisons, context: RenderContext) -> str:
    """Return one table for each job, with its difference in the last line, or a message if there are no jobs."""
    if not shown.rows:
        nothing = "No differences." if shown.is_complete else "No differences among the jobs that could be observed."
        return context.canvas.render([styled(nothing, "bold")])
    parts = [part for row in shown.rows for part in (*_comparison(row, context), Text())]
    return context.canvas.render(parts[:-1])


def diff_json(shown: Comparisons, context: RenderContext) -> str:
    """Return a JSON array with one object per job."""
    return json.dumps([_document(row, context.now) for row in shown.rows], indent=2) + "\n"


def _document(row: Row, now: datetime) -> dict[str, object]:
    wanted, recorded, live = _columns(row, now)
    return {
        "name": row.name,
        "kind": row.status.kind.name,
        "source": row.source,
        "isDifferent": is_drifting(row),
        "conclusion": _conclusion(row),
        "facts": [
            {"fact": each, "wanted": wanted.get(each), "recorded": recorded.get(each), "live": live.get(each)}
            for each in _labels(wanted, recorded, live)
        ],
    }


def _comparison(row: Row, context: RenderContext) -> list[RenderableType]:
    wanted, recorded, live = columns = _columns(row, context.now)
    labels = _labels(*columns)
    marks = [_mark(row, each, recorded, live) for each in labels]
    styles = {DIFFERS: STYLES[JobState.STALLED], IS_STALE: STYLES[JobState.OUT_OF_DATE], "": ""}
    cells = [
        Column("", [Text(mark, styles[mark]) for mark in marks]),
        Column("FACT", [styled(each, "dim") for each in labels]),
        *(
            Column(title, [styled(facts.get(each, NO_VALUE)) for each in labels], fold_at=FOLD)
            for title, facts in (("WANTED", wanted), ("RECORDED", recorded), ("LIVE", live))
        ),
    ]
    style = STYLES[JobState.STALLED if is_drifting(row) else JobState.AS_DESIRED]
    return [
        Text.assemble((clean(row.name), "bold"), f" ({clean(row.source)})"),
        table(cells, context.canvas.width),
        styled(_conclusion(row), style),
    ]


def _columns(row: Row, now: datetime) -> tuple[Facts, Facts, Facts]:
    """Return what the spec wants, what the last status records, and what the provider reports now."""
    live = replace(row.status, job=current_facts(row)) if _is_observed(row) else None
    return _wanted(row), _facts_of(row.before, now), _facts_of(live, now)


def _is_observed(row: Row) -> bool:
    """Return whether the provider was queried for the job now. It is not, for example, after the job has ended."""
    return row.unobserved is None and (
        row.seen is not None or (row.status.phase is Phase.ABSENT and row.ref is not None)
    )


def _wanted(row: Row) -> Facts:
    limits = row.document.spec.limits if row.document else None
    facts = {
        "phase": row.wanted,
        "job": row.ref.id if row.ref else None,
        "account": str(row.ref.account) if row.ref else None,
        "age": f"at most {render_duration(limits.max_age)}" if limits and limits.max_age else None,
    }
    return {label: str(value) for label, value in facts.items() if value is not None}


def _facts_of(status: JobStatus | None, now: datetime) -> Facts:
    if status is None:
        return {}
    ready = f"{status.ready.status}, {status.ready.reason}"
    facts = [*job_facts(status, now), ("job", status.job.id if status.job else None), ("ready", ready)]
    return {label: value for label, value in facts if value is not None}


def _labels(*columns: Facts) -> list[str]:
    """Return the labels of all columns in the order of their first appearance."""
    return list(dict.fromkeys(label for facts in columns for label in facts))


def _mark(row: Row, label: str, recorded: Facts, live: Facts) -> str:
    if label == "phase" and is_drifting(row):
        return DIFFERS
    return IS_STALE if live and recorded and live.get(label) != recorded.get(label) else ""


def _conclusion(row: Row) -> str:
    """Return whether the job differs from its spec, and what the next pass does about it."""
    if row.unobserved is not None:
        return f"Unknown: the job could not be observed: {row.unobserved.message}"
    if verb := next_change(row):
        return f"Different: the next pass requests a {verb}."
    state = row.status.ready
    if is_drifting(row):
        return f"Different, and no change is requested: {state.reason}: {state.message}"
    is_comparable = row.wanted is not None and state.reason is not Reason.STATUS_UNKNOWN
    return "No difference." if is_comparable else f"Not compared: {state.reason}: {state.message}"
