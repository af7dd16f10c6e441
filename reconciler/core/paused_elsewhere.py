"""Recognise a job that something other than reconcile paused, so that it is not resumed.

Theory: a provider may pause a job because a spending limit was reached, and a resume would lift that limit. Therefore
only a person causes such a job to be resumed: by requesting a retry, or by changing the spec after the pause was
observed. A job that was paused before reconcile first observed it is resumed, because its spec is new, and a
new spec requests its desired state.

Rules: the pause is attributed to something else if the last observation of the phase showed the job unpaused, or if its
earlier status was discarded, and if no recent request of reconcile can have caused it. While a job is suspended,
nothing ends this attribution. A retry in shadow mode does not end it, because it requests nothing. Specs are compared
without their suspension, because a change of the suspension does not request a resume.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.core.backoff import HONOUR_WITHIN
from reconciler.core.receipts import may_pause
from reconciler.core.schedule import INTERVALS_MAX
from reconciler.core.subject import Subject
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState, spec_digest
from reconciler.model.status import JobStatus

_PAUSES = frozenset({Phase.PAUSING, Phase.PAUSED})
_UNCERTAIN = frozenset({Phase.UNKNOWN, Phase.ABSENT, Phase.CANCELLING})
"""The phases that do not show whether the job is paused. A job that is cancelling may have been paused before."""
_MAY_BE_PAUSED = _PAUSES | _UNCERTAIN


def paused_elsewhere(subject: Subject, phase: Phase, last: JobStatus | None, now: datetime) -> str | None:
    """Return the new value of `JobStatus.paused_elsewhere` after an observation.

    Args:
        subject: the spec.
        phase: the observed phase.
        last: the last status, or None if there is none.
        now: the current time.
    """
    if last is None or phase not in _MAY_BE_PAUSED:
        return None
    digest = last.paused_elsewhere
    if digest is None and not (phase in _PAUSES and _is_found_paused(subject, last, now)):
        return None
    wish = _wish(subject)
    is_retry = subject.is_retry and not subject.is_shadow
    is_resume_wanted = is_retry or digest not in {None, wish}
    return None if is_resume_wanted and not subject.is_suspended(now) else digest or wish


def _wish(subject: Subject) -> str:
    """Return the digest of the spec without its suspension, with the canonical spelling of the job id."""
    if subject.spec.suspend is None:
        return subject.digest
    unsuspended = subject.spec.model_copy(update={"suspend": None, "job_id": subject.ref.id})
    return spec_digest(unsuspended, subject.ref.account)


def _is_found_paused(subject: Subject, last: JobStatus, now: datetime) -> bool:
    """Return whether a paused job was unpaused before, is not paused because of reconcile, and should be running."""
    # A request without effect within `HONOUR_WITHIN` counts as lost. The next poll may be `INTERVALS_MAX` later.
    within = HONOUR_WITHIN + INTERVALS_MAX * subject.interval
    return _is_resumed_by(subject) and _was_unpaused(last) and not may_pause(last.receipts, now, within)


def _is_resumed_by(subject: Subject) -> bool:
    """Return whether the spec wants a paused job to be resumed, and its provider can do that."""
    can_resume = subject.kind.can_be_paused and subject.capabilities.can_pause
    return can_resume and subject.spec.desired_state is DesiredState.RUNNING


def _was_unpaused(last: JobStatus) -> bool:
    """Return whether the job was unpaused when its phase was last certain, or may have been, as that was lost."""
    if last.phase not in _UNCERTAIN:
        return last.phase not in _PAUSES
    for entry in last.history:
        if entry.reason is Reason.JOB_CHANGED:
            return False
        if entry.reason is Reason.STATUS_DISCARDED:
            return True
        if entry.phase not in _UNCERTAIN:
            return entry.phase not in _PAUSES
    return False
