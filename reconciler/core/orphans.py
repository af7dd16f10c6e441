"""Decide what to do with a status whose spec was deleted.

Rules: no change is requested, because deleting a spec never means a cancel. A status with an open request is kept, and
its job is observed, until the request is confirmed or a day old. A status with attempts that the guard still counts is
kept too, so that replacing specs cannot avoid the guard.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.conditions import Stance, Verdict, conclude
from reconciler.core.facts import confirmed_phase
from reconciler.core.receipts import confirm
from reconciler.core.remembered_attempts import attempts, known_until, remembered
from reconciler.core.subject import INTERVAL
from reconciler.model.job import Capabilities, Observed, Phase, Unset
from reconciler.model.reason import Reason
from reconciler.model.scalar import render_instant
from reconciler.model.status import JobStatus

OUTLIVES = timedelta(hours=24)


def is_outliving(status: JobStatus, now: datetime) -> bool:
    """Whether a status is kept although its spec was deleted, because it has an open request of the last day."""
    receipt = status.open_receipt
    return receipt is not None and now - receipt.last_attempt_at < OUTLIVES


def as_proven(look: Observed, status: JobStatus, capabilities: Capabilities) -> Observed:
    """Return the observation of a deleted spec's job with the phase to believe."""
    if look.job is None:
        return look
    known = status.job.finished_at if status.job else None
    finished_at = known if isinstance(look.job.finished_at, Unset) else look.job.finished_at
    return Observed(replace(look.job, phase=confirmed_phase(look.job.phase, finished_at, capabilities)))


def outlive(status: JobStatus, look: Observed | None, now: datetime) -> JobStatus | None:
    """Return the status of a deleted spec after an observation, if there was one; None if it may be removed."""
    draft = status
    if look is not None:
        phase = look.job.phase if look.job else Phase.ABSENT
        draft = replace(status, phase=phase, receipts=confirm(status, phase, now, INTERVAL))
    if is_outliving(draft, now):
        message = "the spec is gone while a request is open; nothing more is asked"
        return conclude(draft, Verdict(Stance.WAIT, Reason.SPEC_DELETED, message), status, now)
    counting = remembered(attempts(draft), now)
    if not counting:
        return None
    message = f"the spec is gone; the guard counts what was asked for until {render_instant(known_until(counting))}"
    return conclude(draft, Verdict(Stance.SUSPENDED, Reason.SPEC_DELETED, message), status, now)
