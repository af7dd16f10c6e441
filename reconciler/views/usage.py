"""What a job has taken so far, in time and tokens, and what it would still take: for whoever is about to stop it."""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.job import UNFINISHED
from reconciler.model.report import Row
from reconciler.views.text import NOTHING, age, moment, span

WORTH_TELLING = timedelta(minutes=1)
"""Where a provider does not tell when a job began to run, our first sight of it counts, which may be now."""


def spent(row: Row, now: datetime) -> str | None:
    """Return `5h since it was created; running for 4h48m; 5,120 tokens trained`, as far as it is known."""
    job = row.status.job
    if job is None:
        return None
    created = f"{span(now - job.created_at)} since it was created, {moment(job.created_at)}" if job.created_at else None
    seen_for = now - job.started_at if job.started_at and _is_unfinished(row) else timedelta(0)
    running = f"seen running for {span(seen_for)}" if seen_for >= WORTH_TELLING else None
    count = tokens(row)
    return "; ".join(filter(None, (created, running, f"{count:,} tokens trained" if count else None))) or None


def left(row: Row, now: datetime) -> str | None:
    """Return `2d1h if nothing stops it, until 2026-11-29 10:10 UTC (9 % of the way)`, where that is known.

    The way begins when it was created: when it began to run, not every provider tells.
    """
    finish_at, job = finishes(row), row.status.job
    if finish_at is None or finish_at <= now:
        return None
    told = f"{span(finish_at - now)} if nothing stops it, until {moment(finish_at)}"
    begun_at = job.created_at if job else None
    if begun_at is None or begun_at >= now:
        return told
    return f"{told} ({(now - begun_at) * 100 // (finish_at - begun_at)} % of the way)"


def age_of(row: Row, now: datetime) -> str:
    """Return how long ago the provider created the job, or a dash."""
    return age(row.status.job.created_at if row.status.job else None, now)


def left_of(row: Row, now: datetime) -> str:
    """Return how long the job would still take, or a dash."""
    at = finishes(row)
    return NOTHING if at is None else span(at - now)


def finishes(row: Row) -> datetime | None:
    """Return when the provider expects an unfinished job to end, by the look of this very pass."""
    at = row.seen.estimated_finish_at if row.seen is not None and _is_unfinished(row) else None
    return at if isinstance(at, datetime) else None


def tokens(row: Row) -> int | None:
    """Return how much a job has used up, by this pass's look or the last status."""
    kind = row.status.kind
    seen = None if row.seen is None else kind.count_of(row.seen)
    return seen if seen is not None or row.status.job is None else kind.count_of(row.status.job)


def _is_unfinished(row: Row) -> bool:
    return row.status.phase in UNFINISHED
