"""Statuses that were lost since the last pass: deleted, unreadable, or edited by hand.

Rules: what they told of the last hour is lost with them, so where that happened in number no first attempt is let
through until the hour is over, they are back as they were, or a person approves it. A few are an accident. What could
not be read for a moment is not lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.remembered_attempts import WINDOW
from reconciler.model.job import EMBEDDED
from reconciler.model.journal import KnownStatuses, Lost
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus


def mark_of(status: JobStatus) -> str:
    """Return what a status is known by: when it last said something new, and when something was asked for."""
    moments = (status.ready.last_transition_time, *(each.requested_at for each in status.receipts))
    return f"{zlib.crc32('|'.join(each.isoformat() for each in moments).encode()):08x}"


def marks_of(statuses: Iterable[JobStatus]) -> dict[str, str]:
    """Return the marks of statuses by their names; make-believe jobs loosen nothing when they are lost."""
    return {
        each.name: mark_of(each)
        for each in statuses
        if each.job is not None and each.job.account.partition(" ")[0] != EMBEDDED
    }


def lost_since(
    known: KnownStatuses, marks: Mapping[str, str], unread: Collection[str], now: datetime
) -> dict[str, Lost]:
    """Return what is lost by now, of what the last pass left.

    Args:
        known: what the last pass left.
        marks: of the statuses that stand now.
        unread: the names of those that could not be read this time.
        now: the moment.
    """
    still = {
        name: each for name, each in known.lost.items() if abs(now - each.at) < WINDOW and marks.get(name) != each.mark
    }
    fresh = {
        name: Lost(now, mark)
        for name, mark in known.marks.items()
        if name not in marks and name not in unread and name not in still
    }
    return still | fresh


def doubt_of(lost: Mapping[str, Lost], known: KnownStatuses, brakes: ChangeLimits) -> str | None:
    """Return why the last hour cannot be counted, if too many statuses are lost for an accident."""
    total = len(known.marks.keys() | lost.keys())
    if judge("statuses", tuple(lost), 0, total, brakes) is None:
        return None
    until = max(each.at for each in lost.values()) + WINDOW
    return (
        f"{len(lost)} of {total} statuses were deleted or spoilt since they were written; put them back, wait "
        f"until {render_instant(until)}, or run once with --allow-cancels or --allow-cancel"
    )
