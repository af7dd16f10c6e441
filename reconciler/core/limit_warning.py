"""Warn before a limit acts.

Rules: with `warnBefore`, a limit acts only that long after its warning was first written to the status, and not before
the limit is exceeded. The warning of one limit is written once: another limit, or another value of it, is a new
warning. The warning of a cost is written again when the job, which was only near the limit, is first seen over it. A
job that is suspended, observed or wanted cancelled gets no warning, because no limit of it acts. A cancel that was
already requested because of a limit stays wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    def acts_before(self, moment: datetime) -> bool:
        """Return whether the limit acts now, or earlier than a moment."""
        return self.reached is not None or (self.acts_at is not None and self.acts_at < moment)


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """An unfinished job, as an observation with a believable clock shows it."""

    facts: JobFacts
    phase: Phase
    as_of: datetime
    """The provider's clock at the observation."""
    now: datetime
    may_have_started: bool
    """Whether the job may have started although the facts contain no start time."""


def limit_state(
    subject: Subject, job: UnfinishedJob, last: JobStatus | None, *, is_cancel_requested: bool
) -> LimitState:
    """Return which limit of time acts on an unfinished job, and the warning before it does.

    `is_cancel_requested` is whether a cancel is open that was requested because of a limit.
    """
    as_of, now, before, started = job.as_of, job.now, subject.warn_before, job.may_have_started
    reached = limits.reached(subject.spec.limits, job.facts, job.phase, as_of, now, may_have_started=started)
    if before is None or not _warns(subject, now):
        return LimitState(reached)
    if is_cancel_requested and reached is not None:
        return LimitState(reached, last_warning(last))
    found = limits.moments(subject.spec.limits, job.facts, job.phase, as_of, may_have_started=started)
    limit, moment = min(found, key=itemgetter(1), default=("", None))
    if moment is None or as_of < moment - before:
        return LimitState()
    warning = _warning(limit, last, now)
    acts_at = max(moment, warning.since + held_for(subject, warning))
    return LimitState(limit if as_of > moment and now >= acts_at else None, warning, acts_at)


def _warning(limit: str, last: JobStatus | None, now: datetime) -> LimitWarning:
    """Return the warning of a limit: that of the last status, or a new one if there is none from before now."""
    known = last_warning(last)
    if known is not None and known.limit == limit and known.since <= now:
        return known
    return LimitWarning(limit, now)


def last_warning(last: JobStatus | None) -> LimitWarning | None:
    """Return the warning in the last status, or None if there is none."""
    return last.warning if last is not None else None


def kept_warning(subject: Subject, phase: Phase, last: JobStatus | None, now: datetime) -> LimitWarning | None:
    """Return the warning of the last status if an observation cannot check the limits of a job that may still run."""
    is_of_spec = last is not None and last.observed_spec == subject.digest
    return None if last is None or not is_of_spec or phase in TERMINAL or not _warns(subject, now) else last.warning


def _warns(subject: Subject, now: datetime) -> bool:
    """Return whether limits of the job are warned of now. A limit of the cost always is, because it acts later."""
    is_moot = subject.is_suspended(now) or subject.spec.desired_state in _WITHOUT_WARNING
    has_cost = subject.spec.limits is not None and subject.spec.limits.max_cost is not None
    return (subject.warn_before is not None or has_cost) and not is_moot


def warning_text(warning: LimitWarning, acts_at: datetime) -> str:
    """Return when a limit acts, as text."""
    return f"it will be cancelled because of {warning.limit}, not before {render_instant(acts_at)}"


def held_for(subject: Subject, warning: LimitWarning) -> timedelta:
    """Return how long after its warning a limit acts at the earliest. For a cost, two observations must agree."""
    before = subject.warn_before or timedelta(0)
    return before if warning.cost is None else max(before, subject.interval)


def next_moments(subject: Subject, status: JobStatus) -> Iterator[datetime]:
    """Yield when a warning is due, and when its limit acts. The moments may be in the past."""
    if status.warning is not None:
        yield status.warning.since + held_for(subject, status.warning)
    before = subject.warn_before
    if before is None:
        return
    moment = limits.next_at(subject.spec.limits, status.job, status.phase) if status.job else None
    if moment is not None:
        yield moment - before
