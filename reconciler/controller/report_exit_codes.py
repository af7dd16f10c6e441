"""The exit codes that apply to a report."""

from __future__ import annotations

from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason
from reconciler.model.report import Report


def exit_codes(report: Report) -> frozenset[ExitCode]:
    """Return every exit code that applies to a report. `exit_code.worst` selects the code to exit with."""
    reasons = {row.status.ready.reason for row in report.rows}
    unobserved = {each.unobserved.exit_code for each in report.accounts if each.unobserved}
    is_unset = Reason.HOST_NOT_TRUSTED in reasons or ExitCode.CONFIGURATION in unobserved
    causes = {
        ExitCode.SOFTWARE: bool(report.errors),
        ExitCode.REFUSED: bool(report.refusals or report.unplanned),
        ExitCode.CONFIGURATION: is_unset,
        ExitCode.INVALID_DOCUMENT: any(each.severity is Severity.ERROR for each in report.diagnostics),
        ExitCode.STALLED: any(row.status.is_stalled for row in report.rows),
        ExitCode.PROVIDER_UNOBSERVED: bool(unobserved) or any(row.unobserved for row in report.rows),
        ExitCode.TIMED_OUT: report.is_timed_out,
    }
    return frozenset(code for code, is_so in causes.items() if is_so)
