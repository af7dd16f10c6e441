"""The guard's records in the state directory. Changes to status files do not affect them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model.money import RecordedAmount
from reconciler.model.status import JobStatus, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """One first attempt that the guard allowed."""

    name: str
    """The name of the spec."""
    account: str
    """The account line (`model.account_line`)."""
    job_id: str
    verb: Verb
    at: datetime
    """When the attempt was made."""
    receipt_at: datetime
    """When the receipt was opened. It is earlier than `at` if the journal lacks an earlier attempt of this receipt."""
    approved_by: str | None = None
    """The label of the approval, or None. The guard does not count an approved attempt."""
    sunk_cost: RecordedAmount | None = None
    """What the job had cost, if the attempt was a cancel and the cost is known."""


@dataclass(frozen=True, slots=True)
class LostStatus:
    """A status that existed after one pass and was missing or damaged at the beginning of the next."""

    at: datetime
    """When the loss was noticed."""
    mark: str
    """The mark of the last known version (`core.losses.mark_of`). A status with the same mark has been restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStatuses:
    """The statuses that existed after the last pass."""

    marks: Mapping[str, str] = field(default_factory=dict)
    """The mark of each status, by name."""
    unfinished: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The jobs that were last seen unfinished: account and id, by spec name."""
    lost: Mapping[str, LostStatus] = field(default_factory=dict)
    """The statuses that were lost before that pass, by name."""


@dataclass(frozen=True, slots=True)
class EarlierStatuses:
    """Earlier versions of statuses, from the Git history."""

    statuses: tuple[JobStatus, ...] = ()
    doubt: str | None = None
    """Why the history may be incomplete, or None."""
