"""Schedule the next poll of a job. After a failed observation `backoff.failure_delay` determines the delay instead.

Theory: the longer a phase has lasted, the longer it is likely to last. Therefore the delay before the next poll is the
time that the phase has lasted so far, within bounds. A job is also polled at each known time: a limit, the end of a
suspension, the next attempt and the estimated finish.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core import backoff, limits
from reconciler.core.change_windows import is_open, next_opening
from reconciler.core.conditions import phase_since
from reconciler.core.finality import AGREE_AFTER
from reconciler.core.limit_warning import next_moments
from reconciler.core.shadow import WOULD
from reconciler.core.subject import Subject
from reconciler.model.job import UNFINISHED, Observation, Observed, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus

CANCELLING_FIRST = timedelta(seconds=5)
"""The minimum delay before a job that is being cancelled is polled again, unless a known time comes earlier."""
CANCELLING_MAX = timedelta(seconds=60)
"""The maximum delay before a job that is being cancelled is polled again."""
INTERVALS_MAX = 5
"""An unfinished job is polled at least once in this many intervals, however long its phase lasts."""
_WANTED = frozenset({Reason.REFUSED_BY_GUARD, Reason.REVISION_NOT_TRUSTED, Reason.OUTSIDE_WINDOW, *WOULD.values()})
"""The reasons of jobs that need a change which is not requested."""
_SHORTEST = timedelta(seconds=1)
"""The minimum delay before a poll for the end of a suspension or of a doubt.

A poll for a limit is made this long after the limit's time, because the limit is exceeded only then.
"""


def next_poll(
    subject: Subject, status: JobStatus, now: datetime, finish_at: datetime | None = None
) -> timedelta | None:
    """Return the time until the next poll, or None if the job needs no poll until its spec changes.

    Args:
        subject: the spec.
        status: the status as it is written now.
        now: the current time, aware and in whole seconds.
        finish_at: the provider's estimate of when the job finishes, or None.
    """
    if status.final:
        moments = _until_resumed(subject, now)
        if status.doubted_at:
            moments.append(max(status.doubted_at + AGREE_AFTER - now, _SHORTEST))
        return min(moments, default=None)
    delays = [_by_phase(subject, status, now)]
    if status.phase in UNFINISHED:
        delays += _near_finish(subject, finish_at, now)
    delays += [delay for delay in _until_moments(subject, status, now) if delay > timedelta(0)]
    receipt = status.open_receipt
    if receipt is not None:
        first = CANCELLING_FIRST if status.phase is Phase.CANCELLING else backoff.CONFIRM_FIRST
        delays.append(backoff.confirm_delay(receipt, now, first))
    return min(delays)


def estimated_finish(observation: Observation) -> datetime | None:
    """Return the provider's estimate of when the job finishes, or None if it gives none or the job was not shown."""
    job = observation.job if isinstance(observation, Observed) else None
    return job.estimated_finish_at if job and isinstance(job.estimated_finish_at, datetime) else None


def _by_phase(subject: Subject, status: JobStatus, now: datetime) -> timedelta:
    since = phase_since(status, status.phase) or now
    if status.phase is Phase.CANCELLING:
        return _same_again(now - since, CANCELLING_FIRST, CANCELLING_MAX)
    is_change_wanted = status.is_reconciling or status.ready.reason in _WANTED
    if status.phase not in UNFINISHED or is_change_wanted or _is_limit_due(subject, status, now):
        # The next observation may settle the job, or the obstacle to a wanted change may be gone by then.
        return subject.interval
    return _same_again(now - since, subject.interval, INTERVALS_MAX * subject.interval)


def _is_limit_due(subject: Subject, status: JobStatus, now: datetime) -> bool:
    """Return whether a limit is exceeded by the local clock, or may be exceeded at any time because it is a cost.

    The provider's clock decides about the limit, and may be slightly behind.
    """
    if subject.spec.limits is not None and subject.spec.limits.max_cost is not None:
        return True
    moment = limits.next_at(subject.spec.limits, status.job, status.phase) if status.job else None
    return moment is not None and moment < now


def _near_finish(subject: Subject, finish_at: datetime | None, now: datetime) -> list[timedelta]:
    if finish_at is None:
        return []
    if finish_at > now:
        return [finish_at - now]
    return [_same_again(now - finish_at, subject.interval, INTERVALS_MAX * subject.interval)]


def _until_moments(subject: Subject, status: JobStatus, now: datetime) -> list[timedelta]:
    delays = _until_resumed(subject, now)
    if status.job and (limit := limits.next_at(subject.spec.limits, status.job, status.phase)):
        delays.append(limit - now + _SHORTEST)
    delays += [moment - now + _SHORTEST for moment in next_moments(subject, status)]
    if status.open_receipt or status.ready.reason is Reason.OUTSIDE_WINDOW:
        delays += _until_open(subject, now)
    if receipt := status.open_receipt:
        delays.append(backoff.next_attempt_at(receipt, subject.honour_within(receipt.verb)) - now)
    return delays


def _until_resumed(subject: Subject, now: datetime) -> list[timedelta]:
    """Return the delay until the suspension ends, as a list of at most one element.

    The delay is needed for final jobs too, because the end of a suspension changes their statuses.
    """
    until = subject.suspension.until if subject.suspension else None
    return [max(until - now, _SHORTEST)] if until is not None and until > now else []


def _until_open(subject: Subject, now: datetime) -> list[timedelta]:
    """Return the delay until the change windows open, as a list of at most one element."""
    opening = None if is_open(subject.windows, now) else next_opening(subject.windows, now)
    return [] if opening is None else [opening - now]


def _same_again(lasted: timedelta, first: timedelta, most: timedelta) -> timedelta:
    return min(max(lasted, first), most)
