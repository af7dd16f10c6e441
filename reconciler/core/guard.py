"""The brakes on too many changes at once.

Rules: what is counted is first attempts of all three verbs, by the receipts of the last hour, so that neither a restart
nor many small commits get around it; what somebody approved is left out; a batch is refused whole; only requests are
refused, never looks. What stands in the repository may only tighten what the operator set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.backoff import SKEW_MAX
from reconciler.core.remembered_attempts import WINDOW, attempts
from reconciler.model.job import UNFINISHED
from reconciler.model.report import CommitApproval, Refusal
from reconciler.model.spec import Safety
from reconciler.model.status import JobStatus

PERCENT = 100
BY_NAME = "--allow-cancel"
"""What a receipt says that an operator let through by its spec's name."""

Use = tuple[str, str]
"""An approval's label, and the name of the spec whose change it let pass: once, and not again."""


@dataclass(frozen=True, slots=True)
class Brakes:
    """The limits in force."""

    max_cancels: int = 3
    max_cancel_percent: int = 30
    max_cancels_absolute: int = 20

    def tightened(self, safety: Safety) -> Brakes:
        """Return these limits, or the repository's where those are stricter."""
        return Brakes(
            _stricter(self.max_cancels, safety.max_cancels),
            _stricter(self.max_cancel_percent, safety.max_cancel_percent),
            _stricter(self.max_cancels_absolute, safety.max_cancels_absolute),
        )


@dataclass(frozen=True, slots=True)
class Approvals:
    """What persons allowed: for this run, or by commits."""

    count: int | None = None
    """A batch of at most so many passes; a larger one gains nothing from it."""
    names: frozenset[str] = frozenset()
    commits: tuple[CommitApproval, ...] = ()

    @property
    def by_count(self) -> str | None:
        """What a receipt says that the number let through."""
        return None if self.count is None else f"--allow-cancels {self.count}"


def approve(
    batch: Iterable[str], approvals: Approvals, used: Collection[Use] = (), used_count: int = 0
) -> dict[str, str]:
    """Return what approves each name of a batch; a name that is missing was not approved.

    Args:
        batch: the names whose first attempt is due.
        approvals: what persons allowed.
        used: what commits approved and was done already, or is about to be.
        used_count: how much of the number was used.
    """
    names = list(batch)
    approved = {name: BY_NAME for name in names if name in approvals.names}
    for commit in approvals.commits:
        spent = {name for label, name in used if label == commit.label}
        meant = [name for name in names if name in commit.names - spent and name not in approved]
        if len(meant) + len(spent) <= commit.count:
            approved.update(dict.fromkeys(meant, commit.label))
    rest = [name for name in names if name not in approved]
    if approvals.by_count is not None and len(rest) + used_count <= (approvals.count or 0):
        approved.update(dict.fromkeys(rest, approvals.by_count))
    return approved


def uses(statuses: Iterable[JobStatus]) -> frozenset[Use]:
    """Return which approvals were used for which spec, as the statuses tell."""
    return frozenset(
        (attempt.approved_by, status.name)
        for status in statuses
        for attempt in attempts(status)
        if attempt.approved_by is not None
    )


def judge(scope: str, batch: tuple[str, ...], earlier: int, unfinished: int, brakes: Brakes) -> Refusal | None:
    """Return why a batch must not be sent, or None if it may.

    Args:
        scope: an account, or `overall`.
        batch: the names whose first attempt is due and not approved.
        earlier: how many first attempts the last hour has seen already.
        unfinished: how many jobs of the scope are known to be unfinished.
        brakes: the limits.
    """
    total = earlier + len(batch)
    is_many = total > brakes.max_cancels and total * PERCENT > brakes.max_cancel_percent * unfinished
    if not batch or not (is_many or total > brakes.max_cancels_absolute):
        return None
    return Refusal(
        scope=scope,
        requested=len(batch),
        earlier=earlier,
        unfinished=unfinished,
        max_cancels=brakes.max_cancels,
        max_cancel_percent=brakes.max_cancel_percent,
        max_cancels_absolute=brakes.max_cancels_absolute,
        names=batch,
    )


def count_earlier(statuses: Iterable[JobStatus], now: datetime, account: str | None = None) -> int:
    """Return how many first attempts the last hour saw that nobody approved: of one account, or of all.

    One from the future counts too, if the clocks may just disagree: forgetting one would loosen the brakes.
    """
    return sum(
        -SKEW_MAX <= now - attempt.requested_at < WINDOW
        and attempt.approved_by is None
        and account in (None, attempt.account)
        for status in statuses
        for attempt in attempts(status)
    )


def count_unfinished(statuses: Iterable[JobStatus]) -> int:
    """Return how many jobs were last seen unfinished."""
    return sum(status.phase in UNFINISHED for status in statuses)


def _stricter(operator: int, repository: int | None) -> int:
    return operator if repository is None else min(operator, repository)
