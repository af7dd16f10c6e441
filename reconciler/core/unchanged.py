"""Detect that a decision about a job would change nothing, without computing it. This saves time in most passes.

Rule: `is_unchanged` returns True only if `decide_in_full` would return the last status and no action, whatever the
time. It may return False although the decision would change nothing. A test compares the two functions in every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from reconciler.core.conditions import Readiness
from reconciler.core.subject import Subject
from reconciler.core.table import TABLE, Situation
from reconciler.model.job import TERMINAL, ObservedJob, Phase, Unset
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import ConditionStatus, ConditionType, JobFacts, JobStatus, Outcome, Receipt

T = TypeVar("T")

_SITUATIONS = {
    Phase.VALIDATING_FILES: Situation.PROGRESSING,
    Phase.QUEUED: Situation.PROGRESSING,
    Phase.RUNNING: Situation.PROGRESSING,
    Phase.PAUSED: Situation.PAUSED,
    Phase.SUCCEEDED: Situation.SUCCEEDED,
    Phase.FAILED: Situation.FAILED,
    Phase.CANCELLED: Situation.CANCELLED,
}
"""The situation of a job for which no change was ever requested, by phase. Other phases are decided in full."""
LASTING: Mapping[tuple[Phase, DesiredState], Reason] = MappingProxyType(
    {
        (phase, wanted): row.reason
        for phase, situation in _SITUATIONS.items()
        for wanted in DesiredState
        if (row := TABLE[situation, wanted]).readiness is Readiness.READY and row.verb is None
    }
)
"""The reason of the condition `Ready`, for each phase and desired state in which a job needs no change."""


def is_unchanged(subject: Subject, job: ObservedJob | None, last: JobStatus | None) -> bool:
    """Return whether a decision about this observation would certainly return the last status and no action.

    Args:
        subject: the spec.
        job: the job as it was observed. If it is None, the result is False.
        last: the last status. If it is None, the result is False.
    """
    if job is None or last is None or last.phase is not job.phase or last.job is None:
        return False
    reason = LASTING.get((job.phase, subject.spec.desired_state))
    return (
        reason is not None
        and _is_unconditional(subject, job.phase)
        and _is_of_spec(last, subject)
        and _is_at_rest(last, reason)
        and _has_only_reason(last, reason)
        and _is_shown(last.job, job, subject)
    )


def _is_unconditional(subject: Subject, phase: Phase) -> bool:
    """Return whether no suspension, limit or doubtful phase affects the decision."""
    is_phase_certain = subject.capabilities.confirms or phase is not Phase.CANCELLED
    return subject.suspension is None and subject.spec.limits is None and is_phase_certain


def _is_of_spec(last: JobStatus, subject: Subject) -> bool:
    """Return whether a status was written for this version of a spec."""
    is_same = (last.observed_spec, last.name, last.source) == (subject.digest, subject.name, subject.source)
    return is_same and last.kind is subject.kind


def _is_at_rest(last: JobStatus, reason: Reason) -> bool:
    """Return whether a status waits for nothing: no doubt, no used approval and no receipt that may change."""
    is_final = last.final is (last.phase in TERMINAL)
    is_over = not last.receipts or (reason is Reason.CANCELLED and all(map(_is_over, last.receipts)))
    is_undisputed = last.doubted_at is None and last.paused_elsewhere is None
    return is_final and is_over and is_undisputed and not last.spent


def _is_over(receipt: Receipt) -> bool:
    """Return whether a receipt stays as it is, whatever phase of the job is observed."""
    return receipt.outcome is not None and receipt.outcome is not Outcome.GONE


def _has_only_reason(last: JobStatus, reason: Reason) -> bool:
    """Return whether the only condition of a status is `Ready: True` with this reason, as its history records too."""
    if len(last.conditions) != 1 or not last.history:
        return False
    (ready,), newest = last.conditions, last.history[0]
    return (
        ready.type is ConditionType.READY
        and ready.status is ConditionStatus.TRUE
        and ready.reason is newest.reason is reason
        and newest.phase is last.phase
        and ready.observed_generation == last.observed_generation
        and ready.message == f"{last.phase} at the provider"
    )


def _is_shown(facts: JobFacts, job: ObservedJob, subject: Subject) -> bool:
    """Return whether an observation agrees with the facts of a status, except for the kind's counters."""
    return (
        job.provider_status == facts.provider_status
        and facts.id == subject.ref.id
        and facts.account == str(subject.ref.account)
        and _is_same(job.model, facts.model)
        and _is_same(job.fine_tuned_model, facts.fine_tuned_model)
        and _is_same(job.error, facts.error)
        and _is_same(job.output_file, facts.output_file)
        and _has_same_times(job, facts)
    )


def _has_same_times(job: ObservedJob, facts: JobFacts) -> bool:
    return (
        _is_same_time(job.expires_at, facts.expires_at)
        and _is_same_time(job.created_at, facts.created_at)
        and _is_same_time(job.finished_at, facts.finished_at)
        # If the provider does not report a start time, the status keeps the start time that reconcile recorded.
        and (job.started_at is None or _is_same_time(job.started_at, facts.started_at))
        and (facts.started_at is not None or job.phase is not Phase.RUNNING)
    )


def _is_same(new: T | Unset, known: T) -> bool:
    return new == known or isinstance(new, Unset)


def _is_same_time(new: datetime | None | Unset, known: datetime | None) -> bool:
    return new == known or isinstance(new, Unset) or (new is not None and new.replace(microsecond=0) == known)
