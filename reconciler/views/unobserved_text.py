"""What a pass could not see: one line an account, and one for each job that was missed at an account that answered."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.job import Unobserved
from reconciler.model.report import Report
from reconciler.views.layout import STYLES, SentenceTable, section, styled
from reconciler.views.row_state import JobState, outlook
from reconciler.views.text import count, span_of_seconds

TITLE = "Could not observe: the last known status stays, and no change is requested"


def unseen_part(report: Report) -> list[RenderableType]:
    """Return the part of a plan or result that tells of it; none if everything was seen."""
    style = STYLES[JobState.UNSEEN]
    lines: list[tuple[Text, ...]] = [
        (
            styled(account.name),
            styled(account.unseen.reason, style),
            styled(account_message(account.unseen, account.jobs)),
        )
        for account in report.accounts
        if account.unseen is not None
    ]
    told = {account.account for account in report.accounts if account.unseen is not None}
    for row in report.rows:
        look = outlook(row)
        if look.standing is JobState.UNSEEN and (row.ref is None or row.ref.account not in told):
            lines.append((styled(row.name), styled(look.reason, style), styled(look.message)))
    return [section(TITLE, SentenceTable(lines), style)] if lines else []


def account_message(unseen: Unobserved, jobs: int) -> str:
    """Return what happened at an account, how many jobs it concerns, and whether waiting helps."""
    parts = [unseen.message, count(jobs, "job")]
    if unseen.retry_after_s is not None:
        parts.append(f"again in {span_of_seconds(unseen.retry_after_s)}")
    elif not unseen.is_transient:
        parts.append("trying again will not help")
    return "; ".join(parts)
