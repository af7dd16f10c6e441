"""What later steps of a CI run may want to know of a report, by name, whatever host runs them."""

from __future__ import annotations

from reconciler.model.report import Report
from reconciler.views.result_text import ASKED
from reconciler.views.row_state import JobState, is_pending, outlook, standings

_SETTLED = frozenset({JobState.AS_DESIRED, JobState.SUSPENDED})


def outputs(report: Report) -> dict[str, str]:
    """Return what later steps may want to know of a report."""
    counted = [row for row in report.rows if is_pending(row) or row.progress in ASKED]
    cancels = sum(row.action is not None and row.action.verb == "cancel" for row in counted)
    is_converged = not report.exit_codes and all(outlook(row).standing in _SETTLED for row in report.rows)
    return {
        "exit-code": str(int(report.exit_code)),
        "has-changes": _truth(is_so=bool(counted)),
        "changes": str(len(counted)),
        "cancels": str(cancels),
        "converged": _truth(is_so=is_converged),
        **{standing.replace(" ", "-"): str(number) for standing, number in standings(report.rows).items()},
        "commit-sha": report.published or "",
    }


def _truth(*, is_so: bool) -> str:
    return "true" if is_so else "false"
