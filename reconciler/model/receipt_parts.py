"""What receipts say about their first attempts, and about the cost of the jobs that they cancelled."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.money import Amount
from reconciler.model.status import JobStatus, Receipt, RememberedAttempt, Verb


def spent_by(status: JobStatus, receipts: Iterable[Receipt]) -> tuple[RememberedAttempt, ...]:
    """Return the first attempts that these receipts of a status record."""
    account = status.job.account if status.job else ""
    return tuple(_first_attempt(each, account) for each in receipts)


def _first_attempt(receipt: Receipt, account: str) -> RememberedAttempt:
    verb = None if receipt.verb is Verb.CANCEL else receipt.verb
    return RememberedAttempt(account, receipt.requested_at, receipt.approved_by, verb, receipt.sunk_cost)


def cancel_amounts(receipt: Receipt) -> tuple[Amount | None, Amount | None]:
    """Return what the job had cost and what was not spent, of a cancel that took effect. An unknown amount is None."""
    found = (receipt.sunk_cost, receipt.not_spent) if receipt.has_cancelled else (None, None)
    costs = (each.cost if each is not None else None for each in found)
    spent, saved = (cost if isinstance(cost, Amount) else None for cost in costs)
    return spent, saved
