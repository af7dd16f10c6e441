"""The announced ends of what a provider offers, and of the models that its jobs use.

Rule: what a provider announces is recorded as a day, so that the record is true whenever it is read. Only an
`AnnouncedEnd`, which belongs to one report, also contains how many days are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The announced end of something that a provider offers to all accounts.

    Args:
        what: what ends, as a noun such as `the creation of fine-tuning jobs`.
        on: the day, in UTC, from which it is no longer offered.
        source: where the provider announced it.
        has_ended: whether the day has passed and it was confirmed that this is no longer offered.
    """

    what: str
    on: date
    source: str
    has_ended: bool = False

    def __str__(self) -> str:
        """Return the end as a clause. The clause is in the past tense only if `has_ended` is True."""
        return f"{self.what} {'ended' if self.has_ended else 'ends'} on {self.on} ({self.source})"


@dataclass(frozen=True, slots=True)
class ModelEnd:
    """The day, in UTC, on which a model is shut down, as a provider reports it."""

    model: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedEnd:
    """An announced end that concerns an account of a report, as seen on one day.

    Args:
        account: the name of the account for display.
        what: what ends, as a noun.
        on: the day of the end, in UTC.
        days: the number of days until then; negative if the day has passed.
        source: where the end was announced.
        jobs: the names of the unfinished jobs that need what ends; empty if the end concerns the whole account.
    """

    account: str
    what: str
    on: date
    days: int
    source: str
    jobs: tuple[str, ...] = ()
