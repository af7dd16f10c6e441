"""When a job has ended for good, and what it takes to doubt that.

Rules: a final job is never asked for again; only a list row, free anyway, may contradict it; a first look that does so
is remembered and changes nothing else, a second one at least a minute later opens the job again, and one that agrees
with the end takes the doubt away. So a list that is stale opens nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.core.conditions import phase_since
from reconciler.core.facts import recall
from reconciler.core.receipts import has_accepted_cancel
from reconciler.model.job import TERMINAL, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HISTORY_MAX, HistoryEntry, JobFacts, JobStatus, Receipt

AGREE_AFTER = timedelta(minutes=1)
"""Two looks that agree count as two only this far apart."""
NAME_WITHIN = timedelta(hours=1)
"""How long a succeeded job may be without its model's name before it is taken as it is."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What a look is taken to show, and the status that it is read against."""

    job: ObservedJob | None
    last: JobStatus | None
    doubted_at: datetime | None = None
    """When a look first showed that the end of a final job is none; no second one has agreed yet."""


def believe(job: ObservedJob | None, last: JobStatus | None, now: datetime) -> Belief:
    """Weigh a look against the status that was last written."""
    if last is None:
        return Belief(job, None)
    if not last.final:
        # A job that had ended and that the provider then forgot stays as it was.
        is_forgotten = job is None and last.phase in TERMINAL
        return Belief(recall(last) if is_forgotten else job, last)
    if job is None or not is_contradicted(last.phase, job.phase):
        return Belief(recall(last), last)
    # A moment in the future was written by a clock that was wrong.
    doubted_at = min(last.doubted_at or now, now)
    if now - doubted_at < AGREE_AFTER:
        return Belief(recall(last), last, doubted_at)
    return Belief(job, _reopened(last, job.phase, now))


def is_contradicted(ended_as: Phase, shown: Phase) -> bool:
    """Whether a job that has ended for good is shown in another phase. A word that nobody knows says nothing."""
    return shown is not ended_as and shown is not Phase.UNKNOWN


def is_settled(last: JobStatus | None) -> bool:
    """Whether a job ended for good, and nothing has shown otherwise: it is not asked for again."""
    return last is not None and last.final and last.doubted_at is None


def is_final(
    phase: Phase, facts: JobFacts, receipts: tuple[Receipt, ...], last: JobStatus | None, now: datetime
) -> bool:
    """Whether this is how the job ended, for good. A job that is gone is none that was seen to end."""
    if phase not in TERMINAL:
        return False
    if last is not None and last.final and last.phase is phase:
        return True
    since = phase_since(last, phase)
    ended_at = facts.finished_at
    if phase is Phase.SUCCEEDED and facts.fine_tuned_model is None and now - (ended_at or since or now) < NAME_WITHIN:
        return False
    if ended_at is not None and ended_at - now <= SKEW_MAX:
        return True
    if phase is Phase.CANCELLED and has_accepted_cancel(receipts):
        return True
    return since is not None and now - since >= AGREE_AFTER


def _reopened(last: JobStatus, phase: Phase, now: datetime) -> JobStatus:
    """Return the status of a job that had not ended after all. Its end is forgotten; its receipts are not."""
    mark = HistoryEntry(now, phase, Reason.PHASE_WENT_BACK)
    return replace(
        last,
        final=False,
        doubted_at=None,
        job=replace(last.job, finished_at=None) if last.job else None,
        history=(mark, *last.history)[:HISTORY_MAX],
    )
