"""What is decided about: one valid spec, resolved to the job of one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reconciler.model.job import Capabilities, JobRef
from reconciler.model.spec import JobSpec, Suspension

INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One spec of this revision. `suspension` is the spec's own, or that of Settings."""

    name: str
    source: str
    ref: JobRef
    spec: JobSpec
    digest: str
    capabilities: Capabilities
    suspension: Suspension | None = None
    is_retry: bool = False
    """A person asked for the next attempt now, whenever it would be due."""
    interval: timedelta = INTERVAL
