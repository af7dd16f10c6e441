"""The disruptions of a watch that a history records. Oracles with deadlines take their duration into account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

EVENTS_MISSED = "changes go unnoticed"
"""The kind of a disruption in which only the scan finds what has changed."""

KEY_LOST = "key lost"
"""The kind of one that is of every account, and of nothing else."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """Something goes wrong from `at` until `until`, for one job, one account, or everything."""

    at: datetime
    kind: str
    until: datetime
    account: str | None = None
    """None: everything."""
    job_id: str | None = None
    """None: every job of the account."""


@dataclass(frozen=True, slots=True)
class Published:
    """What others can read of the statuses from now on."""

    at: datetime
    statuses: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """A person wants the next attempt for a spec's job now."""

    at: datetime
    name: str
