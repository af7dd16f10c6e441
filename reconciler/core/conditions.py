"""Turn a verdict into conditions and history.

Rules: `Ready` is always present. `Reconciling` and `Stalled` are present only while true, and never both. A transition
time changes only if the condition's status, reason or message changes. A draft is compared with the last *written*
status, so several drafts in one pass result in one transition. The functions are pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from reconciler.core.remembered_attempts import remembered
from reconciler.model.job import Phase
from reconciler.model.kind import FINE_TUNING, JobKind
from reconciler.model.reason import Reason
from reconciler.model.status import (
    HISTORY_MAX,
    Condition,
    ConditionStatus,
    ConditionType,
    HistoryEntry,
    JobStatus,
)


class Readiness(Enum):
    """The readiness of a job, which decides its conditions."""

    READY = "ready"
    """No change is needed."""
    RECONCILING = "reconciling"
    """A change is in progress or due, or the provider reports a phase that reconcile does not know."""
    STALLED = "stalled"
    """A person must act."""
    SUSPENDED = "suspended"
    """A change is not requested: the job is suspended, its spec is deleted, or the run is in shadow mode."""
    UNOBSERVED = "unobserved"
    """Unknown, because the current spec has not been observed yet, or because the status cannot be read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The readiness of a job, with the reason and the message. The conditions of its status are made from it."""

    readiness: Readiness
    reason: Reason
    message: str


_READY_STATUS = {
    Readiness.READY: ConditionStatus.TRUE,
    Readiness.RECONCILING: ConditionStatus.FALSE,
    Readiness.STALLED: ConditionStatus.FALSE,
    Readiness.SUSPENDED: ConditionStatus.FALSE,
    Readiness.UNOBSERVED: ConditionStatus.UNKNOWN,
}
_SECOND_CONDITION = {
    Readiness.RECONCILING: ConditionType.RECONCILING,
    Readiness.UNOBSERVED: ConditionType.RECONCILING,
    Readiness.STALLED: ConditionType.STALLED,
}


def conclude(draft: JobStatus, verdict: Verdict, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the draft with the conditions and history of the verdict, as one transition from `last`.

    If the result would differ from `last` only in progress counters, return `last`. A change of counters is written
    only together with another change.
    """
    wanted = [(ConditionType.READY, _READY_STATUS[verdict.readiness])]
    if verdict.readiness in _SECOND_CONDITION:
        wanted.append((_SECOND_CONDITION[verdict.readiness], ConditionStatus.TRUE))
    history = _history(draft.phase, verdict.reason, last, now)
    is_transition = last is None or history != last.history
    status = replace(
        draft,
        conditions=tuple(
            _condition(type_, status, verdict, draft.observed_generation, last, now) for type_, status in wanted
        ),
        history=history,
        spent=remembered(draft.spent, now) if is_transition else draft.spent,
    )
    return last if last is not None and _differs_only_in_counters(status, last) else status


def _differs_only_in_counters(status: JobStatus, last: JobStatus) -> bool:
    if status.job is None or last.job is None:
        return False
    return replace(status, job=status.kind.with_counters_of(last.job, status.job)) == last


def verdict_of(status: JobStatus) -> Verdict:
    """Return the verdict from which `conclude` made the conditions of a status. Raises `LookupError` for a draft."""
    ready = status.ready
    if status.is_stalled:
        readiness = Readiness.STALLED
    elif ready.status is ConditionStatus.UNKNOWN:
        readiness = Readiness.UNOBSERVED
    elif status.is_reconciling:
        readiness = Readiness.RECONCILING
    else:
        readiness = Readiness.READY if status.is_ready else Readiness.SUSPENDED
    return Verdict(readiness, ready.reason, ready.message)


def phase_since(status: JobStatus | None, phase: Phase) -> datetime | None:
    """Return when the job entered this phase, as far as its history goes back.

    Return None if there is no status, or if its newest history entry is missing or has another phase.
    """
    since = None
    for entry in status.history if status else ():
        if entry.phase is not phase:
            break
        since = entry.at
    return since


def stalled(
    name: str,
    source: str,
    last: JobStatus | None,
    reason: Reason,
    message: str,
    now: datetime,
    kind: JobKind = FINE_TUNING,
) -> JobStatus:
    """Return the status of a spec that cannot be acted on, with the condition `Stalled`.

    The facts about its job and the kind are taken from the last status. `kind` is used if there is no last status.
    """
    draft = replace(last, name=name, source=source) if last else never_observed(name, source, kind)
    return conclude(draft, Verdict(Readiness.STALLED, reason, message), last, now)


def never_observed(name: str, source: str, kind: JobKind) -> JobStatus:
    """Return the draft of the first status of a spec whose job has not been observed."""
    return JobStatus(
        name=name,
        observed_generation=0,
        observed_spec=None,
        source=source,
        phase=Phase.UNKNOWN,
        final=False,
        conditions=(),
        job=None,
        kind=kind,
    )


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
    newest = [(entry.phase, entry.reason) for entry in entries[:2]]
    if newest[:1] == [(phase, reason)]:
        return entries
    if newest[1:] == [(phase, reason)]:
        # The job alternates between two states. Keep only the newest entry of each, so that flapping does not displace
        # older entries.
        entries = (entries[0], *entries[2:])
    return (HistoryEntry(now, phase, reason), *entries)[:HISTORY_MAX]
