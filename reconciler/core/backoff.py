"""Delays before a repeated request and before a repeated observation. The functions compute and never sleep.

The two kinds of retry are independent:

- A change request is repeated by its receipt (`next_attempt_at`). The receipt is in the status file, so the retry
  survives a restart. Regular attempts back off up to `ATTEMPTS_MAX`; after those, a reminder is sent every
  `REMIND_EVERY`.
- A failed observation is repeated after `failure_delay`. A restart resets the count of failures.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.status import Receipt

ATTEMPTS_MAX = 5
"""After this many requests without effect a cancel counts as not honoured."""
RETRY_FIRST = timedelta(seconds=5)
RETRY_MAX = timedelta(minutes=5)
"""Bounds of the delay after an attempt that the provider did not accept. The delay doubles with each attempt."""
HONOUR_WITHIN = timedelta(minutes=10)
"""How long an accepted request may have no effect before it is repeated."""
REMIND_EVERY = timedelta(hours=6)
"""The delay between requests after all regular attempts were used."""
SKEW_MAX = timedelta(minutes=5)
"""How far two clocks may differ: ours and the provider's, or ours and the one that wrote a recorded time."""
CONFIRM_FIRST = timedelta(seconds=1)
CONFIRM_MAX = timedelta(seconds=60)
"""Bounds of the delay before an open request is checked again."""
FAILURE_FIRST_S = 1.0
FAILURE_MAX_S = 450.0
"""Bounds of the delay after failed observations in a row, in seconds. The longest delay doubles with each failure."""


def is_last_attempt_accepted(receipt: Receipt) -> bool:
    """Whether the provider accepted the newest attempt, not only an earlier one."""
    return receipt.accepted_at is not None and receipt.accepted_at >= receipt.last_attempt_at


def _attempt_timeout(receipt: Receipt) -> timedelta:
    if is_last_attempt_accepted(receipt):
        return HONOUR_WITHIN
    doublings = min(max(0, receipt.attempts - 1), ATTEMPTS_MAX)
    return min(RETRY_FIRST * (1 << doublings), RETRY_MAX)


def is_exhausted(receipt: Receipt, now: datetime) -> bool:
    """Whether all regular attempts are used up and the last one has timed out."""
    if receipt.attempts == ATTEMPTS_MAX:
        return now >= receipt.last_attempt_at + _attempt_timeout(receipt)
    return receipt.attempts > ATTEMPTS_MAX


def next_attempt_at(receipt: Receipt) -> datetime:
    """Return when the request may be repeated, if an observation still shows no effect."""
    if receipt.attempts >= ATTEMPTS_MAX:
        return receipt.last_attempt_at + REMIND_EVERY
    return receipt.last_attempt_at + _attempt_timeout(receipt)


def is_attempt_due(receipt: Receipt, now: datetime) -> bool:
    """Whether to repeat the request now. A receipt from the far future is due, because a wrong clock dated it."""
    return now >= next_attempt_at(receipt) or receipt.last_attempt_at - now > SKEW_MAX


def confirm_delay(receipt: Receipt, now: datetime, first: timedelta = CONFIRM_FIRST) -> timedelta:
    """Return the delay before the next check of a request: the time since its last attempt, within bounds."""
    return min(max(now - receipt.last_attempt_at, first), CONFIRM_MAX)


def failure_delay(failures: int, jitter: float, retry_after_s: float | None = None) -> float:
    """Return the backoff in seconds after a number of failures in a row, with jitter.

    Args:
        failures: the number of failures in a row, at least 1.
        jitter: a number in [0, 1) from the caller's random source.
        retry_after_s: the provider's `Retry-After`; the backoff is never shorter.
    """
    # The shift is capped, because a count of failures is unbounded and the power would become a huge number.
    longest = min(FAILURE_FIRST_S * (1 << min(failures - 1, 30)), FAILURE_MAX_S)
    # Any delay up to the longest, so that clients of a provider that comes back do not return in step.
    return max(FAILURE_FIRST_S / 2 + longest * jitter, retry_after_s or 0.0)
