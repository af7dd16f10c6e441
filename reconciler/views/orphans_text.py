"""Orphans: jobs whose specs were deleted. They are no longer managed, and may still run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType

from reconciler.model.job import UNFINISHED
from reconciler.model.status import JobStatus
from reconciler.views.layout import STYLES, SentenceTable, section, styled
from reconciler.views.markdown import escaped, table
from reconciler.views.row_state import JobState
from reconciler.views.text import NO_VALUE

TITLE = "No longer managed: the spec was deleted, and no change is requested for the job"
LISTED_MAX = 20


def orphan_part(orphans: Sequence[JobStatus]) -> list[RenderableType]:
    """Return the section with the orphans for a plan or a result, or an empty list if there is no orphan."""
    if not orphans:
        return []
    style = STYLES[JobState.OUT_OF_DATE]
    lines = [
        (styled(orphan.name), styled(last_phase_text(orphan), style), styled(_job_text(orphan)))
        for orphan in orphans[:LISTED_MAX]
    ]
    parts: list[RenderableType] = [SentenceTable(lines)]
    if (more := len(orphans) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more", "dim"))
    return [section(TITLE, Group(*parts), style)]


def orphan_lines(orphans: Sequence[JobStatus]) -> Iterator[str]:
    """Yield the orphans as a Markdown table, those that may still run first, or nothing if there is no orphan."""
    if not orphans:
        return
    cells = [
        (f"**{escaped(each.name)}**", escaped(last_phase_text(each)), escaped(_job_text(each)))
        for each in sorted(orphans, key=may_still_run, reverse=True)
    ]
    yield from ("", f"#### {TITLE}", "", *table(("Job", "State", "Job ID and account"), cells, "job"))


def last_phase_text(status: JobStatus) -> str:
    """Return the last known phase of an orphan, and whether its job has ended or may still run."""
    if status.final:
        return f"has ended: {status.phase}"
    continues = ", and may still run" if may_still_run(status) else ""
    return f"last observed {status.phase}{continues}"


def may_still_run(status: JobStatus) -> bool:
    """Return whether the job of an orphan was last observed in a phase that is not final."""
    return not status.final and status.phase in UNFINISHED


def _job_text(status: JobStatus) -> str:
    return NO_VALUE if status.job is None else f"{status.job.id} at {status.job.account}"
