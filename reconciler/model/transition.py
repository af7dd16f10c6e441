"""The change of one job's status, which the log, the metrics, the commit message and notifications read."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.action import Action, Progress
from reconciler.model.job import JobRef
from reconciler.model.status import JobStatus, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The change of a job's status, with the action that was due, if any."""

    name: str
    ref: JobRef | None
    """The job, or None if it is not known."""
    before: JobStatus | None
    """The status before the change, or None if there was none."""
    after: JobStatus
    action: Action | None = None
    progress: Progress | None = None
    """The progress of the action, or None if no action was due."""

    @property
    def is_first_sight(self) -> bool:
        """Whether this is the first status of the job, no action is due, and no person needs to act."""
        return self.before is None and self.action is None and not self.after.is_stalled

    @property
    def is_of_a_request(self) -> bool:
        """Whether there was an action in this pass, or an open request before it."""
        return self.progress is not None or (self.before is not None and self.before.open_receipt is not None)

    @property
    def closed(self) -> tuple[Receipt, ...]:
        """The receipts that this transition closed, newest first."""
        return closed_since(self.before, self.after)


def closed_since(before: JobStatus | None, after: JobStatus) -> tuple[Receipt, ...]:
    """Return the closed receipts of a status that were open or missing in the previous status, if there was one."""
    was_closed = {each.requested_at for each in before.receipts if not each.is_open} if before is not None else set()
    return tuple(each for each in after.receipts if not each.is_open and each.requested_at not in was_closed)
