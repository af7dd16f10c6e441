"""When to ask again, and when to look again. Spans only; nobody sleeps here.

Two clocks are kept apart: the planned delay of a request that was made (below, from its receipt), and the
backoff of a look that failed (`failure_delay`), which is not remembered across restarts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.status import Receipt

ATTEMPTS_MAX = 5
"""After this many requests a cancel counts as not honoured."""
RETRY_FIRST = timedelta(seconds=5)
RETRY_MAX = timedelta(minutes=5)
HONOUR_WITHIN = timedelta(minutes=10)
"""How long an accepted request may show no effect before it is made again."""
REMIND_EVERY = timedelta(hours=6)
SKEW_MAX = timedelta(minutes=5)
"""How far a clock may be off before what it says is not believed."""
CONFIRM_FIRST = timedelta(seconds=1)
CONFIRM_MAX = timedelta(seconds=60)
FAILURE_FIRST_S = 1.0
FAILURE_MAX_S = 900.0


def is_last_attempt_accepted(receipt: Receipt) -> bool:
    """Whether the provider took the newest request, rather than an earlier one."""
    return receipt.accepted_at is not None and receipt.accepted_at >= receipt.last_attempt_at


def _patience(receipt: Receipt) -> timedelta:
    if is_last_attempt_accepted(receipt):
        return HONOUR_WITHIN
    doublings = min(max(0, receipt.attempts - 1), ATTEMPTS_MAX)
    return min(RETRY_FIRST * (1 << doublings), RETRY_MAX)


def is_exhausted(receipt: Receipt, now: datetime) -> bool:
    """Whether the last of the regular attempts has had its time."""
    if receipt.attempts == ATTEMPTS_MAX:
        return now >= receipt.last_attempt_at + _patience(receipt)
    return receipt.attempts > ATTEMPTS_MAX


def next_attempt_at(receipt: Receipt) -> datetime:
    """Return when the same request may be made again, if a look still shows it unfulfilled."""
    if receipt.attempts >= ATTEMPTS_MAX:
        return receipt.last_attempt_at + REMIND_EVERY
    return receipt.last_attempt_at + _patience(receipt)


def is_attempt_due(receipt: Receipt, now: datetime) -> bool:
    """Whether to ask again now. A receipt from the far future was written by a clock that was wrong, and is due."""
    return now >= next_attempt_at(receipt) or receipt.last_attempt_at - now > SKEW_MAX


def confirm_delay(receipt: Receipt, now: datetime, first: timedelta = CONFIRM_FIRST) -> timedelta:
    """Return how long to wait before looking whether a request took effect: as long again as it has been, in bounds."""
    return min(max(now - receipt.last_attempt_at, first), CONFIRM_MAX)


def failure_delay(failures: int, jitter: float, retry_after_s: float | None = None) -> float:
    """Return the seconds to wait after that many failures in a row, with full jitter.

    Args:
        failures: how many in a row, at least 1.
        jitter: a number in [0, 1) from the caller's random source.
        retry_after_s: the provider's own bound, which is never undercut.
    """
    ceiling = min(FAILURE_FIRST_S * (1 << min(failures, 30)), FAILURE_MAX_S)
    return max(FAILURE_FIRST_S / 2 + ceiling * jitter / 2, retry_after_s or 0.0)
