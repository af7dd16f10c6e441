"""The first attempts that a status remembers after their receipts were dropped.

A receipt is dropped if the spec names another job, or if there are too many newer receipts. The guard must still count
its first attempt.

Rules: an unapproved attempt is remembered for an hour, because it is counted for an hour. An attempt that a commit
approved is remembered for as long as the approval of that commit is valid. An attempt that an operator approved is not
remembered, because the approval is valid in one run only. An attempt that is no longer counted is removed with the next
transition of the status, so that its expiry alone does not change the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.model.action import APPROVED_FOR, is_by_commit
from reconciler.model.receipt_parts import spent_by
from reconciler.model.status import JobStatus, RememberedAttempt

WINDOW = timedelta(hours=1)
"""How long an unapproved first attempt is counted."""


def attempts(status: JobStatus) -> tuple[RememberedAttempt, ...]:
    """Return every first attempt that a status records."""
    return (*status.spent, *spent_by(status, status.receipts))


def remembered(spent: Iterable[RememberedAttempt], now: datetime) -> tuple[RememberedAttempt, ...]:
    """Return the attempts that must still be remembered."""
    return tuple(each for each in spent if is_remembered(each.requested_at, each.approved_by, now))


def known_until(spent: Iterable[RememberedAttempt]) -> datetime:
    """Return when the last of these attempts no longer needs to be remembered. Raises `ValueError` without attempts."""
    return max(each.requested_at + _span(each.approved_by) for each in spent)


def is_remembered(at: datetime, approved_by: str | None, now: datetime) -> bool:
    """Return whether an attempt must still be remembered.

    `approved_by` is the label of its approval, or None if it was not approved. An attempt whose recorded time is in the
    near future is remembered too, because clocks may differ.
    """
    return abs(now - at) < _span(approved_by)


def _span(approved_by: str | None) -> timedelta:
    if approved_by is None:
        return WINDOW
    return APPROVED_FOR if is_by_commit(approved_by) else timedelta(0)
