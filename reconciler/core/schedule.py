"""When a job is worth another look, by plan. What failed comes back by `backoff.failure_delay` instead.

The longer something has lasted, the longer it will: a look comes after as long again, in bounds. What is known to
happen at a moment (a limit, the end of a suspension, an attempt, the estimated finish) is looked at in that moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core import backoff, limits
from reconciler.core.conditions import phase_since
from reconciler.core.finality import AGREE_AFTER
from reconciler.core.subject import Subject
from reconciler.model.job import UNFINISHED, Look, Phase, Seen
from reconciler.model.status import JobStatus

CANCELLING_FIRST = timedelta(seconds=5)
CANCELLING_MAX = timedelta(seconds=60)
INTERVALS_MAX = 5
"""A job that goes on and on is looked at once in so many intervals."""
_PAST = timedelta(seconds=1)
"""The shortest rest: a limit is passed only after its moment, and times are told in whole seconds."""


def next_look(
    subject: Subject, status: JobStatus, now: datetime, finish_at: datetime | None = None
) -> timedelta | None:
    """Return how long until the next look, at least a second; None where only a change can make one worth while.

    Args:
        subject: the spec.
        status: as it is written now.
        now: aware, in whole seconds.
        finish_at: when the provider thinks that the job will finish, if it said so.
    """
    if status.final:
        return max(status.doubted_at + AGREE_AFTER - now, _PAST) if status.doubted_at else None
    delays = [_by_phase(subject, status, now)]
    if status.phase in UNFINISHED:
        delays += _around_the_finish(subject, finish_at, now)
    delays += [delay for delay in _until_moments(subject, status, now) if delay > timedelta(0)]
    receipt = status.open_receipt
    if receipt is not None:
        first = CANCELLING_FIRST if status.phase is Phase.CANCELLING else backoff.CONFIRM_FIRST
        delays.append(backoff.confirm_delay(receipt, now, first))
    return min(delays)


def estimated_finish(look: Look) -> datetime | None:
    """Return when a job is thought to finish, if the look says so."""
    job = look.job if isinstance(look, Seen) else None
    return job.estimated_finish_at if job and isinstance(job.estimated_finish_at, datetime) else None


def _by_phase(subject: Subject, status: JobStatus, now: datetime) -> timedelta:
    since = phase_since(status, status.phase) or now
    if status.phase is Phase.CANCELLING:
        return _as_long_again(now - since, CANCELLING_FIRST, CANCELLING_MAX)
    if status.phase not in UNFINISHED or _is_over_a_limit(subject, status, now):
        return subject.interval
    return _as_long_again(now - since, subject.interval, INTERVALS_MAX * subject.interval)


def _is_over_a_limit(subject: Subject, status: JobStatus, now: datetime) -> bool:
    """Whether our clock says so; the provider's, which decides, may be a little behind."""
    moment = limits.next_at(subject.spec.limits, status.job, status.phase) if status.job else None
    return moment is not None and moment < now


def _around_the_finish(subject: Subject, finish_at: datetime | None, now: datetime) -> list[timedelta]:
    if finish_at is None:
        return []
    if finish_at > now:
        return [finish_at - now]
    return [_as_long_again(now - finish_at, subject.interval, INTERVALS_MAX * subject.interval)]


def _until_moments(subject: Subject, status: JobStatus, now: datetime) -> list[timedelta]:
    delays = []
    if status.job and (limit := limits.next_at(subject.spec.limits, status.job, status.phase)):
        delays.append(limit - now + _PAST)
    if subject.suspension and subject.suspension.until:
        delays.append(subject.suspension.until - now)
    if receipt := status.open_receipt:
        delays.append(backoff.next_attempt_at(receipt) - now)
    return delays


def _as_long_again(lasted: timedelta, first: timedelta, most: timedelta) -> timedelta:
    return min(max(lasted, first), most)
