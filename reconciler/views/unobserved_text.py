"""What a pass could not observe: a line for each account that failed, and for each job that failed by itself."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import Unobserved
from reconciler.model.report import Report, Row
from reconciler.views.layout import STYLES, SentenceTable, section, styled
from reconciler.views.row_state import JobState, job_state, row_state
from reconciler.views.text import count, span_of_seconds

TITLE = "Could not observe: the last known status is kept, and no change is requested"


def unobserved_part(report: Report, rows: Iterable[Row]) -> list[RenderableType]:
    """Return the section for a plan or a result, or an empty list if everything was observed.

    `rows` are those rows of the report that may be of unobserved jobs.
    """
    style = STYLES[JobState.UNOBSERVED]
    lines: list[tuple[Text, ...]] = [
        (
            styled(account.title),
            styled(account.unobserved.reason, style),
            styled(account_message(account.unobserved, account.jobs)),
        )
        for account in report.accounts
        if account.unobserved is not None
    ]
    listed = {account.account for account in report.accounts if account.unobserved is not None}
    for row in rows:
        if job_state(row) is JobState.UNOBSERVED and (row.ref is None or row.ref.account not in listed):
            state = row_state(row)
            lines.append((styled(row.name), styled(state.reason, style), styled(state.message)))
    return [section(TITLE, SentenceTable(lines), style)] if lines else []


def account_message(unobserved: Unobserved, jobs: int) -> str:
    """Return why an account is unobserved, how many jobs it has and, if known, when or whether it is retried."""
    parts = [unobserved.message, count(jobs, "job")]
    if unobserved.retry_after_s is not None:
        parts.append(f"retry in {span_of_seconds(unobserved.retry_after_s)}")
    elif not unobserved.is_transient:
        parts.append("not retried in this run")
    return "; ".join(parts)
