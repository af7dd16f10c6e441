"""How much of the limit on changes an account has used."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.sunk_cost import NO_COST, SunkCost, SunkCostLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardUse:
    """The changes of the last hour, and the limits per hour that apply to one account."""

    account: int
    """The number of unapproved first attempts of the last hour in the account."""
    overall: int | None
    """The number of unapproved first attempts of the last hour in all accounts. None for an embedded account, whose
    attempts do not count there.
    """
    max_cancels: int
    max_cancel_percent: int
    max_cancels_absolute: int
    doubt: str | None = None
    """Why the attempts of the last hour cannot be counted, or None. If there is a reason, no change is allowed."""
    sunk_cost: SunkCost = NO_COST
    """The sunk cost of the cancels among the attempts in the account."""
    overall_sunk_cost: SunkCost | None = NO_COST
    """The sunk cost of the cancels among the attempts in all accounts. None for an embedded account."""
    max_sunk_cost: SunkCostLimit | None = None
    """The limit on the sunk cost of the account, or None if the operator states none."""
