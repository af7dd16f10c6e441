"""How a row is to be read: where its job stands, and what its `Ready` says to this reader.

A status tells what was last known. Whoever could not look must not call that ready; this is the one place that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.action import Progress
from reconciler.model.job import TERMINAL, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, ConditionStatus, Verb


class JobState(StrEnum):
    """Where a job stands; every row has exactly one. The values are the words of the summary line."""

    AS_DESIRED = "as desired"
    ON_THE_WAY = "on the way"
    STALLED = "stalled"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    OUT_OF_DATE = "out of date"
    UNSEEN = "not seen"


AT_HOME: dict[DesiredState, frozenset[Phase]] = {
    DesiredState.RUNNING: frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED}),
    DesiredState.PAUSED: frozenset({Phase.PAUSED, Phase.SUCCEEDED}),
    DesiredState.CANCELLED: TERMINAL,
    DesiredState.OBSERVED: frozenset(Phase) - {Phase.ABSENT, Phase.UNKNOWN},
}
"""The phases in which a job is where its spec wants it, or has ended well."""


@dataclass(frozen=True, slots=True)
class RowState:
    """What a reader is told of a row."""

    standing: JobState
    ready: ConditionStatus
    reason: str
    message: str


def outlook(row: Row) -> RowState:
    """Return how a row is to be read."""
    ready = row.status.ready
    if ready.reason is not Reason.OUT_OF_DATE and row.unseen is not None:
        return RowState(
            JobState.UNSEEN,
            ConditionStatus.UNKNOWN,
            Reason.CANNOT_OBSERVE_PROVIDER,
            f"could not observe: {row.unseen.message}",
        )
    return RowState(_standing(row), ready.status, ready.reason, ready.message)


def _standing(row: Row) -> JobState:
    if row.status.ready.reason is Reason.OUT_OF_DATE:
        return JobState.OUT_OF_DATE
    if row.progress is Progress.REFUSED:
        return JobState.REFUSED
    if row.status.is_stalled:
        return JobState.STALLED
    if row.status.ready.status is ConditionStatus.UNKNOWN:
        return JobState.UNSEEN
    if row.status.is_reconciling:
        return JobState.ON_THE_WAY
    if row.status.is_ready:
        return JobState.AS_DESIRED
    return JobState.SUSPENDED if row.status.ready.reason is Reason.SUSPENDED else JobState.UNSEEN


def why(because: Because, reason: str | None) -> str:
    """Return why a change is wanted, with the words of the spec, or of the limit."""
    told = "over its limit" if because is Because.LIMIT_REACHED else "the spec wants it"
    return told if reason is None else f"{told}: {reason}"


def is_pending(row: Row) -> bool:
    """Return whether a change is still to be made: one is due, and nothing stopped it."""
    return row.action is not None and row.progress in (None, Progress.PLANNED)


def is_drifting(row: Row) -> bool:
    """Return whether a job that could be seen is not where its spec wants it; a change that is due says so too.

    What is ready does not drift, wherever it is: a job that its limit has cancelled is as its spec wants it.
    """
    if row.wanted is None or row.unseen is not None or row.status.ready.reason is Reason.STATUS_UNKNOWN:
        return False
    return row.action is not None or not (row.status.is_ready or row.status.phase in AT_HOME[row.wanted])


def verbs(rows: Iterable[Row]) -> dict[Verb, int]:
    """Return how many changes of each kind the rows hold; every verb is there."""
    found = Counter(row.action.verb for row in rows if row.action is not None)
    return {verb: found[verb] for verb in Verb}


def standings(rows: Iterable[Row]) -> dict[JobState, int]:
    """Return how many rows stand where; every standing is there, in a fixed order."""
    found = Counter(outlook(row).standing for row in rows)
    return {standing: found[standing] for standing in JobState}


def told_verbs(rows: Iterable[Row]) -> str:
    """Return `1 to cancel, 2 to resume`; what there is none of is left out, and so it may be nothing."""
    return ", ".join(f"{n:,} to {verb}" for verb, n in verbs(rows).items() if n)


def told_standings(rows: Iterable[Row]) -> str:
    """Return `3 as desired; 1 stalled`; what there is none of is left out."""
    return "; ".join(f"{n:,} {word}" for word, n in standings(rows).items() if n) or "no jobs"
