"""Warn before a limit acts.

Rules: with `warnBefore`, a limit acts only that long after its warning was first written to the status, and not before
the limit is exceeded. The warning of one limit is written once: another limit, or another value of it, is a new
warning. A job that is suspended, observed or wanted cancelled gets no warning, because no limit of it acts. A cancel
that was already requested because of a limit stays wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from reconciler.core import limits
from reconciler.core.subject import Subject
from reconciler.model.job import TERMINAL, Phase
from reconciler.model.spec import DesiredState, render_instant
from reconciler.model.status import JobFacts, JobStatus, LimitWarning

_WITHOUT_WARNING = frozenset({DesiredState.CANCELLED, DesiredState.OBSERVED})


@dataclass(frozen=True, slots=True)
class LimitState:
    """The limits of an unfinished job, after a warning was taken into account."""

    reached: str | None = None
    """The limit that acts now, or None."""
    warning: LimitWarning | None = None
    """The warning to write, or None."""
    acts_at: datetime | None = None
    """When the limit of the warning acts at the earliest, or None if it was already acted on or there is no warning."""


def limit_state(
    subject: Subject,
    facts: JobFacts,
    phase: Phase,
    as_of: datetime,
    now: datetime,
    last: JobStatus | None,
    *,
    may_have_started: bool,
    is_cancel_requested: bool,
) -> LimitState:
    """Return the limits of an unfinished job.

    Args:
        subject: the spec.
        facts: the facts about the job.
        phase: an unfinished phase.
        as_of: the provider's clock at the observation, which is believable.
        now: the current time.
        last: the last status, or None if there is none.
        may_have_started: whether the job may have started although the facts contain no start time.
        is_cancel_requested: whether a cancel is open that was requested because of a limit.
    """
    found = list(limits.moments(subject.spec.limits, facts, phase, as_of, may_have_started=may_have_started))
    reached = next((limit for limit, moment in found if as_of > moment), None)
    before = subject.warn_before
    if before is None or not _warns(subject, now):
        return LimitState(reached)
    if is_cancel_requested and reached is not None:
        return LimitState(reached, _last_warning(last))
    limit, moment = min(found, key=itemgetter(1), default=("", None))
    if moment is None or as_of < moment - before:
        return LimitState()
    warning = _warning(limit, last, now)
    acts_at = max(moment, warning.since + before)
    return LimitState(limit if as_of > moment and now >= acts_at else None, warning, acts_at)


def _warning(limit: str, last: JobStatus | None, now: datetime) -> LimitWarning:
    """Return the warning of a limit: that of the last status, or a new one if there is none from before now."""
    known = _last_warning(last)
    if known is not None and known.limit == limit and known.since <= now:
        return known
    return LimitWarning(limit, now)


def _last_warning(last: JobStatus | None) -> LimitWarning | None:
    return last.warning if last is not None else None


def kept_warning(subject: Subject, phase: Phase, last: JobStatus | None, now: datetime) -> LimitWarning | None:
    """Return the warning of the last status if an observation cannot check the limits of a job that may still run."""
    is_of_spec = last is not None and last.observed_spec == subject.digest
    return None if last is None or not is_of_spec or phase in TERMINAL or not _warns(subject, now) else last.warning


def _warns(subject: Subject, now: datetime) -> bool:
    """Return whether limits of the job are warned of now."""
    is_moot = subject.is_suspended(now) or subject.spec.desired_state in _WITHOUT_WARNING
    return subject.warn_before is not None and not is_moot


def warning_text(warning: LimitWarning, acts_at: datetime) -> str:
    """Return when a limit acts, as text."""
    return f"it will be cancelled because of {warning.limit}, not before {render_instant(acts_at)}"


def next_moments(subject: Subject, status: JobStatus) -> Iterator[datetime]:
    """Yield when a warning is due, and when its limit acts. The moments may be in the past."""
    before = subject.warn_before
    if before is None:
        return
    if status.warning is not None:
        yield status.warning.since + before
    moment = limits.next_at(subject.spec.limits, status.job, status.phase) if status.job else None
    if moment is not None:
        yield moment - before
