"""Turn a verdict into conditions and history.

Rules: `Ready` is always present. `Reconciling` and `Stalled` are present only while true, and never both. A transition
time changes only if the condition's status, reason or message changes. Everything is relative to the last written
status, so several drafts in one pass leave one transition. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from reconciler.core.remembered_attempts import remembered
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import (
    HISTORY_MAX,
    Condition,
    ConditionStatus,
    ConditionType,
    HistoryEntry,
    JobStatus,
)


class Stance(Enum):
    """The relation of a job to its spec, which decides its conditions."""

    HOLD = "hold"
    """Ready: no change is needed."""
    WAIT = "wait"
    """Reconciling: a change is in progress or due."""
    GIVE_UP = "give up"
    """Stalled: a person must act."""
    SUSPENDED = "suspended"
    """Neither ready, reconciling nor stalled: a person suspended the job."""
    BLIND = "blind"
    """Unknown: the spec changed and the job could not be observed, or its status cannot be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement about a job: its stance, a reason and a message."""

    stance: Stance
    reason: Reason
    message: str


_READY = {
    Stance.HOLD: ConditionStatus.TRUE,
    Stance.WAIT: ConditionStatus.FALSE,
    Stance.GIVE_UP: ConditionStatus.FALSE,
    Stance.SUSPENDED: ConditionStatus.FALSE,
    Stance.BLIND: ConditionStatus.UNKNOWN,
}
_BESIDES = {
    Stance.WAIT: ConditionType.RECONCILING,
    Stance.BLIND: ConditionType.RECONCILING,
    Stance.GIVE_UP: ConditionType.STALLED,
}


def conclude(draft: JobStatus, verdict: Verdict, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the draft with the conditions and history of the verdict, as one transition from `last`."""
    said = [(ConditionType.READY, _READY[verdict.stance])]
    if verdict.stance in _BESIDES:
        said.append((_BESIDES[verdict.stance], ConditionStatus.TRUE))
    history = _history(draft.phase, verdict.reason, last, now)
    is_transition = last is None or history != last.history
    return replace(
        draft,
        conditions=tuple(
            _condition(type_, status, verdict, draft.observed_generation, last, now) for type_, status in said
        ),
        history=history,
        spent=remembered(draft.spent, now) if is_transition else draft.spent,
    )


def verdict_of(status: JobStatus) -> Verdict:
    """Return the verdict that a status was concluded with."""
    ready = status.ready
    if status.is_stalled:
        stance = Stance.GIVE_UP
    elif ready.status is ConditionStatus.UNKNOWN:
        stance = Stance.BLIND
    elif status.is_reconciling:
        stance = Stance.WAIT
    else:
        stance = Stance.HOLD if status.is_ready else Stance.SUSPENDED
    return Verdict(stance, ready.reason, ready.message)


def phase_since(status: JobStatus | None, phase: Phase) -> datetime | None:
    """Return since when a status has had this phase without a break; None if it has another."""
    since = None
    for entry in status.history if status else ():
        if entry.phase is not phase:
            break
        since = entry.at
    return since


def stalled(name: str, source: str, last: JobStatus | None, reason: Reason, message: str, now: datetime) -> JobStatus:
    """Return the status of a spec that cannot be acted on. The facts of its job are kept."""
    draft = (
        replace(last, name=name, source=source)
        if last
        else JobStatus(
            name=name,
            observed_generation=0,
            observed_spec=None,
            source=source,
            phase=Phase.UNKNOWN,
            final=False,
            conditions=(),
            job=None,
        )
    )
    return conclude(draft, Verdict(Stance.GIVE_UP, reason, message), last, now)


def _condition(
    type_: ConditionType,
    status: ConditionStatus,
    verdict: Verdict,
    generation: int,
    last: JobStatus | None,
    now: datetime,
) -> Condition:
    before = last.condition(type_) if last else None
    has_moved = before is None or (before.status, before.reason, before.message) != (
        status,
        verdict.reason,
        verdict.message,
    )
    return Condition(
        type=type_,
        status=status,
        reason=verdict.reason,
        message=verdict.message,
        observed_generation=generation,
        last_transition_time=now if before is None or has_moved else before.last_transition_time,
    )


def _history(phase: Phase, reason: Reason, last: JobStatus | None, now: datetime) -> tuple[HistoryEntry, ...]:
    entries = last.history if last else ()
    told = [(entry.phase, entry.reason) for entry in entries[:2]]
    if told[:1] == [(phase, reason)]:
        return entries
    if told[1:] == [(phase, reason)]:
        # To and fro: keep the newest of each kind, so that flapping does not push the rest out.
        entries = (entries[0], *entries[2:])
    return (HistoryEntry(now, phase, reason), *entries)[:HISTORY_MAX]
