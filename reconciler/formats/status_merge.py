"""Two statuses of one job, of two runs that published at once: the one that is published in the end.

Rules: what was asked of a provider is never forgotten: each receipt of either stays, as far as the run that knows more
of it has it. Of all else theirs stays, for the next look sees it again, unless ours is further.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.status import RECEIPTS_MAX, JobStatus, Receipt, RememberedAttempt, Verb


def merge(before: bytes | None, ours: bytes, theirs: bytes | None) -> bytes | None:
    """Return what to publish of a status that was changed on both sides, or None where there is nothing to.

    Args:
        before: what both began with.
        ours: what we made of it.
        theirs: what others have published meanwhile.
    """
    mine, published, known = _read(ours), _read(theirs), _read(before)
    if mine is None or mine.receipts == (known.receipts if known else ()):
        return theirs
    if published is None:
        return ours
    if _identity(published) != _identity(mine):
        # What was asked for another job is no receipt of this one, and the guard counts it all the same.
        spent = _spent(mine, known)
        return render_status(replace(published, spent=(*published.spent, *spent))).encode() if spent else theirs
    further = max(published, mine, key=_progress)
    receipts = _united(published.receipts, mine.receipts)
    return theirs if receipts == published.receipts else render_status(replace(further, receipts=receipts)).encode()


def _spent(mine: JobStatus, known: JobStatus | None) -> tuple[RememberedAttempt, ...]:
    """Return what we asked for since both began."""
    before = {(each.requested_at, each.verb) for each in known.receipts} if known else set()
    account = mine.job.account if mine.job else ""
    new = [each for each in mine.receipts if (each.requested_at, each.verb) not in before]
    return tuple(RememberedAttempt(account, each.requested_at, each.approved_by) for each in new)


def _identity(status: JobStatus) -> tuple[str, str] | None:
    return (status.job.account, status.job.id) if status.job else None


def _read(data: bytes | None) -> JobStatus | None:
    try:
        return None if data is None else parse_status(data.decode())
    except (StatusUnreadableError, StatusTooNewError, UnicodeDecodeError):
        return None


def _progress(status: JobStatus) -> tuple[object, ...]:
    newest = status.receipts[0] if status.receipts else None
    return () if newest is None else (newest.requested_at, *_knowledge(newest))


def _knowledge(receipt: Receipt) -> tuple[object, ...]:
    """Order two versions of a receipt by how much they tell."""
    return receipt.confirmed_at is not None, not receipt.is_open, receipt.accepted_at is not None, receipt.attempts


def _united(theirs: tuple[Receipt, ...], ours: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    by_request: dict[tuple[datetime, Verb], Receipt] = {}
    for each in (*theirs, *ours):
        key = each.requested_at, each.verb
        by_request[key] = _joined(by_request[key], each) if key in by_request else each
    newest_first = sorted(by_request.values(), key=lambda receipt: receipt.requested_at, reverse=True)
    return tuple(newest_first[:RECEIPTS_MAX])


def _joined(one: Receipt, other: Receipt) -> Receipt:
    accepted = [each.accepted_at for each in (one, other) if each.accepted_at is not None]
    return replace(
        max(one, other, key=_knowledge),
        attempts=max(one.attempts, other.attempts),
        last_attempt_at=max(one.last_attempt_at, other.last_attempt_at),
        accepted_at=max(accepted, default=None),
        refusals=max(one.refusals, other.refusals),
    )
