"""How a row is to be read: where its job stands, and what its `Ready` says to this reader.

A status tells what was last known. Whoever could not look must not call that ready; this is the one place that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.job import TERMINAL, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Progress, Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, ConditionStatus, Verb


class Standing(StrEnum):
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
class Outlook:
    """What a reader is told of a row."""

    standing: Standing
    ready: ConditionStatus
    reason: str
    message: str


def outlook(row: Row) -> Outlook:
    """Return how a row is to be read."""
    ready = row.status.ready
    if ready.reason is not Reason.OUT_OF_DATE and row.unseen is not None:
        return Outlook(
            Standing.UNSEEN, ConditionStatus.UNKNOWN, Reason.CANNOT_OBSERVE_PROVIDER, f"could not look: {row.unseen}"
        )
    return Outlook(_standing(row), ready.status, ready.reason, ready.message)


def _standing(row: Row) -> Standing:
    if row.status.ready.reason is Reason.OUT_OF_DATE:
        return Standing.OUT_OF_DATE
    if row.progress is Progress.REFUSED:
        return Standing.REFUSED
    if row.status.is_stalled:
        return Standing.STALLED
    if row.status.ready.status is ConditionStatus.UNKNOWN:
        return Standing.UNSEEN
    if row.status.is_reconciling:
        return Standing.ON_THE_WAY
    if row.status.is_ready:
        return Standing.AS_DESIRED
    return Standing.SUSPENDED if row.status.ready.reason is Reason.SUSPENDED else Standing.UNSEEN


def why(because: Because, reason: str | None) -> str:
    """Return why a change is wanted, with the words of the spec, or of the limit."""
    told = "over its limit" if because is Because.LIMIT_REACHED else "the spec wants it"
    return told if reason is None else f"{told}: {reason}"


def is_pending(row: Row) -> bool:
    """Return whether a change is still to be made: one is due, and nothing stopped it."""
    return row.action is not None and row.progress in (None, Progress.PLANNED)


def is_drifting(row: Row) -> bool:
    """Return whether a job that could be seen is not where its spec wants it; a change that is due says so too."""
    if row.wanted is None or row.unseen is not None:
        return False
    return row.action is not None or row.status.phase not in AT_HOME[row.wanted]


def verbs(rows: Iterable[Row]) -> dict[Verb, int]:
    """Return how many changes of each kind the rows hold; every verb is there."""
    found = Counter(row.action.verb for row in rows if row.action is not None)
    return {verb: found[verb] for verb in Verb}


def standings(rows: Iterable[Row]) -> dict[Standing, int]:
    """Return how many rows stand where; every standing is there, in a fixed order."""
    found = Counter(outlook(row).standing for row in rows)
    return {standing: found[standing] for standing in Standing}


def told_verbs(rows: Iterable[Row]) -> str:
    """Return `1 to cancel, 2 to resume`; what there is none of is left out, but for cancels."""
    return ", ".join(f"{n:,} to {verb}" for verb, n in verbs(rows).items() if n or verb is Verb.CANCEL)


def told_standings(rows: Iterable[Row]) -> str:
    """Return `3 as desired; 1 stalled`; what there is none of is left out, but for what everyone asks."""
    found = standings(rows)
    return "; ".join(f"{n:,} {word}" for word, n in found.items() if n or word is Standing.AS_DESIRED)
