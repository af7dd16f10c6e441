"""The operator's approvals that a run has used."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.guard import BY_NAME
from reconciler.core.past_attempts import PlannedChange
from reconciler.model.job import JobRef
from reconciler.model.status import Verb


@dataclass(slots=True)
class ApprovalUse:
    """The operator's approvals that a run has used. An approval is valid once in the run, not once in each pass."""

    used: int = 0
    """How many changes `--allow-cancels N` has approved so far."""
    names: set[str] = field(default_factory=set)
    """The specs for which `--allow-cancel NAME` has been used."""
    _granted: dict[tuple[JobRef, Verb], tuple[datetime, str]] = field(default_factory=dict)
    """The time and label of each approval, by job and verb. An approval is used up once the job has a later receipt."""

    def granted(self, change: PlannedChange) -> str | None:
        """Return the label under which a change was approved earlier, or None.

        The result is also None if no change is due, or if a request was recorded for the job since the approval.
        """
        at, by = self._granted.get((change.ref, change.verb), (None, None)) if change.verb else (None, None)
        return by if at is not None and all(each.requested_at < at for each in change.receipts) else None

    def grant(self, change: PlannedChange, by: str, now: datetime) -> None:
        """Record that a due change was approved. Do nothing if an earlier approval of the change has not been used yet.

        `by` is the label of an operator's approval: `BY_NAME` or `Approvals.by_count`.
        """
        if change.verb is None or self.granted(change) is not None:
            return
        self._granted[change.ref, change.verb] = now, by
        if by == BY_NAME:
            self.names.add(change.name)
        else:
            self.used += 1
