"""First attempts that a status remembers after their receipts were dropped.

A receipt is dropped if its spec names another job, or if newer receipts push it out. The guard must still count it.

Rules: an attempt that was not approved counts against the limits for an hour. One that used a commit's approval is
remembered for as long as that commit can approve. One that an operator approved needs no memory, because the approval
is valid in one run only. An attempt that no longer counts is dropped with the next change of its status, because the
passing of time alone changes no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.model.action import APPROVED_FOR, is_by_commit
from reconciler.model.status import JobStatus, Receipt, RememberedAttempt

WINDOW = timedelta(hours=1)
"""How long a first attempt counts."""


def attempts(status: JobStatus) -> tuple[RememberedAttempt, ...]:
    """Return every first attempt that a status records."""
    return (*status.spent, *spent_by(status, status.receipts))


def spent_by(status: JobStatus, receipts: Iterable[Receipt]) -> tuple[RememberedAttempt, ...]:
    """Return the attempts to remember of receipts that are dropped from a status."""
    account = status.job.account if status.job else ""
    return tuple(RememberedAttempt(account, each.requested_at, each.approved_by) for each in receipts)


def remembered(spent: Iterable[RememberedAttempt], now: datetime) -> tuple[RememberedAttempt, ...]:
    """Return the attempts that must still be remembered."""
    return tuple(each for each in spent if is_remembered(each.requested_at, each.approved_by, now))


def known_until(spent: Iterable[RememberedAttempt]) -> datetime:
    """Return when the last of these attempts is forgotten."""
    return max(each.requested_at + _span(each.approved_by) for each in spent)


def is_remembered(at: datetime, approved_by: str | None, now: datetime) -> bool:
    """Whether an attempt must still be remembered. One from the near future counts, because clocks may disagree."""
    return abs(now - at) < _span(approved_by)


def _span(approved_by: str | None) -> timedelta:
    if approved_by is None:
        return WINDOW
    return APPROVED_FOR if is_by_commit(approved_by) else timedelta(0)
