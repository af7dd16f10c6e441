"""A change window: when changes of some jobs may be requested, or may not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from reconciler.model.selector import Labels
from reconciler.model.weekly_hours import WeeklyHours


@dataclass(frozen=True, slots=True)
class Period:
    """A period between two moments. The end is not part of it."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """One change window: a single period, or hours of every week in a zone."""

    name: str
    is_deny: bool
    """Whether no change is requested within the window. Otherwise, changes are requested only within it."""
    when: Period | WeeklyHours
    zone: tzinfo = UTC
    labels: Labels = ()
    """The labels that a job must have for the window to apply."""
    reason: str | None = None
