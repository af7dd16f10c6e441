"""Statuses that were lost since the last pass: deleted, unreadable, or edited by hand.

Theory: statuses record the attempts that the guard counts. If they are lost, the guard forgets the last hour. A few
lost statuses are an accident. If many are lost at once, no first attempt is allowed until an hour has passed, the
statuses are back as they were, or a person approves.

Rule: a status that could not be read this time is not lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.remembered_attempts import WINDOW
from reconciler.model.job import EMBEDDED
from reconciler.model.journal import KnownStatuses, LostStatus
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus


def mark_of(status: JobStatus) -> str:
    """Return the mark of a status, which identifies its version: a checksum of its last transition and its requests."""
    moments = (status.ready.last_transition_time, *(each.requested_at for each in status.receipts))
    return f"{zlib.crc32('|'.join(each.isoformat() for each in moments).encode()):08x}"


def marks_of(statuses: Iterable[JobStatus]) -> dict[str, str]:
    """Return the marks of statuses by name. Jobs of the embedded sandbox are left out: they need no protection."""
    return {
        each.name: mark_of(each)
        for each in statuses
        if each.job is not None and each.job.account.partition(" ")[0] != EMBEDDED
    }


def lost_since(
    known: KnownStatuses, marks: Mapping[str, str], unread: Collection[str], now: datetime
) -> dict[str, LostStatus]:
    """Return the statuses that are lost now, of those that the last pass left.

    Args:
        known: the statuses as the last pass left them.
        marks: the marks of the statuses on disk.
        unread: the names of statuses that could not be read this time.
        now: our clock.
    """
    still = {
        name: each for name, each in known.lost.items() if abs(now - each.at) < WINDOW and marks.get(name) != each.mark
    }
    fresh = {
        name: LostStatus(now, mark)
        for name, mark in known.marks.items()
        if name not in marks and name not in unread and name not in still
    }
    return still | fresh


def why_uncountable(lost: Mapping[str, LostStatus], known: KnownStatuses, limits: ChangeLimits) -> str | None:
    """Return why the last hour cannot be counted, or None if the lost statuses are few enough for an accident."""
    total = len(known.marks.keys() | lost.keys())
    # The limits on changes also say how many lost statuses are too many.
    if judge("statuses", tuple(lost), 0, total, limits) is None:
        return None
    until = max(each.at for each in lost.values()) + WINDOW
    return (
        f"{len(lost)} of {total} statuses were deleted or damaged since they were written; put them back, wait "
        f"until {render_instant(until)}, or run once with --allow-cancels or --allow-cancel"
    )
