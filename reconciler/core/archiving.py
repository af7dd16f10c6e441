"""Decide whether the spec and the status of a job that has ended may be moved to the archive.

Rules: a status is kept while it contains anything that a later pass needs: a request whose outcome is unknown, a doubt
about the end of the job, a state that a person must act on, or a request that the guard still counts.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.core.remembered_attempts import attempts, remembered
from reconciler.model.status import JobStatus


def why_kept(status: JobStatus, now: datetime) -> str | None:
    """Return why the status of a job is still needed, as the end of a sentence about the job, or None if it is not.

    If the spec was changed after its last observation, `status` must be one that says so (`OutOfDate`).
    """
    if status.open_receipt is not None:
        return f"its {status.open_receipt.verb} is not proven yet"
    if not status.final or status.doubted_at is not None:
        return "it has not ended for good"
    if not status.is_ready:
        return f"it is not as its spec wants it ({status.ready.reason})"
    if remembered(attempts(status), now):
        return "the guard still counts its request"
    return None


def ended_at(status: JobStatus) -> datetime:
    """Return when the job ended, or when its status last changed if that was later."""
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at for each in status.receipts if each.confirmed_at is not None]
    finished = status.job.finished_at if status.job else None
    return max([*moments, finished] if finished else moments)
