"""The time and tokens that a job has used, and its expected remaining time, for a person who decides on a cancel."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.model.job import UNFINISHED, JobCounts
from reconciler.model.report import Row
from reconciler.model.status import JobFacts
from reconciler.views.text import NO_VALUE, age, moment, span

RUNNING_SHOWN_MIN = timedelta(minutes=1)
"""The minimum running time that is shown.

If a provider does not report when a job started, the first observation of the running job counts as its start. That
observation may have been made just now.
"""


def usage_text(row: Row, now: datetime) -> str | None:
    """Return `5h since it was created, ...; seen running for 4h48m; 5,120 tokens trained`.

    Parts that are unknown are left out. Return None if all parts are unknown.
    """
    job = row.status.job
    if job is None:
        return None
    created = f"{span(now - job.created_at)} since it was created, {moment(job.created_at)}" if job.created_at else None
    running_for = now - job.started_at if job.started_at and _is_unfinished(row) else timedelta(0)
    running = f"seen running for {span(running_for)}" if running_for >= RUNNING_SHOWN_MIN else None
    tokens = used_tokens(row)
    return "; ".join(filter(None, (created, running, f"{tokens:,} {row.status.kind.used}" if tokens else None))) or None


def time_left_text(row: Row, now: datetime) -> str | None:
    """Return `2d1h if nothing stops it, until 2026-11-29 10:10 UTC (9 % of the way)`.

    Return None if the end is unknown or has passed. The percentage starts at the creation of the job, because not every
    provider reports when a job started.
    """
    end_at, job = expected_end(row), row.status.job
    if end_at is None or end_at <= now:
        return None
    text = f"{span(end_at - now)} if nothing stops it, until {moment(end_at)}"
    created_at = job.created_at if job else None
    if created_at is None or created_at >= now:
        return text
    return f"{text} ({(now - created_at) * 100 // (end_at - created_at)} % of the way)"


def job_age(row: Row, now: datetime) -> str:
    """Return how long ago the provider created the job, or a dash if that is unknown."""
    return age(row.status.job.created_at if row.status.job else None, now)


def time_left(row: Row, now: datetime) -> str:
    """Return how long the job is expected to run from now on, or a dash if that is unknown."""
    at = expected_end(row)
    return NO_VALUE if at is None else span(at - now)


def expected_end(row: Row) -> datetime | None:
    """Return when the provider expects an unfinished job to end.

    Return None if the job has ended, if this pass has not observed it, or if the provider does not report that time.
    """
    at = row.seen.estimated_finish_at if row.seen is not None and _is_unfinished(row) else None
    return at if isinstance(at, datetime) else None


def current_facts(row: Row) -> JobFacts | None:
    """Return the facts of the status, with the counters that this pass observed, or None if there are no facts.

    A status keeps older counters, because a change of counters alone does not cause it to be written.
    """
    facts = row.status.job
    if facts is None or row.seen is None:
        return facts
    observed = {name: getattr(row.seen, name) for name in row.status.kind.counters}
    known: dict[str, Any] = {name: each for name, each in observed.items() if isinstance(each, int | JobCounts)}
    return replace(facts, **known)


def used_tokens(row: Row) -> int | None:
    """Return how many tokens the job has used, or None if that is unknown."""
    facts = current_facts(row)
    return None if facts is None else row.status.kind.count_of(facts)


def done_requests(row: Row) -> str | None:
    """Return a text such as `23 of 100 done` for a batch, or None if that is unknown."""
    facts = current_facts(row)
    return str(facts.counts or "") or None if facts is not None else None


def _is_unfinished(row: Row) -> bool:
    return row.status.phase in UNFINISHED
