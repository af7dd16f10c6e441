"""Announced ends: of something that a provider offers, and of the models that its jobs use.

Rule: a record contains a day, never a number of days, so that its text is true whenever it is read. How far a day is
away is computed for a day that the caller passes.
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
        has_ended: whether the day has passed and the end was confirmed.
    """

    what: str
    on: date
    source: str
    has_ended: bool = False

    def __str__(self) -> str:
        """Return the end as a clause. It is in the past tense only if the end was confirmed."""
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
        account: the name of the account for people.
        what: what ends, as a noun.
        on: the day, in UTC.
        days: how many days are left; negative if the day has passed.
        source: where the end was announced.
        jobs: the names of the unfinished jobs that need it; empty if it concerns the account as a whole.
    """

    account: str
    what: str
    on: date
    days: int
    source: str
    jobs: tuple[str, ...] = ()
