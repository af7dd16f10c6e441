"""The exit codes that apply to a report."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.diagnostic import Severity
from reconciler.model.exit_code import ExitCode
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row

_STALLED, _UNOBSERVED, _HOST_NOT_TRUSTED = 1, 2, 4


def bits_of_row(row: Row) -> int:
    """Return what a row contributes to the exit code, as bits."""
    found = _STALLED if row.status.is_stalled else 0
    found |= _UNOBSERVED if row.unobserved else 0
    return found | (_HOST_NOT_TRUSTED if row.status.ready.reason is Reason.HOST_NOT_TRUSTED else 0)


def exit_codes(report: Report, row_bits: Iterable[int] | None = None) -> frozenset[ExitCode]:
    """Return every exit code that applies to a report. `exit_code.worst` selects the code to exit with.

    `row_bits` are the results of `bits_of_row` for its rows, if they are known.
    """
    different = set(map(bits_of_row, report.rows) if row_bits is None else row_bits)

    def is_any(bit: int) -> bool:
        return any(bits & bit for bits in different)

    unobserved = {each.unobserved.exit_code for each in report.accounts if each.unobserved}
    is_unset = is_any(_HOST_NOT_TRUSTED) or ExitCode.CONFIGURATION in unobserved
    causes = {
        ExitCode.SOFTWARE: bool(report.errors),
        ExitCode.REFUSED: bool(report.refusals or report.unplanned),
        ExitCode.CONFIGURATION: is_unset,
        ExitCode.INVALID_DOCUMENT: any(each.severity is Severity.ERROR for each in report.diagnostics),
        ExitCode.STALLED: is_any(_STALLED),
        ExitCode.PROVIDER_UNOBSERVED: bool(unobserved) or is_any(_UNOBSERVED),
        ExitCode.TIMED_OUT: report.is_timed_out,
    }
    return frozenset(code for code, is_so in causes.items() if is_so)
