"""What a receipt says about its first attempt, and about the cost of the job that it cancelled."""

from __future__ import annotations

from reconciler.model.money import Amount
from reconciler.model.status import Receipt, RememberedAttempt, Verb


def first_attempt(receipt: Receipt, account: str) -> RememberedAttempt:
    """Return the first attempt that a receipt records. `account` is the account line of its job."""
    verb = None if receipt.verb is Verb.CANCEL else receipt.verb
    return RememberedAttempt(account, receipt.requested_at, receipt.approved_by, verb, receipt.sunk_cost)


def cancel_amounts(receipt: Receipt) -> tuple[Amount | None, Amount | None]:
    """Return what the job had cost and what was not spent, of a cancel that took effect. An unknown amount is None."""
    found = (receipt.sunk_cost, receipt.not_spent) if receipt.has_cancelled else (None, None)
    costs = (each.cost if each is not None else None for each in found)
    spent, saved = (cost if isinstance(cost, Amount) else None for cost in costs)
    return spent, saved
