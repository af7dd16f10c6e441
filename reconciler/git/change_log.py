"""The statuses that other writers changed, by the pull that found the change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.model.changed_status import ChangedStatus

CHANGES_MAX = 20_000
"""The maximum number of changes that are kept. A decision that is older than all of them is made again."""


@dataclass(slots=True)
class ChangeLog:
    """The changes of the latest pulls, the oldest first."""

    _changes: list[tuple[int, ChangedStatus]] = field(default_factory=list)
    _complete_from: int = 1
    """Every change after this pull is kept. The first pull replaces all statuses, so it is not compared."""

    def add(self, pull: int, changes: Iterable[ChangedStatus]) -> None:
        """Add the changes that a pull found. Pulls are numbered from 1, without gaps."""
        self._changes.extend((pull, each) for each in changes)
        if len(self._changes) > CHANGES_MAX:
            self._complete_from = self._changes[-CHANGES_MAX - 1][0]
            self._changes = [each for each in self._changes if each[0] > self._complete_from]

    def since(self, pull: int) -> tuple[ChangedStatus, ...] | None:
        """Return what was changed after a pull, or None if any status may have been changed."""
        if pull < self._complete_from:
            return None
        return tuple(change for at, change in self._changes if at > pull)
