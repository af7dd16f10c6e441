"""When a job is over a limit of its spec.

A limit cancels, so it believes little: only the provider's clock counts, and only while it agrees with ours; a
missing, zero or future time reaches no limit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.model.job import Phase
from reconciler.model.spec import Limits, render_duration, render_instant
from reconciler.model.status import JobFacts

_WAITING = frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.CANCELLING})
"""Where a job may be that never started; the last one, so that our own cancel does not make the limit forgotten."""


def is_believable(as_of: datetime | None, now: datetime) -> bool:
    """Whether the provider told its time, and ours agrees with it."""
    return as_of is not None and abs(now - as_of) <= SKEW_MAX


def reached(
    limits: Limits | None,
    facts: JobFacts,
    phase: Phase,
    as_of: datetime | None,
    now: datetime,
    *,
    may_have_started: bool = False,
) -> str | None:
    """Return the limit that an unfinished job is over, as `maxAge 24h`, or None.

    Args:
        limits: what the spec sets.
        facts: what is known of the job.
        phase: an unfinished phase.
        as_of: the provider's clock at the look; None where it gave none, and then no limit is reached.
        now: our clock.
        may_have_started: whether it may have run without that being among the facts.
    """
    if limits is None or as_of is None or not is_believable(as_of, now):
        return None
    if limits.not_after is not None and as_of > limits.not_after:
        return f"notAfter {render_instant(limits.not_after)}"
    if limits.max_age is not None and _is_older(facts.created_at, limits.max_age, as_of):
        return f"maxAge {render_duration(limits.max_age)}"
    has_waited = phase in _WAITING and facts.started_at is None and not may_have_started
    if limits.max_queued is not None and has_waited and _is_older(facts.created_at, limits.max_queued, as_of):
        return f"maxQueued {render_duration(limits.max_queued)}"
    return None


def was_over_at_end(limits: Limits | None, facts: JobFacts) -> bool:
    """Whether a job that ended as cancelled was over a limit then, by the provider's own times."""
    if limits is None or facts.finished_at is None:
        return False
    end = facts.finished_at
    return (
        (limits.not_after is not None and end > limits.not_after)
        or (limits.max_age is not None and _is_older(facts.created_at, limits.max_age, end))
        or (
            limits.max_queued is not None
            and facts.started_at is None
            and _is_older(facts.created_at, limits.max_queued, end)
        )
    )


def next_at(limits: Limits | None, facts: JobFacts, phase: Phase) -> datetime | None:
    """Return the next moment at which a limit may be reached, to look again then."""
    if limits is None:
        return None
    moments = [limits.not_after]
    if facts.created_at is not None:
        moments.append(_plus(facts.created_at, limits.max_age))
        if phase in _WAITING and facts.started_at is None:
            moments.append(_plus(facts.created_at, limits.max_queued))
    return min((moment for moment in moments if moment is not None), default=None)


def _is_older(created_at: datetime | None, span: timedelta, at: datetime) -> bool:
    return created_at is not None and created_at.timestamp() > 0 and created_at <= at and at - created_at > span


def _plus(moment: datetime, span: timedelta | None) -> datetime | None:
    try:
        return None if span is None else moment + span
    except OverflowError:
        return None
