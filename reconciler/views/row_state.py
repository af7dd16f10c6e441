"""The state of a row as every view shows it: the state of the job, and its `Ready` condition.

A status records the last successful observation. If a later observation failed, the job must not be shown as ready.
This module applies this rule for all views.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.action import Progress
from reconciler.model.job import TERMINAL, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, Condition, ConditionStatus, ConditionType, Verb


class JobState(StrEnum):
    """The state of a job in the summary line. Every row has exactly one.

    The values are printed, and they are keys of the JSON output, so they must not change.
    """

    AS_DESIRED = "as desired"
    ON_THE_WAY = "on the way"
    STALLED = "stalled"
    SUSPENDED = "suspended"
    WITHHELD = "withheld"
    REFUSED = "refused"
    OUT_OF_DATE = "out of date"
    UNOBSERVED = "not seen"


NO_JOBS = "No jobs found: no spec declares one, or the options select none."
_UNREQUESTED = {
    Reason.SUSPENDED: JobState.SUSPENDED,
    Reason.OUTSIDE_WINDOW: JobState.WITHHELD,
    Reason.WOULD_CANCEL: JobState.WITHHELD,
    Reason.WOULD_PAUSE: JobState.WITHHELD,
    Reason.WOULD_RESUME: JobState.WITHHELD,
}
"""The states of jobs for which no change is requested on purpose, by the reason of `Ready`."""
DESIRED_PHASES: dict[DesiredState, frozenset[Phase]] = {
    DesiredState.RUNNING: frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED}),
    DesiredState.PAUSED: frozenset({Phase.PAUSED, Phase.SUCCEEDED}),
    DesiredState.CANCELLED: TERMINAL,
    DesiredState.OBSERVED: frozenset(Phase) - {Phase.ABSENT, Phase.UNKNOWN},
}
"""The phases that satisfy each desired state. A job that succeeded satisfies `running` and `paused` too."""


@dataclass(frozen=True, slots=True)
class RowState:
    """The state of a row, as views show it."""

    job_state: JobState
    ready: ConditionStatus
    reason: str
    message: str


def row_state(row: Row) -> RowState:
    """Return the state that views show for a row."""
    ready, failure = row.status.ready, _shown_failure(row)
    if failure is not None:
        return RowState(
            JobState.UNOBSERVED,
            ConditionStatus.UNKNOWN,
            Reason.CANNOT_OBSERVE_PROVIDER,
            f"could not observe: {failure.message}",
        )
    return RowState(_observed_state(row, ready), ready.status, ready.reason, ready.message)


def job_state(row: Row) -> JobState:
    """Return the state of the job of a row."""
    return _observed_state(row, row.status.ready) if _shown_failure(row) is None else JobState.UNOBSERVED


def _shown_failure(row: Row) -> Unobserved | None:
    """Return why the last observation failed, or None if it did not fail or views show something else.

    A status that is older than its spec is shown as OutOfDate, even if the last observation failed.
    """
    failure = row.unobserved
    return None if failure is None or row.status.ready.reason is Reason.OUT_OF_DATE else failure


def _observed_state(row: Row, ready: Condition) -> JobState:
    """Return the first state that applies. States that are more important to a reader are tested first."""
    if ready.reason is Reason.OUT_OF_DATE:
        return JobState.OUT_OF_DATE
    if row.progress is Progress.REFUSED:
        return JobState.REFUSED
    others = {each.type for each in row.status.conditions} if len(row.status.conditions) > 1 else ()
    if ConditionType.STALLED in others:
        return JobState.STALLED
    if ready.status is ConditionStatus.UNKNOWN:
        return JobState.UNOBSERVED
    if ConditionType.RECONCILING in others:
        return JobState.ON_THE_WAY
    if ready.status is ConditionStatus.TRUE:
        return JobState.AS_DESIRED
    return _UNREQUESTED.get(ready.reason, JobState.UNOBSERVED)


def cause_text(because: Because, reason: str | None) -> str:
    """Return why a change is wanted: the spec or a limit.

    `reason` is the limit that was exceeded, or the reason that the spec gives, or None if the spec gives none.
    """
    cause = "over its limit" if because is Because.LIMIT_REACHED else "the spec wants it"
    return cause if reason is None else f"{cause}: {reason}"


def is_pending(row: Row) -> bool:
    """Return whether the row's change is due and has not been attempted or refused."""
    return row.action is not None and row.progress in (None, Progress.PLANNED)


def next_change(row: Row) -> Verb | None:
    """Return the verb of the change that the next pass requests, or None if it requests none."""
    is_withheld = job_state(row) is JobState.WITHHELD
    return row.action.verb if row.action and is_pending(row) and not is_withheld else None


def waiting_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of the jobs whose change waits for a change window. In shadow mode, an action is due instead."""
    return [row for row in rows if row.action is None and job_state(row) is JobState.WITHHELD]


def is_drifting(row: Row) -> bool:
    """Return whether an observed job is not in the desired state of its spec, or has a change due.

    A change that waits for a change window is due. A ready job without a due change does not drift, whatever its phase
    is. For example, a job that was cancelled because of a limit is ready.
    """
    if row.wanted is None or row.unobserved is not None or row.status.ready.reason is Reason.STATUS_UNKNOWN:
        return False
    is_due = row.action is not None or row.status.ready.reason is Reason.OUTSIDE_WINDOW
    return is_due or not (row.status.is_ready or row.status.phase in DESIRED_PHASES[row.wanted])


def count_by_verb(rows: Iterable[Row]) -> dict[Verb, int]:
    """Return the number of changes with each verb, which may be 0."""
    found = Counter(row.action.verb for row in rows if row.action is not None)
    return {verb: found[verb] for verb in Verb}


def rows_by_state(rows: Iterable[Row]) -> dict[JobState, list[Row]]:
    """Return the rows in each state, which may be none. The order of the states is fixed."""
    found: dict[JobState, list[Row]] = {state: [] for state in JobState}
    for row in rows:
        found[job_state(row)].append(row)
    return found


def count_by_state(rows: Iterable[Row]) -> dict[JobState, int]:
    """Return the number of rows in each state, which may be 0. The order of the states is fixed."""
    return {state: len(found) for state, found in rows_by_state(rows).items()}


def planned_text(rows: Iterable[Row]) -> str:
    """Return `1 to cancel, 2 to resume`, leaving out verbs without a change, or an empty text if there is no change."""
    return ", ".join(f"{n:,} to {verb}" for verb, n in count_by_verb(rows).items() if n)


def no_change_text(rows: Iterable[Row]) -> str:
    """Return what to print if no change is planned. If a job is unobserved, the text is limited to the others."""
    is_complete = all(job_state(row) is not JobState.UNOBSERVED for row in rows)
    return "nothing to change" if is_complete else "nothing to change among the jobs that could be observed"


def withheld_text(rows: Iterable[Row]) -> str:
    """Return the changes that shadow mode withheld, as `planned_text` does, or `nothing` if there are none."""
    return planned_text(row for row in rows if row.progress is Progress.WITHHELD) or "nothing"


def requested_text(rows: Iterable[Row]) -> str:
    """Return `1 cancel, 2 resume`, leaving out verbs without a request, or `nothing` if there is no request."""
    return ", ".join(f"{n:,} {verb}" for verb, n in count_by_verb(rows).items() if n) or "nothing"


def states_text(rows: Iterable[Row]) -> str:
    """Return `3 as desired; 1 stalled`, leaving out states without a job, or `no jobs`."""
    return totals_text(rows_by_state(rows))


def totals_text(by_state: Mapping[JobState, Sequence[object]]) -> str:
    """Return the text of `states_text` for jobs that are already sorted by their state."""
    return "; ".join(f"{len(rows):,} {state}" for state, rows in by_state.items() if rows) or "no jobs"
