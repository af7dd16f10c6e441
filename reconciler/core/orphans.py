"""Decide whether to keep the status of a deleted spec.

Rules: no change is requested, because deleting a spec never cancels its job. A status with an open request is kept, and
its job is observed, until the request is confirmed or its last attempt is a day old. A status with attempts that the
guard still counts is kept too, so that replacing specs cannot bypass the guard.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.conditions import Readiness, Verdict, conclude
from reconciler.core.facts import confirmed_phase
from reconciler.core.receipts import confirm
from reconciler.core.remembered_attempts import attempts, known_until, remembered
from reconciler.core.subject import INTERVAL
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import Observed, Phase, Unset
from reconciler.model.reason import Reason
from reconciler.model.scalar import render_instant
from reconciler.model.status import JobStatus

REQUEST_KEPT_FOR = timedelta(hours=24)
"""How long the status of a deleted spec is kept for an open request. A later effect of the request is unlikely."""


def has_recent_request(status: JobStatus, now: datetime) -> bool:
    """Return whether a status has an open request whose last attempt was within `REQUEST_KEPT_FOR`."""
    receipt = status.open_receipt
    return receipt is not None and now - receipt.last_attempt_at < REQUEST_KEPT_FOR


def with_confirmed_phase(observed: Observed, status: JobStatus, capabilities: Capabilities) -> Observed:
    """Return the observation of a deleted spec's job with its phase corrected by `confirmed_phase`."""
    if observed.job is None:
        return observed
    known = status.job.finished_at if status.job else None
    finished_at = known if isinstance(observed.job.finished_at, Unset) else observed.job.finished_at
    return Observed(replace(observed.job, phase=confirmed_phase(observed.job.phase, finished_at, capabilities)))


def orphan_status(status: JobStatus, observed: Observed | None, now: datetime) -> JobStatus | None:
    """Return the status to write for a deleted spec, or None if its status may be removed.

    Args:
        status: the last status.
        observed: the observation of the job, or None if it was not observed.
        now: the current time.
    """
    draft = status
    if observed is not None:
        phase = observed.job.phase if observed.job else Phase.ABSENT
        draft = replace(status, phase=phase, receipts=confirm(status, phase, now, INTERVAL))
    if has_recent_request(draft, now):
        message = "the spec was deleted while a request was open; no further change is requested"
        return conclude(draft, Verdict(Readiness.RECONCILING, Reason.SPEC_DELETED, message), status, now)
    counting = remembered(attempts(draft), now)
    if not counting:
        return None
    message = f"the spec was deleted; the guard counts its requests until {render_instant(known_until(counting))}"
    return conclude(draft, Verdict(Readiness.SUSPENDED, Reason.SPEC_DELETED, message), status, now)
