"""The disruptions of a watch that a history records. Oracles with deadlines take their duration into account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

EVENTS_MISSED = "changes go unnoticed"
"""The kind of disruption in which only the scan finds changes."""

KEY_LOST = "key lost"
"""The kind of disruption that affects every account, and nothing else."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """A disruption from `at` until `until`, of one job, one account, or everything."""

    at: datetime
    kind: str
    until: datetime
    account: str | None = None
    """The affected account. None means everything."""
    job_id: str | None = None
    """The affected job. None means every job of the account."""


@dataclass(frozen=True, slots=True)
class Published:
    """The statuses that others can read from now on."""

    at: datetime
    statuses: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """A person requested the next attempt for a spec's job."""

    at: datetime
    name: str
