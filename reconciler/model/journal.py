"""The records that the state directory keeps for the guard, so that writing statuses cannot make the guard forget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model.status import JobStatus, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """One first attempt that the guard allowed."""

    name: str
    """The name of the spec."""
    account: str
    """The line that names the account in statuses."""
    job_id: str
    verb: Verb
    at: datetime
    """When the guard counted it."""
    receipt_at: datetime
    """When its receipt was opened. It differs from `at` only for a receipt that the journal did not record then."""
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class LostStatus:
    """A status that the last pass left and that was missing or unreadable at the beginning of the next."""

    at: datetime
    """When the loss was noticed."""
    mark: str
    """The mark of its last known version (`core.losses.mark_of`). A status with the same mark is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStatuses:
    """The statuses as the last pass left them."""

    marks: Mapping[str, str] = field(default_factory=dict)
    """The mark of each status, by name."""
    unfinished: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The jobs that were unfinished when they were last seen: account and id, by spec name."""
    lost: Mapping[str, LostStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EarlierStatuses:
    """Earlier versions of statuses, from the Git history."""

    statuses: tuple[JobStatus, ...] = ()
    doubt: str | None = None
    """Why the history may be incomplete, if so."""
