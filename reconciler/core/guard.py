"""The brakes on too many changes at once.

Rules: what is counted is first attempts of all three verbs, by the receipts of the last hour, so that neither a restart
nor many small commits get around it; what somebody approved is left out; a batch is refused whole; only requests are
refused, never looks. What stands in the repository may only tighten what the operator set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.model.job import UNFINISHED
from reconciler.model.plan import Refusal
from reconciler.model.spec import Safety
from reconciler.model.status import JobStatus

WINDOW = timedelta(hours=1)
PERCENT = 100


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
    """What a person allowed for this run."""

    count: int | None = None
    """A batch of at most so many passes; a larger one gains nothing from it."""
    names: frozenset[str] = frozenset()


def approve(batch: Iterable[str], approvals: Approvals) -> dict[str, str]:
    """Return what approves each name of a batch; a name that is missing was not approved."""
    names = list(batch)
    approved = {name: "--allow-cancel" for name in names if name in approvals.names}
    rest = [name for name in names if name not in approved]
    if approvals.count is not None and len(rest) <= approvals.count:
        approved.update((name, f"--allow-cancels {approvals.count}") for name in rest)
    return approved


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


def count_earlier(statuses: Iterable[JobStatus], now: datetime) -> int:
    """Return how many first attempts the last hour saw that nobody approved.

    A receipt from the future counts too, if the clocks may just disagree: forgetting one would loosen the brakes.
    """
    return sum(
        -SKEW_MAX <= now - receipt.requested_at < WINDOW and receipt.approved_by is None
        for status in statuses
        for receipt in status.receipts
    )


def count_unfinished(statuses: Iterable[JobStatus]) -> int:
    """Return how many jobs were last seen unfinished."""
    return sum(status.phase in UNFINISHED for status in statuses)


def _stricter(operator: int, repository: int | None) -> int:
    return operator if repository is None else min(operator, repository)
