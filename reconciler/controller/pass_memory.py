"""The memory of one process between passes. A restart loses it, and the next passes rebuild it.

The uses of the operator's approvals are not rebuilt, because an approval is valid in one run only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.unobserved import UnobservedTracker
from reconciler.controller.workers import WorkerPool
from reconciler.core.subject import INTERVAL
from reconciler.model.job import Account, JobRef


@dataclass(slots=True)
class PassMemory:
    """The state that one pass keeps for the next pass."""

    unobserved: UnobservedTracker = field(default_factory=UnobservedTracker)
    cache: ResolutionCache = field(default_factory=ResolutionCache)
    workers: WorkerPool = field(default_factory=WorkerPool)
    current: CurrentSpecs = field(default_factory=CurrentSpecs)
    """The specs, Settings and change budget of the newest pass, which the workers of every pass read."""
    skipped: frozenset[JobRef] = frozenset()
    """The jobs that the next pass must observe although they are not due: the last pass skipped their accounts."""
    interval: timedelta = INTERVAL
    """The poll interval of the last Settings that could be read."""
    list_pages: dict[Account, int] = field(default_factory=dict)
    """The number of pages of each account's last list."""
