"""What must be remembered of first attempts though the spec or the job that they were for is another one by now.

Rules: one that nobody approved counts against the brakes for an hour; one that used up a commit's approval is known
for as long as that could approve it again; an operator's approval is used once, in his own run, and leaves nothing.
What counts no longer is dropped together with some news, for bytes do not move by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from reconciler.model.action import APPROVED_FOR, is_by_commit
from reconciler.model.status import JobStatus, Receipt, RememberedAttempt

WINDOW = timedelta(hours=1)
"""How long a first attempt counts."""


def attempts(status: JobStatus) -> tuple[RememberedAttempt, ...]:
    """Return every first attempt that a status tells of."""
    return (*status.spent, *spent_by(status, status.receipts))


def spent_by(status: JobStatus, receipts: Iterable[Receipt]) -> tuple[RememberedAttempt, ...]:
    """Return what is to be remembered of receipts of a status, if they go."""
    account = status.job.account if status.job else ""
    return tuple(RememberedAttempt(account, each.requested_at, each.approved_by) for each in receipts)


def remembered(spent: Iterable[RememberedAttempt], now: datetime) -> tuple[RememberedAttempt, ...]:
    """Return what must still be known. What is said to be of the future may be of a clock that is wrong."""
    return tuple(each for each in spent if is_remembered(each.requested_at, each.approved_by, now))


def known_until(spent: Iterable[RememberedAttempt]) -> datetime:
    """Return when the last of these is forgotten."""
    return max(each.requested_at + _span(each.approved_by) for each in spent)


def is_remembered(at: datetime, approved_by: str | None, now: datetime) -> bool:
    """Return whether an attempt must still be known."""
    return abs(now - at) < _span(approved_by)


def _span(approved_by: str | None) -> timedelta:
    if approved_by is None:
        return WINDOW
    return APPROVED_FOR if is_by_commit(approved_by) else timedelta(0)
