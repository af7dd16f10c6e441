"""What becomes of a status whose spec is gone.

Rules: the job is left alone, absence is never a cancel; a status with an open request outlives its spec, is looked at
and asks for nothing, until that request is confirmed or a day old. What the guard counts stays for as long as it does,
or to delete specs and write others would be a way around it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.conditions import Stance, Verdict, conclude
from reconciler.core.facts import proven
from reconciler.core.receipts import confirm
from reconciler.core.remembered_attempts import attempts, known_until, remembered
from reconciler.core.subject import INTERVAL
from reconciler.model.job import Capabilities, Phase, Seen, Unset
from reconciler.model.reason import Reason
from reconciler.model.scalar import render_instant
from reconciler.model.status import JobStatus

OUTLIVES = timedelta(hours=24)


def is_outliving(status: JobStatus, now: datetime) -> bool:
    """Whether a status stays though its spec is gone: a request of ours is open, and not too old."""
    receipt = status.open_receipt
    return receipt is not None and now - receipt.last_attempt_at < OUTLIVES


def as_proven(look: Seen, status: JobStatus, capabilities: Capabilities) -> Seen:
    """Return a look at the job of a deleted spec, as it is believed."""
    if look.job is None:
        return look
    known = status.job.finished_at if status.job else None
    finished_at = known if isinstance(look.job.finished_at, Unset) else look.job.finished_at
    return Seen(replace(look.job, phase=proven(look.job.phase, finished_at, capabilities)))


def outlive(status: JobStatus, look: Seen | None, now: datetime) -> JobStatus | None:
    """Return the status of a deleted spec, after one more look at its job if there was one; None once it may go."""
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
