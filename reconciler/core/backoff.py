"""Delays before a request or an observation is repeated. The functions compute delays and never sleep.

The two kinds of retry are independent:

- The next attempt of a change request is computed from its receipt (`next_attempt_at`). The receipt is in the status
  file, so the schedule survives a restart. There are `ATTEMPTS_MAX` regular attempts. The delays after attempts that
  the provider did not accept grow. After the regular attempts, the request is repeated every `REMIND_EVERY`.
- A failed observation is repeated after `failure_delay`. A restart resets the number of failures.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reconciler.model.status import Receipt

ATTEMPTS_MAX = 5
"""The number of regular attempts. If the last attempt has no effect either, the job is reported as stalled."""
RETRY_FIRST = timedelta(seconds=5)
"""The delay after the first attempt, if the provider did not accept it. It doubles with each attempt."""

HONOUR_WITHIN = timedelta(minutes=10)
"""How long an accepted request may have no effect before it is repeated, unless its provider declares another time."""
REMIND_EVERY = timedelta(hours=6)
"""The delay between repeated requests after the regular attempts."""
SKEW_MAX = timedelta(minutes=5)
"""How far the local clock may differ from the provider's clock, or from the clock that wrote a recorded time."""
CONFIRM_FIRST = timedelta(milliseconds=500)
"""The minimum delay before the job of an open request is polled again."""
CONFIRM_MAX = timedelta(seconds=60)
"""The maximum delay before the job of an open request is polled again."""
FAILURE_FIRST_S = 1.0
"""The width, in seconds, of the range from which the delay after the first failed observation is drawn.

Each further failure doubles the width, up to `FAILURE_MAX_S`. The range begins at half of this value.
"""
FAILURE_MAX_S = 450.0
"""The maximum width of the range from which a delay is drawn, in seconds."""


def is_last_attempt_accepted(receipt: Receipt) -> bool:
    """Return whether the provider accepted the newest attempt, not only an earlier attempt."""
    return receipt.accepted_at is not None and receipt.accepted_at >= receipt.last_attempt_at


def _times_out_at(receipt: Receipt, honour_within: timedelta) -> datetime:
    """Return when the newest attempt has timed out. The newest attempt must be a regular attempt."""
    # The recorded time of an attempt is that of its intent, and the request may be sent much later. Therefore the
    # timeout of an accepted request is counted from its acceptance.
    if receipt.accepted_at is not None and is_last_attempt_accepted(receipt):
        return receipt.accepted_at + honour_within
    return receipt.last_attempt_at + RETRY_FIRST * (1 << max(0, receipt.attempts - 1))


def is_exhausted(receipt: Receipt, now: datetime, honour_within: timedelta = HONOUR_WITHIN) -> bool:
    """Return whether all regular attempts were made and the last attempt has timed out.

    If the provider accepted the last attempt, it times out `honour_within` after the acceptance.
    """
    if receipt.attempts == ATTEMPTS_MAX:
        return now >= _times_out_at(receipt, honour_within)
    return receipt.attempts > ATTEMPTS_MAX


def next_attempt_at(receipt: Receipt, honour_within: timedelta = HONOUR_WITHIN) -> datetime:
    """Return when the request may be repeated if observations still show no effect.

    `honour_within` is the time that a regular attempt may take to show an effect after the provider accepted it.
    """
    if receipt.attempts >= ATTEMPTS_MAX:
        return receipt.last_attempt_at + REMIND_EVERY
    return _times_out_at(receipt, honour_within)


def is_attempt_due(receipt: Receipt, now: datetime, honour_within: timedelta = HONOUR_WITHIN) -> bool:
    """Return whether the request may be repeated now.

    It is also due if the recorded time of the last attempt or of its acceptance is more than `SKEW_MAX` in the future,
    because that time came from a wrong clock.
    """
    recorded = max(receipt.last_attempt_at, receipt.accepted_at or receipt.last_attempt_at)
    return now >= next_attempt_at(receipt, honour_within) or recorded - now > SKEW_MAX


def confirm_delay(receipt: Receipt, now: datetime, first: timedelta = CONFIRM_FIRST) -> timedelta:
    """Return the delay before the job of a request is polled again: at least `first` and at most `CONFIRM_MAX`.

    Within these bounds, the delay is the time since the provider accepted the last attempt, or since the attempt itself
    if the provider has not accepted it.
    """
    accepted = receipt.accepted_at if is_last_attempt_accepted(receipt) else None
    return min(max(now - (accepted or receipt.last_attempt_at), first), CONFIRM_MAX)


def failure_delay(failures: int, jitter: float, retry_after_s: float | None = None) -> float:
    """Return the delay in seconds before an observation is repeated, with jitter.

    Args:
        failures: the number of failures in a row, at least 1.
        jitter: a number in [0, 1) from the caller's random source.
        retry_after_s: the provider's `Retry-After`, in seconds, or None. The delay is never shorter.
    """
    # The shift is limited, because the number of failures is unbounded and the result would become a huge number.
    longest = min(FAILURE_FIRST_S * (1 << min(failures - 1, 30)), FAILURE_MAX_S)
    # A random share of the longest delay, so that the clients of a recovering provider do not all retry at once.
    return max(FAILURE_FIRST_S / 2 + longest * jitter, retry_after_s or 0.0)
