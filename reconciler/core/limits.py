"""Decide whether a job exceeds a limit of its spec.

Theory: a job that exceeds a limit is cancelled, so a wrong time must not make a limit appear exceeded. Limits are
compared with the provider's clock, and only while it agrees with the local clock. If a creation time is missing, zero
or in the future, no limit that depends on it counts as exceeded. The limit is reported as a limit that cannot be
judged, so that it does not appear to be satisfied.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.model.job import Phase
from reconciler.model.spec import Limits, render_duration, render_instant
from reconciler.model.status import NOT_JUDGED, JobFacts

_WAITING = frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.CANCELLING})
"""The phases of a job that may never have started.

They include `cancelling`, so that a job still exceeds `maxQueued` while it is being cancelled for that limit.
"""


def is_believable(as_of: datetime | None, now: datetime) -> bool:
    """Return whether the provider's clock is known and agrees with the local clock."""
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
    """Return the first limit that an unfinished job exceeds, such as `maxAge 24h`, or None.

    The result is also None if the provider's clock does not agree with the local clock.

    Args:
        limits: the limits of the spec, or None if it has none.
        facts: the facts about the job.
        phase: an unfinished phase.
        as_of: the provider's clock at the observation. If it is None, no limit is exceeded.
        now: the current time by the local clock.
        may_have_started: whether the job may have started although the facts contain no start time.
    """
    if limits is None or as_of is None or not is_believable(as_of, now):
        return None
    found = moments(limits, facts, phase, as_of, may_have_started=may_have_started)
    return next((limit for limit, moment in found if as_of > moment), None)


def moments(
    limits: Limits | None, facts: JobFacts, phase: Phase, as_of: datetime, *, may_have_started: bool
) -> Iterator[tuple[str, datetime]]:
    """Yield each limit that can be judged, with its value, and the moment after which an unfinished job exceeds it.

    The arguments are those of `reached`. `as_of` must be believable.
    """
    if limits is None:
        return
    if limits.not_after is not None:
        yield f"notAfter {render_instant(limits.not_after)}", limits.not_after
    created_at = facts.created_at
    if created_at is None or created_at.timestamp() <= 0 or created_at > as_of:
        return
    yield from _since(created_at, "maxAge", limits.max_age)
    if phase in _WAITING and facts.started_at is None and not may_have_started:
        yield from _since(created_at, "maxQueued", limits.max_queued)


def _since(created_at: datetime, name: str, span: timedelta | None) -> Iterator[tuple[str, datetime]]:
    """Yield a limit that is counted from the creation of a job, or nothing if it is not set or never exceeded."""
    moment = _plus(created_at, span)
    if span is not None and moment is not None:
        yield f"{name} {render_duration(span)}", moment


def unjudged(
    limits: Limits | None,
    facts: JobFacts,
    phase: Phase,
    as_of: datetime | None,
    now: datetime,
    *,
    may_have_started: bool = False,
    why_not_cost: str | None = None,
) -> str | None:
    """Return which limits cannot be judged for an unfinished job and why, as text, or None if there are none.

    The arguments are those of `reached`, and why the cost cannot be judged. The text contains no age, so that the
    passing of time causes no writes.
    """
    if limits is None:
        return None
    by_why: dict[str, list[str]] = {}
    for name in _in_force(limits, facts, phase):
        why = _why_unjudged(name, facts, as_of, now, may_have_started=may_have_started, why_not_cost=why_not_cost)
        if why is not None:
            by_why.setdefault(why, []).append(name)
    clauses = [
        f"its limit{'s' if names[1:] else ''} {' and '.join(names)} {NOT_JUDGED}: {why}"
        for why, names in by_why.items()
    ]
    return "; ".join(clauses) or None


def _in_force(limits: Limits, facts: JobFacts, phase: Phase) -> Iterator[str]:
    """Yield the names of the limits that an unfinished job may still exceed."""
    if limits.not_after is not None:
        yield "notAfter"
    if limits.max_age is not None:
        yield "maxAge"
    if limits.max_queued is not None and phase in _WAITING and facts.started_at is None:
        yield "maxQueued"
    if limits.max_cost is not None:
        yield "maxCost"


def _why_unjudged(
    name: str,
    facts: JobFacts,
    as_of: datetime | None,
    now: datetime,
    *,
    may_have_started: bool,
    why_not_cost: str | None,
) -> str | None:
    if as_of is None:
        return "the response of the provider contains no time"
    if not is_believable(as_of, now):
        return "the provider's clock and the local clock differ by more than 5 minutes"
    if name == "notAfter":
        return None
    if name == "maxCost":
        return why_not_cost
    created_at = facts.created_at
    if created_at is None or created_at.timestamp() <= 0:
        return "the provider gives no creation time that can be read"
    if created_at > as_of:
        return "the provider gives a creation time in the future"
    if name == "maxQueued" and may_have_started:
        return (
            "the job's earlier status file was discarded, so reconcile cannot tell whether the job has started; "
            "set maxAge or notAfter instead"
        )
    return None


def was_over_at_end(limits: Limits | None, facts: JobFacts) -> bool:
    """Return whether a cancelled job exceeded a limit when it ended, by the times in its facts.

    A limit does not count as exceeded if a time that it needs is unknown. Without limits, the result is False.
    """
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
    """Return the earliest time after which a limit is exceeded, which may be in the past.

    Return None if there is no limit, or if the times from which the limits are counted are unknown.
    """
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
        # The provider may report any creation time, so the sum can exceed the largest date.
        return None if span is None else moment + span
    except OverflowError:
        return None
