"""Find statuses that were lost since the last pass, because they were deleted, damaged or edited by hand.

Theory: statuses record the attempts that the guard counts. If statuses are lost, the guard may miss attempts of the
last hour. A few lost statuses are treated as an accident. If many were lost within an hour, no first attempt is allowed
until an hour has passed, the statuses are restored, or a person approves the changes.

Rule: a status file that could not be read in this pass, or that was moved to the archive, is not lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from reconciler.core.each_once import EachOnce
from reconciler.core.guard import ChangeLimits, judge
from reconciler.core.remembered_attempts import WINDOW, attempts, remembered
from reconciler.model.account_line import EMBEDDED
from reconciler.model.journal import KnownStatuses, LostStatus
from reconciler.model.spec import render_instant
from reconciler.model.status import JobStatus

MARKS_CACHED = 4096
"""The maximum number of marks in the cache. Many statuses change in the same second, and have the same mark."""


def mark_of(status: JobStatus) -> str:
    """Return the mark of a status: a checksum of the times of its last transition and its requests."""
    return _checksum((status.ready.last_transition_time, *(each.requested_at for each in status.receipts)))


def _counted_mark(status: JobStatus) -> tuple[str, str] | None:
    """Return the name and the mark of a status, or None for a status that `marks_of` leaves out."""
    is_counted = status.job is not None and status.job.account.partition(" ")[0] != EMBEDDED
    return (status.name, mark_of(status)) if is_counted else None


@lru_cache(MARKS_CACHED)
def _checksum(moments: tuple[datetime, ...]) -> str:
    return f"{zlib.crc32('|'.join(each.isoformat() for each in moments).encode()):08x}"


def marks_of(statuses: Iterable[JobStatus]) -> dict[str, str]:
    """Return the marks of statuses by name.

    Statuses without a job are left out, and so are those of the embedded sandbox, which needs no protection.
    """
    return dict(filter(None, map(_counted_mark, statuses)))


class Marks:
    """The result of `marks_of`, computed again only for statuses that have been replaced."""

    def __init__(self) -> None:
        self._each = EachOnce(_counted_mark)

    def of(self, statuses: Sequence[JobStatus]) -> dict[str, str]:
        """Return the marks of statuses, as `marks_of` does."""
        return dict(filter(None, self._each.of(statuses)))


def lost_since(
    known: KnownStatuses, marks: Mapping[str, str], unread: Collection[str], now: datetime
) -> dict[str, LostStatus]:
    """Return the statuses that were lost within the last hour and have not been restored, by name.

    Args:
        known: the statuses as the last pass recorded them.
        marks: the marks of the statuses on disk.
        unread: the names of statuses that could not be read in this pass.
        now: the current time.
    """
    still = {
        name: each for name, each in known.lost.items() if abs(now - each.at) < WINDOW and marks.get(name) != each.mark
    }
    fresh = {
        name: LostStatus(now, known.marks[name])
        for name in sorted(known.marks.keys() - marks.keys())
        if name not in unread and name not in still
    }
    return still | fresh


def without_archived(
    lost: Mapping[str, LostStatus], archived: Iterable[JobStatus], now: datetime
) -> dict[str, LostStatus]:
    """Return the lost statuses, without those that were moved to the archive.

    An archived status from which the guard must still count an attempt stays lost. `archived` contains the archived
    statuses with these names.
    """
    moved = {(each.name, mark_of(each)) for each in archived if not remembered(attempts(each), now)}
    return {name: each for name, each in lost.items() if (name, each.mark) not in moved}


def why_uncountable(lost: Mapping[str, LostStatus], known: KnownStatuses, limits: ChangeLimits) -> str | None:
    """Return why the attempts of the last hour cannot be counted, or None if the guard's limits allow this many losses.

    Args:
        lost: the lost statuses, by name.
        known: the statuses as the last pass recorded them.
        limits: the limits on changes, which also limit how many statuses may be lost at once.
    """
    if not lost:
        return None
    total = len(known.marks.keys() | lost.keys())
    if judge("statuses", tuple(lost), 0, total, limits) is None:
        return None
    until = max(each.at for each in lost.values()) + WINDOW
    return (
        f"{len(lost)} of {total} statuses were deleted or damaged since they were written; restore them, wait "
        f"until {render_instant(until)}, or run once with --allow-cancels N or --allow-cancel NAME"
    )
