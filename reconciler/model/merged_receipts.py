"""The receipts of several records of one job, merged: each receipt once, with the most progress that a record shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconciler.model.status import RECEIPTS_MAX, JobStatus, Receipt, Verb


def progress(status: JobStatus) -> tuple[object, ...]:
    """Return a sort key by which a status whose newest receipt records more progress is the greater."""
    newest = status.receipts[0] if status.receipts else None
    return () if newest is None else (newest.requested_at, *_completeness(newest))


def merged_receipts(*records: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    """Return the receipts of all records, the newest first. Only the newest `RECEIPTS_MAX` are kept."""
    by_request: dict[tuple[datetime, Verb], Receipt] = {}
    for each in (receipt for record in records for receipt in record):
        key = each.requested_at, each.verb
        by_request[key] = _merged(by_request[key], each) if key in by_request else each
    newest_first = sorted(by_request.values(), key=lambda receipt: receipt.requested_at, reverse=True)
    return tuple(newest_first[:RECEIPTS_MAX])


def _completeness(receipt: Receipt) -> tuple[object, ...]:
    """Return a sort key that orders two versions of a receipt by the progress that they record."""
    return receipt.confirmed_at is not None, not receipt.is_open, receipt.accepted_at is not None, receipt.attempts


def _merged(one: Receipt, other: Receipt) -> Receipt:
    accepted = [each.accepted_at for each in (one, other) if each.accepted_at is not None]
    return replace(
        max(one, other, key=_completeness),
        attempts=max(one.attempts, other.attempts),
        last_attempt_at=max(one.last_attempt_at, other.last_attempt_at),
        accepted_at=max(accepted, default=None),
        refusals=max(one.refusals, other.refusals),
        sunk_cost=one.sunk_cost or other.sunk_cost,
    )
