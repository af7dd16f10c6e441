"""What the state directory remembers for the guard: whoever writes statuses must not be able to make it forget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model.status import JobStatus, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """One first attempt that the guard let through."""

    name: str
    """The spec's."""
    account: str
    """As its line stands in statuses."""
    job_id: str
    verb: Verb
    at: datetime
    """When the guard counted it."""
    receipt_at: datetime
    """Since when its receipt is open: the same moment, but for a receipt that nobody vouched for until then."""
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A status that was there at the end of one pass, and gone or unreadable at the beginning of the next."""

    at: datetime
    """When that was noticed."""
    mark: str
    """What it was known by: with the same mark, it is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStatuses:
    """The statuses as the last pass left them."""

    marks: Mapping[str, str] = field(default_factory=dict)
    """By name, what each is known by."""
    unfinished: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The jobs that we saw unfinished when we last saw them: account and id, by the name of the spec."""
    lost: Mapping[str, Lost] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Older:
    """What a history tells of statuses as they stood before."""

    statuses: tuple[JobStatus, ...] = ()
    doubt: str | None = None
    """Why it may have told less than there is."""
