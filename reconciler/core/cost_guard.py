"""The guard's limit on the sunk cost of cancels (`maxCancelsCost`).

Theory: a cancel throws away what its job has cost. The limits on numbers do not see that one job may have cost as much
as a hundred others. Therefore the operator may also limit how much money the cancels of an hour throw away.

Rules: the upper bound of a cost counts. A cancel that the limit can never allow is refused by itself, so that it does
not hold up other changes: its cost is unknown, or alone exceeds the limit. The other cancels of a batch are refused as
a whole. A pause, a resume, and the cancel of a job that has cost nothing are never refused here. If the sunk cost of an
earlier cancel of the hour is unknown, no further cost is allowed, unless the operator ignores unknown costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.attempt_totals import AttemptTotals, sum_of
from reconciler.core.guard import ChangeLimits, refusal
from reconciler.core.past_attempts import PlannedChange
from reconciler.model.money import Cost, Unpriced
from reconciler.model.report import Refusal
from reconciler.model.sunk_cost import RefusedCost, SunkCost, SunkCostLimit


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """One scope with its limits, and how much of them is used."""

    scope: str
    """The text of the scope, such as an account or `overall`."""
    limits: ChangeLimits
    earlier: AttemptTotals
    """The unapproved first attempts of the last hour, and those that this pass has allowed."""
    unfinished: int
    """The number of jobs in the scope that are known to be unfinished."""

    def refusal(self, costs: Mapping[str, Cost], cost: RefusedCost) -> Refusal:
        """Return the refusal of cancels with these costs, by spec name."""
        names = tuple(sorted(costs))
        return refusal(self.scope, names, self.earlier.count, self.unfinished, self.limits, cost=cost)


def costs_of(changes: Iterable[PlannedChange]) -> dict[str, Cost]:
    """Return the sunk costs of the cancels among these changes, by spec name."""
    return {each.name: each.sunk_cost for each in changes if each.sunk_cost is not None}


def parted(
    changes: Sequence[PlannedChange], refusals: Iterable[Refusal]
) -> tuple[list[PlannedChange], list[PlannedChange]]:
    """Return the changes that these refusals name, and the others."""
    refused = {name for each in refusals for name in each.names}
    return [each for each in changes if each.name in refused], [each for each in changes if each.name not in refused]


def refused_alone(costs: Mapping[str, Cost], scopes: Sequence[ScopeUse]) -> tuple[Refusal, ...]:
    """Return the refusals of the cancels that a limit can never allow without an approval.

    `costs` contains the sunk costs of the cancels that are due and not approved, by spec name.
    """
    left, found = dict(costs), list[Refusal]()
    for use, limit in _limited(scopes):
        unknown = {name: cost for name, cost in left.items() if limit.refuses(cost)}
        if unknown:
            found.append(use.refusal(unknown, RefusedCost(limit, _sum(unknown, limit), unknown=_why(unknown, limit))))
        large = {name: cost for name, cost in left.items() if (limit.bound(cost) or 0) > limit.value}
        if large:
            found.append(use.refusal(large, RefusedCost(limit, _sum(large, limit), is_each_too_much=True)))
        left = {name: cost for name, cost in left.items() if name not in unknown.keys() | large.keys()}
    return tuple(found)


def refused_together(
    costs: Mapping[str, Cost], pending: Mapping[str, Cost], scopes: Sequence[ScopeUse]
) -> Refusal | None:
    """Return the refusal of the cancels of a batch in the first scope whose limit they exceed, or None.

    `costs` contains the sunk costs of the cancels that are due, not approved and not refused alone, by spec name.
    `pending` contains those of further cancels of the account that were refused earlier.
    """
    for use, limit in _limited(scopes):
        due, others = _spendable(costs, limit), _spendable(pending, limit)
        refused, before = others | due, use.earlier.sunk_cost
        wanted = _sum(refused, limit)
        is_over = before.known + wanted.known > limit.value
        if due and (is_over or (before.unknown and not limit.ignores_unknown)):
            return use.refusal(refused, RefusedCost(limit, wanted, before))
    return None


def _limited(scopes: Iterable[ScopeUse]) -> Iterable[tuple[ScopeUse, SunkCostLimit]]:
    return ((each, each.limits.sunk_cost) for each in scopes if each.limits.sunk_cost is not None)


def _spendable(costs: Mapping[str, Cost], limit: SunkCostLimit) -> dict[str, Cost]:
    """Return the costs that use up a part of a limit, and could be allowed by it."""
    return {name: cost for name, cost in costs.items() if 0 < (limit.bound(cost) or 0) <= limit.value}


def _sum(costs: Mapping[str, Cost], limit: SunkCostLimit) -> SunkCost:
    return sum_of(AttemptTotals.one(limit.bound(cost)) for cost in costs.values()).sunk_cost


def _why(costs: Mapping[str, Cost], limit: SunkCostLimit) -> str:
    """Return why the first of these costs is unknown."""
    first = costs[min(costs)]
    if isinstance(first, Unpriced):
        return str(first)
    return "no upper bound is known" if first.currency == limit.currency else f"the price is in {first.currency}"
