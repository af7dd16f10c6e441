"""The guard, which refuses too many changes at once.

This module judges one batch, and `core.change_budget` collects the numbers.

Rules: the guard counts the first attempts of all three verbs in the last hour, so that neither a restart nor a series
of small commits bypasses it. Approved attempts are not counted. A batch is refused as a whole. Only change requests are
refused, never observations. The repository's Settings can only tighten the operator's limits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.past_attempts import UsedApproval
from reconciler.model.action import CommitApproval, is_by_commit
from reconciler.model.report import Refusal
from reconciler.model.spec import Safety
from reconciler.model.sunk_cost import RefusedCost, SunkCostLimit

PERCENT = 100
BY_NAME = "--allow-cancel"
"""The label that a receipt records if an operator approved its change by the name of the spec."""


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """The limits of one scope, per hour. Each field has the meaning of the option with the same name."""

    max_cancels: int = 3
    max_cancel_percent: int = 30
    max_cancels_absolute: int = 20
    sunk_cost: SunkCostLimit | None = None
    """The limit on the sunk cost of cancels, or None if the operator states none."""

    def stricter(self, other: ChangeLimits) -> ChangeLimits:
        """Return limits that have, in each field, the stricter value of `self` and `other`."""
        return ChangeLimits(
            min(self.max_cancels, other.max_cancels),
            min(self.max_cancel_percent, other.max_cancel_percent),
            min(self.max_cancels_absolute, other.max_cancels_absolute),
            other.sunk_cost if self.sunk_cost is None else self.sunk_cost.stricter(other.sunk_cost),
        )

    def tightened(self, safety: Safety) -> ChangeLimits:
        """Return these limits, tightened by the repository's Settings."""
        return ChangeLimits(
            _stricter(self.max_cancels, safety.max_cancels),
            _stricter(self.max_cancel_percent, safety.max_cancel_percent),
            _stricter(self.max_cancels_absolute, safety.max_cancels_absolute),
            self.sunk_cost,
        )


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals of a run, which come from the operator and from commits."""

    count: int | None = None
    """N of `--allow-cancels N`, or None without that option.

    A batch is approved as a whole, and only if no more than N changes of the run are then approved by this option.
    """
    names: frozenset[str] = frozenset()
    """The specs that `--allow-cancel` names."""
    commits: tuple[CommitApproval, ...] = ()

    @property
    def by_count(self) -> str | None:
        """The label that a receipt records if `--allow-cancels N` approved its change; None without that option."""
        return None if self.count is None else f"--allow-cancels {self.count}"


def approve(
    batch: Iterable[str], approvals: Approvals, now: datetime, used: Collection[UsedApproval] = (), used_count: int = 0
) -> dict[str, str]:
    """Return the label under which each change is approved, by spec name.

    Args:
        batch: the names of the specs whose first attempt is due, or whose refusal is pending.
        approvals: the approvals of the run.
        now: the current time. A commit with a later time does not approve anything yet.
        used: the approvals that earlier passes and this pass have used.
        used_count: how many changes `--allow-cancels N` has already approved in this run.
    """
    names = list(batch)
    approved = {name: BY_NAME for name in names if name in approvals.names}
    for commit in approvals.commits:
        if commit.made_at <= now and commit.why_ignored is None:
            approved |= _by_commit(commit, names, approved, used)
    rest = [name for name in names if name not in approved]
    if approvals.by_count is not None and len(rest) + used_count <= (approvals.count or 0):
        approved.update(dict.fromkeys(rest, approvals.by_count))
    return approved


def _by_commit(
    commit: CommitApproval, names: Iterable[str], approved: Mapping[str, str], used: Iterable[UsedApproval]
) -> dict[str, str]:
    """Return the approvals that a commit adds, by spec name: for all of its specs in the batch, or for none."""
    used_for = _used_for(commit, approved, used)
    further = [name for name in names if name in commit.names - used_for and name not in approved]
    return dict.fromkeys(further, commit.label) if len(further) + len(used_for) <= commit.count else {}


def _used_for(commit: CommitApproval, approved: Mapping[str, str], used: Iterable[UsedApproval]) -> set[str]:
    """Return the names of the specs for which a commit's approval was used.

    A change that two commits approve uses up both approvals. Otherwise two commits with `Approve-Cancels: 3` for the
    same jobs would together approve six changes. Therefore a use of any commit's approval since this commit was made
    also uses up this commit's approval.
    """
    used = list(used)
    own = {each.name for each in used if each.label == commit.label}
    shared = {each.name for each in used if each.at >= commit.made_at and is_by_commit(each.label)}
    shared |= {name for name, label in approved.items() if is_by_commit(label)}
    return own | (shared & commit.names)


def judge(
    scope: str, batch: tuple[str, ...], earlier: int, unfinished: int, limits: ChangeLimits, doubt: str | None = None
) -> Refusal | None:
    """Return the refusal of a batch, or None if it may be sent.

    Args:
        scope: the text of the scope, such as an account or `overall`.
        batch: the names of the specs whose first attempt is due or was refused earlier, and is not approved.
        earlier: the number of unapproved first attempts of the last hour, and those that this pass has allowed.
        unfinished: the number of jobs in the scope that are known to be unfinished.
        limits: the limits of the scope.
        doubt: why the attempts of the last hour cannot be counted, or None if they can. With a doubt, every batch is
            refused.
    """
    total = earlier + len(batch)
    is_many = total > limits.max_cancels and total * PERCENT > limits.max_cancel_percent * unfinished
    if not batch or not (doubt or is_many or total > limits.max_cancels_absolute):
        return None
    return refusal(scope, batch, earlier, unfinished, limits, doubt=doubt)


def refusal(
    scope: str,
    batch: tuple[str, ...],
    earlier: int,
    unfinished: int,
    limits: ChangeLimits,
    *,
    doubt: str | None = None,
    cost: RefusedCost | None = None,
) -> Refusal:
    """Return the refusal of a batch. `cost` is why its sunk cost led to it, or None. See `judge` for the rest."""
    return Refusal(
        scope=scope,
        requested=len(batch),
        earlier=earlier,
        unfinished=unfinished,
        max_cancels=limits.max_cancels,
        max_cancel_percent=limits.max_cancel_percent,
        max_cancels_absolute=limits.max_cancels_absolute,
        names=batch,
        doubt=doubt,
        cost=cost,
    )


def _stricter(operator: int, repository: int | None) -> int:
    return operator if repository is None else min(operator, repository)
