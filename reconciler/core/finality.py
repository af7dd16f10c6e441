"""Decide when a terminal phase is final, and when it is doubted again.

Theory: a final job is not polled, which saves most of the requests in a long-lived repository. The cost is that a final
job that runs again is noticed only in a list that was read for other jobs.

Rules: the first observation that contradicts a final phase is recorded and changes nothing else. A second such
observation at least a minute later reopens the job. An observation that does not contradict the final phase removes the
doubt. Therefore one stale list never reopens a job.
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
"""The minimum time between two observations that are considered independent."""
NAME_WITHIN = timedelta(hours=1)
"""How long to wait for the name of a succeeded job's result before the job is final without it."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The observation to use for a decision, and the last status to compare it with.

    `job` is None if the job counts as absent, and `last` is None if there is no status.
    """

    job: ObservedJob | None
    last: JobStatus | None
    doubted_at: datetime | None = None
    """When an observation first contradicted the final phase; None if there is no doubt or the job was reopened."""


def assess(job: ObservedJob | None, last: JobStatus | None, now: datetime) -> Assessment:
    """Compare an observation with the last status, and return the observation and status to decide from.

    `job` is None if the provider responded that the job does not exist.
    """
    if last is None:
        return Assessment(job, None)
    if not last.final:
        # A job that ended before it became absent keeps its recorded end.
        is_forgotten = job is None and last.phase in TERMINAL
        return Assessment(observation_from_status(last) if is_forgotten else job, last)
    if job is None or not is_contradicted(last.phase, job.phase):
        return Assessment(observation_from_status(last), last)
    # If the recorded time of a doubt is in the future, it came from a wrong clock.
    doubted_at = min(last.doubted_at or now, now)
    if now - doubted_at < AGREE_AFTER:
        return Assessment(observation_from_status(last), last, doubted_at)
    return Assessment(job, _reopened(last, job.phase, now))


def is_contradicted(ended_as: Phase, shown: Phase) -> bool:
    """Return whether an observed phase contradicts a final phase. The phase `unknown` never does."""
    return shown is not ended_as and shown is not Phase.UNKNOWN


def is_settled(last: JobStatus | None) -> bool:
    """Return whether a job is final and not doubted, so that it is not polled."""
    return last is not None and last.final and last.doubted_at is None


def is_final(
    kind: JobKind, phase: Phase, facts: JobFacts, receipts: tuple[Receipt, ...], last: JobStatus | None, now: datetime
) -> bool:
    """Return whether the job has ended for good in this phase. An absent job is not final, because no end was seen."""
    if phase not in TERMINAL:
        return False
    if last is not None and last.final and last.phase is phase:
        return True
    since, ended_at = phase_since(last, phase), facts.finished_at
    if _is_result_missing(kind, phase, facts) and now - (ended_at or since or now) < NAME_WITHIN:
        return False
    # A provider may correct a phase shortly after it reported it, so a phase without proof must last for a while.
    has_lasted = since is not None and now - since >= AGREE_AFTER
    return has_lasted or _is_proven(phase, facts, receipts, now)


def _is_proven(phase: Phase, facts: JobFacts, receipts: tuple[Receipt, ...], now: datetime) -> bool:
    """Return whether the provider reports a plausible end time, or accepted a cancel of the cancelled job."""
    if phase is Phase.CANCELLED and has_accepted_cancel(receipts):
        return True
    return facts.finished_at is not None and facts.finished_at - now <= SKEW_MAX


def _is_result_missing(kind: JobKind, phase: Phase, facts: JobFacts) -> bool:
    """Return whether a succeeded job has no result name yet. A provider may add the name a little later."""
    return kind.promises_result and phase is Phase.SUCCEEDED and kind.result_of(facts) is None


def _reopened(last: JobStatus, phase: Phase, now: datetime) -> JobStatus:
    """Return the last status of a job as reopened: not final, without the end time, and with a history entry."""
    mark = HistoryEntry(now, phase, Reason.PHASE_WENT_BACK)
    return replace(
        last,
        final=False,
        doubted_at=None,
        job=replace(last.job, finished_at=None) if last.job else None,
        history=(mark, *last.history)[:HISTORY_MAX],
    )
