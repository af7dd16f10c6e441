"""When to poll a job again. After a failed observation `backoff.failure_delay` decides instead.

The longer a phase has lasted, the longer it is likely to last, so the next poll comes after the same time again, within
bounds. A job is also polled at each known moment: a limit, the end of a suspension, the next attempt, the estimated
finish.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core import backoff, limits
from reconciler.core.conditions import phase_since
from reconciler.core.finality import AGREE_AFTER
from reconciler.core.subject import Subject
from reconciler.model.job import UNFINISHED, Observation, Observed, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus

CANCELLING_FIRST = timedelta(seconds=5)
CANCELLING_MAX = timedelta(seconds=60)
INTERVALS_MAX = 5
"""A job that stays in one phase is polled at least once in this many intervals."""
_PAST = timedelta(seconds=1)
"""The shortest delay, because a limit is passed only after its moment and statuses have whole seconds."""


def next_look(
    subject: Subject, status: JobStatus, now: datetime, finish_at: datetime | None = None
) -> timedelta | None:
    """Return the time until the next poll, at least a second; None if only a change of the spec can make one useful.

    Args:
        subject: the spec.
        status: the status as it is written now.
        now: aware, in whole seconds.
        finish_at: the provider's estimate of when the job finishes, if there is one.
    """
    if status.final:
        moments = _until_the_end_of_suspension(subject, now)
        if status.doubted_at:
            moments.append(max(status.doubted_at + AGREE_AFTER - now, _PAST))
        return min(moments, default=None)
    delays = [_by_phase(subject, status, now)]
    if status.phase in UNFINISHED:
        delays += _around_the_finish(subject, finish_at, now)
    delays += [delay for delay in _until_moments(subject, status, now) if delay > timedelta(0)]
    receipt = status.open_receipt
    if receipt is not None:
        first = CANCELLING_FIRST if status.phase is Phase.CANCELLING else backoff.CONFIRM_FIRST
        delays.append(backoff.confirm_delay(receipt, now, first))
    return min(delays)


def estimated_finish(look: Observation) -> datetime | None:
    """Return the provider's estimate of when the job finishes, or None."""
    job = look.job if isinstance(look, Observed) else None
    return job.estimated_finish_at if job and isinstance(job.estimated_finish_at, datetime) else None


def _by_phase(subject: Subject, status: JobStatus, now: datetime) -> timedelta:
    since = phase_since(status, status.phase) or now
    if status.phase is Phase.CANCELLING:
        return _as_long_again(now - since, CANCELLING_FIRST, CANCELLING_MAX)
    is_held = status.is_reconciling or status.ready.reason is Reason.REFUSED_BY_GUARD
    if status.phase not in UNFINISHED or is_held or _is_over_a_limit(subject, status, now):
        return subject.interval  # a change is wanted, and the obstacle to it may be gone
    return _as_long_again(now - since, subject.interval, INTERVALS_MAX * subject.interval)


def _is_over_a_limit(subject: Subject, status: JobStatus, now: datetime) -> bool:
    """Whether a limit has passed by our clock. The provider's clock decides, and may be slightly behind."""
    moment = limits.next_at(subject.spec.limits, status.job, status.phase) if status.job else None
    return moment is not None and moment < now


def _around_the_finish(subject: Subject, finish_at: datetime | None, now: datetime) -> list[timedelta]:
    if finish_at is None:
        return []
    if finish_at > now:
        return [finish_at - now]
    return [_as_long_again(now - finish_at, subject.interval, INTERVALS_MAX * subject.interval)]


def _until_moments(subject: Subject, status: JobStatus, now: datetime) -> list[timedelta]:
    delays = _until_the_end_of_suspension(subject, now)
    if status.job and (limit := limits.next_at(subject.spec.limits, status.job, status.phase)):
        delays.append(limit - now + _PAST)
    if receipt := status.open_receipt:
        delays.append(backoff.next_attempt_at(receipt) - now)
    return delays


def _until_the_end_of_suspension(subject: Subject, now: datetime) -> list[timedelta]:
    """A settled job is not polled, but its status must be written once more when the suspension ends."""
    until = subject.suspension.until if subject.suspension else None
    return [max(until - now, _PAST)] if until is not None and until > now else []


def _as_long_again(lasted: timedelta, first: timedelta, most: timedelta) -> timedelta:
    return min(max(lasted, first), most)
