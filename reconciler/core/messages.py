"""The messages of conditions whose reason comes from the table."""

from __future__ import annotations

from types import MappingProxyType

from reconciler.core.limit_warning import warning_text
from reconciler.core.situation import Situated
from reconciler.core.table import TableRow
from reconciler.model.job import TERMINAL, JobCounts, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState, Suspension, render_instant

_GONE = "the provider no longer knows this job"
_ABSENT = MappingProxyType(
    {
        Reason.JOB_NOT_FOUND: (
            "the provider has no job with this id: check spec.jobId for a typo, and check the account"
        ),
        Reason.JOB_VANISHED: _GONE,
        Reason.JOB_GONE: _GONE,
    }
)
"""The messages about an absent job, by reason."""


def reason_of(row: TableRow, seen: Situated) -> Reason:
    """Return the reason of the condition for a table row: that of the row, or that a limit is near."""
    is_near = row.reason is Reason.AS_DESIRED and _near_text(seen) is not None
    return Reason.LIMIT_NEAR if is_near else row.reason


def message_of(row: TableRow, seen: Situated, wanted: DesiredState) -> str:
    """Return the message of the condition for a table row.

    `wanted` is the column of the row: the desired state, or `cancelled` if a limit is in force.
    """
    match row.reason:
        case Reason.JOB_NOT_FOUND | Reason.JOB_VANISHED | Reason.JOB_GONE:
            return _ABSENT[row.reason]
        case Reason.CANCEL_PENDING if seen.phase is Phase.ABSENT:
            return f"{_GONE}; one more check will confirm it"
        case Reason.PHASE_NOT_UNDERSTOOD:
            unknown = f"the provider reports {seen.facts.provider_status!r}, a status that this version does not know"
            return f"{unknown}: update reconcile"
        case Reason.JOB_FAILED if seen.facts.error is not None and seen.facts.error.message:
            return f"failed at the provider: {seen.facts.error.message}"
        case Reason.PAUSED_ELSEWHERE:
            return (
                f"{seen.phase} at the provider, apparently not by reconcile, so it is not resumed: check for a "
                "spending limit there, and run `reconcile retry` to resume it"
            )
        case Reason.LIMIT_REACHED:
            return f"cancelled, because it exceeded a limit of its spec{_progress(seen)}"
        case _ if seen.limit is not None and wanted is DesiredState.OBSERVED:
            return f"{seen.phase} at the provider; over {seen.limit}, which is only reported for an observed job"
        case Reason.AS_DESIRED if clauses := _limit_clauses(seen):
            return "; ".join([f"{seen.phase} at the provider", *clauses])
        case _:
            return f"{seen.phase} at the provider{_progress(seen)}"


def _limit_clauses(seen: Situated) -> list[str]:
    """Return what the message says about the limits of a job that is in its desired state."""
    return [each for each in (_near_text(seen), seen.unjudged) if each is not None]


def _near_text(seen: Situated) -> str | None:
    """Return when the limit of the warning acts, as text, or None if no limit is near."""
    if seen.warning is None or seen.acts_at is None:
        return None
    return warning_text(seen.warning, seen.acts_at)


def suspended_message(suspension: Suspension | None) -> str:
    """Return the message of the condition for a suspended job, with the end and the reason of the suspension."""
    why = f": {suspension.reason}" if suspension and suspension.reason else ""
    until = f", until {render_instant(suspension.until)}" if suspension and suspension.until else ""
    return f"suspended{until}{why}"


def _progress(seen: Situated) -> str:
    """Return the end of the message about a finished batch: its counts and the provider's note. Empty for other jobs.

    For a failed batch, the provider's error replaces the counts. The counts are those with which the batch was first
    seen finished, so that later counts do not change the message.
    """
    counts = _first_counts(seen)
    if seen.phase not in TERMINAL or counts is None:
        return ""
    note = seen.facts.error.message if seen.facts.error is not None else None
    if seen.phase is Phase.FAILED and note:
        return f": {note}"
    return "".join(f"; {each}" for each in (str(counts), note if seen.phase is Phase.SUCCEEDED else None) if each)


def _first_counts(seen: Situated) -> JobCounts | None:
    """Return the counts of the last status if it has counts and its phase is the observed phase.

    Otherwise, return the observed counts, or None if the provider reports none.
    """
    job = seen.last.job if seen.last is not None and seen.last.phase is seen.phase else None
    return (job.counts if job is not None else None) or seen.facts.counts
