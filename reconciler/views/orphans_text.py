"""Jobs whose specs are gone: no longer managed, and perhaps still running."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType

from reconciler.model.job import UNFINISHED
from reconciler.model.status import JobStatus
from reconciler.views.layout import STYLES, SentenceTable, section, styled
from reconciler.views.markdown import escaped, table_row
from reconciler.views.row_state import JobState
from reconciler.views.text import NOTHING

TITLE = "No longer managed: the spec is gone, and nothing is asked for the job"
LISTED_MAX = 20


def orphan_part(orphans: Sequence[JobStatus]) -> list[RenderableType]:
    """Return the part of a plan or result that tells of them; none if there is none."""
    if not orphans:
        return []
    style = STYLES[JobState.OUT_OF_DATE]
    lines = [(styled(each.name), styled(fate(each), style), styled(_job(each))) for each in orphans[:LISTED_MAX]]
    parts: list[RenderableType] = [SentenceTable(lines)]
    if (more := len(orphans) - LISTED_MAX) > 0:
        parts.append(styled(f"  and {more:,} more", "dim"))
    return [section(TITLE, Group(*parts), style)]


def orphan_lines(orphans: Sequence[JobStatus]) -> Iterator[str]:
    """Yield the same as Markdown."""
    if not orphans:
        return
    yield from ("", f"#### {TITLE}", "", "| Job | State | Which |", "|---|---|---|")
    for each in orphans:
        yield table_row(f"**{escaped(each.name)}**", escaped(fate(each)), escaped(_job(each)))


def fate(status: JobStatus) -> str:
    """Return what was last known of the job."""
    if status.final:
        return f"has ended: {status.phase}"
    going_on = ", and goes on" if status.phase in UNFINISHED else ""
    return f"last seen {status.phase}{going_on}"


def _job(status: JobStatus) -> str:
    return NOTHING if status.job is None else f"{status.job.id} at {status.job.account}"
