"""How fresh statuses are: when the last pass ended here, and which accounts it has not observed."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.report import Report
from reconciler.views.text import NAMED_MAX, clean, span

LATE = timedelta(minutes=1)
"""An account that was observed so much earlier than the last pass is named."""


def last_pass_text(report: Report, now: datetime) -> str:
    """Return `Last pass 2m ago (reconcile --once); west was observed 3h ago`; nothing where no pass is known here."""
    last = report.last_pass
    if last is None:
        return ""
    names = {str(row.ref.account): row.provider or "" for row in report.rows if row.ref is not None}
    late = [
        f"{clean(names[account])} was observed {span(now - at)} ago"
        for account, at in sorted(last.observed_at.items())
        if account in names and last.at - at > LATE
    ]
    return "; ".join([f"Last pass {span(now - last.at)} ago ({clean(last.command)})", *late[:NAMED_MAX]])
