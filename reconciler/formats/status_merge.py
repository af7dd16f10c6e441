"""Three-way merge of one status, for two runs that published at the same time.

Rules:

- The receipts of both versions are kept; only if there are more than a status may have, the oldest are dropped. If both
  versions contain a receipt, the version of it that records more progress is kept.
- Everything else is taken from the version with the newer receipt, or from the published version if neither receipt is
  newer. The next observation corrects what is outdated.
- If the versions are about different jobs, the published version is kept, and our new receipts are added to it as
  attempts that the guard counts.
- A published status from a later version of reconcile is kept unchanged.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, parse_status
from reconciler.formats.status_writer import render_status
from reconciler.model.receipt_parts import spent_by
from reconciler.model.status import RECEIPTS_MAX, JobStatus, Receipt, RememberedAttempt, Verb


def merge_statuses(before: bytes | None, ours: bytes, theirs: bytes | None) -> bytes | None:
    """Return the bytes of the merged status file. None means that the file is not published.

    Args:
        before: the version from which both others were derived, or None if the file did not exist.
        ours: the version of this run.
        theirs: the published version, which other runs may have changed, or None if there is none.
    """
    try:
        published = _parsed(theirs)
    except StatusTooNewError:  # a later version of reconcile wrote it, so it is never overwritten
        return theirs
    mine, known = _read(ours), _read(before)
    if mine is None or mine.receipts == (known.receipts if known else ()):
        return theirs
    if published is None:
        return ours
    if _identity(published) != _identity(mine):
        # A receipt for another job does not belong in this status, but the guard must still count its attempt.
        attempts = _new_attempts(mine, known)
        return render_status(replace(published, spent=(*published.spent, *attempts))).encode() if attempts else theirs
    further = max(published, mine, key=_progress)
    receipts = _merged_receipts(published.receipts, mine.receipts)
    return theirs if receipts == published.receipts else render_status(replace(further, receipts=receipts)).encode()


def _new_attempts(mine: JobStatus, known: JobStatus | None) -> tuple[RememberedAttempt, ...]:
    """Return an attempt for each receipt in `mine` that is not in the common ancestor."""
    before = {(each.requested_at, each.verb) for each in known.receipts} if known else set()
    return spent_by(mine, (each for each in mine.receipts if (each.requested_at, each.verb) not in before))


def _identity(status: JobStatus) -> tuple[str, str] | None:
    return (status.job.account, status.job.id) if status.job else None


def _read(data: bytes | None) -> JobStatus | None:
    """Return the status, or None if this version cannot read it."""
    with suppress(StatusTooNewError):
        return _parsed(data)
    return None


def _parsed(data: bytes | None) -> JobStatus | None:
    """Return the status, or None if it cannot be read. Raises `StatusTooNewError` if a later version wrote it."""
    try:
        return None if data is None else parse_status(data.decode())
    except (StatusUnreadableError, UnicodeDecodeError):
        return None


def _progress(status: JobStatus) -> tuple[object, ...]:
    newest = status.receipts[0] if status.receipts else None
    return () if newest is None else (newest.requested_at, *_completeness(newest))


def _completeness(receipt: Receipt) -> tuple[object, ...]:
    """Return a sort key that orders two versions of a receipt by the progress that they record."""
    return receipt.confirmed_at is not None, not receipt.is_open, receipt.accepted_at is not None, receipt.attempts


def _merged_receipts(theirs: tuple[Receipt, ...], ours: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    by_request: dict[tuple[datetime, Verb], Receipt] = {}
    for each in (*theirs, *ours):
        key = each.requested_at, each.verb
        by_request[key] = _merged_receipt(by_request[key], each) if key in by_request else each
    newest_first = sorted(by_request.values(), key=lambda receipt: receipt.requested_at, reverse=True)
    return tuple(newest_first[:RECEIPTS_MAX])


def _merged_receipt(one: Receipt, other: Receipt) -> Receipt:
    accepted = [each.accepted_at for each in (one, other) if each.accepted_at is not None]
    return replace(
        max(one, other, key=_completeness),
        attempts=max(one.attempts, other.attempts),
        last_attempt_at=max(one.last_attempt_at, other.last_attempt_at),
        accepted_at=max(accepted, default=None),
        refusals=max(one.refusals, other.refusals),
        sunk_cost=one.sunk_cost or other.sunk_cost,
    )
