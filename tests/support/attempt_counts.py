"""The numbers of the past attempts that the guard counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from reconciler.core.past_attempts import PastAttempts, PlannedChange


def counts(past: PastAttempts, batch: Collection[PlannedChange], now: datetime) -> Counter[str]:
    """Return how many unapproved attempts of the last hour there are, by account, without those of the batch."""
    return Counter({account: total.count for account, total in past.totals(batch, now).items()})
