"""The outputs of a report for later steps of a CI run. Their names are the same on every host."""

from __future__ import annotations

from reconciler.model.action import Progress
from reconciler.model.report import Report, Row
from reconciler.model.transition import closed_since
from reconciler.views.result_text import SENT
from reconciler.views.row_state import JobState, count_by_state, is_pending, job_state

_SETTLED = frozenset({JobState.AS_DESIRED, JobState.SUSPENDED})
_FAILED = frozenset({Progress.NOT_DELIVERED, Progress.FORBIDDEN, Progress.REJECTED, Progress.NOT_RECORDED})


def outputs(report: Report) -> dict[str, str]:
    """Return the outputs of the step that made a report: the text of each output, by its name."""
    counted = [row for row in report.rows if is_pending(row) or row.progress in SENT]
    cancels = sum(row.action is not None and row.action.verb == "cancel" for row in counted)
    is_converged = not report.exit_codes and all(job_state(row) in _SETTLED for row in report.rows)
    return {
        "exit-code": str(int(report.exit_code)),
        "has-changes": _truth(is_so=bool(counted)),
        "changes": str(len(counted)),
        "cancels": str(cancels),
        "confirmed": str(sum(map(_is_confirmed, report.rows))),
        "failed": str(sum(row.progress in _FAILED for row in report.rows)),
        "converged": _truth(is_so=is_converged),
        **{state.replace(" ", "-"): str(number) for state, number in count_by_state(report.rows).items()},
        "commit-sha": report.published or "",
    }


def _is_confirmed(row: Row) -> bool:
    """Return whether this run confirmed a change of the job."""
    return any(receipt.confirmed_at is not None for receipt in closed_since(row.before, row.status))


def _truth(*, is_so: bool) -> str:
    return "true" if is_so else "false"
