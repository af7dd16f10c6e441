"""The age of statuses: when the last pass on this machine ended, and which accounts it did not observe."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.report import Report
from reconciler.views.text import NAMED_MAX, clean, span

LATE = timedelta(minutes=1)
"""An account is named if its last observation is older than the last pass by more than this."""


def last_pass_text(report: Report, now: datetime) -> str:
    """Return when the last pass was, and up to `NAMED_MAX` accounts that it did not observe; empty if none is recorded.

    An example is `Last pass 2m ago (reconcile --once); west was observed 3h ago`.
    """
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
