"""When a terminal phase is final, and when it is doubted again.

Theory: a final job is not polled, which saves most requests of a long-lived repository. The price is that a provider
which revives a finished job is noticed only by a list that was read for other jobs.

Rules: the first observation that contradicts the end is recorded and changes nothing else. A second one at least a
minute later reopens the job. An observation that agrees with the end clears the doubt. Therefore a stale list alone
reopens no job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.backoff import SKEW_MAX
from reconciler.core.conditions import phase_since
from reconciler.core.facts import observation_from_status
from reconciler.core.receipts import has_accepted_cancel
from reconciler.model.job import TERMINAL, ObservedJob, Phase
from reconciler.model.kind import JobKind
from reconciler.model.reason import Reason
from reconciler.model.status import HISTORY_MAX, HistoryEntry, JobFacts, JobStatus, Receipt

AGREE_AFTER = timedelta(minutes=1)
"""How far apart two observations must be to count as independent."""
NAME_WITHIN = timedelta(hours=1)
"""How long a succeeded job may lack the name of its model before it is final without one."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an observation is taken to show, and the last status that it is compared with."""

    job: ObservedJob | None
    last: JobStatus | None
    doubted_at: datetime | None = None
    """When an observation first contradicted the end of a final job, until a second one agrees with it."""


def assess(job: ObservedJob | None, last: JobStatus | None, now: datetime) -> Assessment:
    """Compare an observation with the last status, and return what it is taken to show."""
    if last is None:
        return Assessment(job, None)
    if not last.final:
        # The job had ended before the provider forgot it, so its end stays as recorded.
        is_forgotten = job is None and last.phase in TERMINAL
        return Assessment(observation_from_status(last) if is_forgotten else job, last)
    if job is None or not is_contradicted(last.phase, job.phase):
        return Assessment(observation_from_status(last), last)
    # A doubt from the future was dated by a wrong clock.
    doubted_at = min(last.doubted_at or now, now)
    if now - doubted_at < AGREE_AFTER:
        return Assessment(observation_from_status(last), last, doubted_at)
    return Assessment(job, _reopened(last, job.phase, now))


def is_contradicted(ended_as: Phase, shown: Phase) -> bool:
    """Whether a final job is shown in another phase. An unknown phase contradicts nothing."""
    return shown is not ended_as and shown is not Phase.UNKNOWN


def is_settled(last: JobStatus | None) -> bool:
    """Whether a job is final and not doubted, so that it is not polled."""
    return last is not None and last.final and last.doubted_at is None


def is_final(
    kind: JobKind, phase: Phase, facts: JobFacts, receipts: tuple[Receipt, ...], last: JobStatus | None, now: datetime
) -> bool:
    """Whether this phase is the final end of the job. It never is for an absent job, whose end was not seen."""
    if phase not in TERMINAL:
        return False
    if last is not None and last.final and last.phase is phase:
        return True
    since, ended_at = phase_since(last, phase), facts.finished_at
    if _is_result_missing(kind, phase, facts) and now - (ended_at or since or now) < NAME_WITHIN:
        return False
    # A provider may correct a phase shortly after it first reported it, so an unproven end must last.
    has_lasted = since is not None and now - since >= AGREE_AFTER
    return has_lasted or _is_proven(phase, facts, receipts, now)


def _is_proven(phase: Phase, facts: JobFacts, receipts: tuple[Receipt, ...], now: datetime) -> bool:
    """Whether the provider gives an end time, or the job was cancelled after our request."""
    if phase is Phase.CANCELLED and has_accepted_cancel(receipts):
        return True
    return facts.finished_at is not None and facts.finished_at - now <= SKEW_MAX


def _is_result_missing(kind: JobKind, phase: Phase, facts: JobFacts) -> bool:
    """Whether a succeeded job lacks the name of its result. Providers may add it a little later."""
    return kind.promises_result and phase is Phase.SUCCEEDED and kind.result_of(facts) is None


def _reopened(last: JobStatus, phase: Phase, now: datetime) -> JobStatus:
    """Return the status of a job that had not ended after all. Its end is dropped, and its receipts are kept."""
    mark = HistoryEntry(now, phase, Reason.PHASE_WENT_BACK)
    return replace(
        last,
        final=False,
        doubted_at=None,
        job=replace(last.job, finished_at=None) if last.job else None,
        history=(mark, *last.history)[:HISTORY_MAX],
    )
