"""What a pass could not see: one line an account, and one for each job that was missed at an account that answered."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from reconciler.model.report import AccountReport, Report
from reconciler.views.layout import STYLES, Told, section, styled
from reconciler.views.row_state import Standing, outlook
from reconciler.views.text import count, span_of_seconds

TITLE = "Could not look: what was known stays as it was, and nothing is asked"


def unseen_part(report: Report) -> list[RenderableType]:
    """Return the part of a plan or result that tells of it; none if everything was seen."""
    style = STYLES[Standing.UNSEEN]
    lines: list[tuple[Text, ...]] = [
        (styled(account.name), styled(account.unseen_reason, style), styled(account_message(account)))
        for account in report.accounts
        if account.unseen_reason is not None
    ]
    told = {account.account for account in report.accounts if account.unseen_reason is not None}
    for row in report.rows:
        look = outlook(row)
        if look.standing is Standing.UNSEEN and (row.ref is None or row.ref.account not in told):
            lines.append((styled(row.name), styled(look.reason, style), styled(look.message)))
    return [section(TITLE, Told(lines), style)] if lines else []


def account_message(account: AccountReport) -> str:
    """Return what happened at an account, whom it concerns, and whether waiting helps."""
    parts = [account.message or "no answer that can be believed", count(account.jobs, "job")]
    if account.retry_after_s is not None:
        parts.append(f"again in {span_of_seconds(account.retry_after_s)}")
    elif not account.is_transient:
        parts.append("trying again will not help")
    return "; ".join(parts)
