"""When a job is over a limit of its spec.

Theory: an exceeded limit cancels a job, so a limit needs more certainty than a report. Only the provider's clock
counts, and only while it agrees with ours. A missing, zero or future time exceeds no limit. A limit that cannot be
judged because of such a time is reported, so that it does not look satisfied.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.model.job import Phase
from reconciler.model.spec import Limits, render_duration, render_instant
from reconciler.model.status import NOT_JUDGED, JobFacts

_WAITING = frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.CANCELLING})
"""The phases of a job that may never have started. `cancelling` is one, so that our own cancel for `maxQueued` does not
withdraw the reason for it."""


def is_believable(as_of: datetime | None, now: datetime) -> bool:
    """Whether the provider's clock is known and agrees with ours."""
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
    """Return the limit that an unfinished job is over, such as `maxAge 24h`, or None.

    Args:
        limits: the limits of the spec.
        facts: the facts of the job.
        phase: an unfinished phase.
        as_of: the provider's clock at the observation. If it is None, no limit is exceeded.
        now: our clock.
        may_have_started: whether the job may have run although the facts have no start.
    """
    if limits is None or as_of is None or not is_believable(as_of, now):
        return None
    has_waited = phase in _WAITING and facts.started_at is None and not may_have_started
    return next(_over(limits, facts, as_of, has_waited=has_waited), None)


def _over(limits: Limits, facts: JobFacts, at: datetime, *, has_waited: bool) -> Iterator[str]:
    """Yield each limit that a job is over at a moment, with its value."""
    if limits.not_after is not None and at > limits.not_after:
        yield f"notAfter {render_instant(limits.not_after)}"
    if limits.max_age is not None and _is_older(facts.created_at, limits.max_age, at):
        yield f"maxAge {render_duration(limits.max_age)}"
    if has_waited and limits.max_queued is not None and _is_older(facts.created_at, limits.max_queued, at):
        yield f"maxQueued {render_duration(limits.max_queued)}"


def unjudged(
    limits: Limits | None,
    facts: JobFacts,
    phase: Phase,
    as_of: datetime | None,
    now: datetime,
    *,
    may_have_started: bool = False,
) -> str | None:
    """Return which limits of an unfinished job cannot be judged and why, or None if all can be.

    The arguments are those of `reached`. The text stays the same while the facts do, so that it causes no writes.
    """
    if limits is None:
        return None
    by_why: dict[str, list[str]] = {}
    for name in _in_force(limits, facts, phase):
        if (why := _why_unjudged(name, facts, as_of, now, may_have_started=may_have_started)) is not None:
            by_why.setdefault(why, []).append(name)
    clauses = [
        f"its limit{'s' if names[1:] else ''} {' and '.join(names)} {NOT_JUDGED}: {why}"
        for why, names in by_why.items()
    ]
    return "; ".join(clauses) or None


def _in_force(limits: Limits, facts: JobFacts, phase: Phase) -> Iterator[str]:
    """Yield the names of the limits that an unfinished job may still reach."""
    if limits.not_after is not None:
        yield "notAfter"
    if limits.max_age is not None:
        yield "maxAge"
    if limits.max_queued is not None and phase in _WAITING and facts.started_at is None:
        yield "maxQueued"


def _why_unjudged(
    name: str, facts: JobFacts, as_of: datetime | None, now: datetime, *, may_have_started: bool
) -> str | None:
    if as_of is None:
        return "the provider gives no time"
    if not is_believable(as_of, now):
        return "the provider's clock and ours are more than 5 minutes apart"
    if name == "notAfter":
        return None
    created_at = facts.created_at
    if created_at is None or created_at.timestamp() <= 0:
        return "the provider gives no creation time that can be read"
    if created_at > as_of:
        return "the provider gives a creation time in the future"
    if name == "maxQueued" and may_have_started:
        return "its status was lost, so it may have started before"
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
    """Return the next time at which a limit may be exceeded, for the next poll."""
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
        # A duration of up to 100 years can exceed the largest date.
        return None if span is None else moment + span
    except OverflowError:
        return None
