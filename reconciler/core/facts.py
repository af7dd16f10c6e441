"""Merge an observation of a job with the facts of its last status.

Rules: a field that the observation leaves out keeps its last value. A null replaces the last value, except that a known
start time is kept. Times are truncated to whole seconds, as in statuses. A number that a status cannot represent is
treated as left out, so that every status can be parsed again.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Any, TypeVar

from reconciler.model.capabilities import Capabilities
from reconciler.model.job import UNSET, JobCounts, JobRef, ObservedJob, Phase, Unset
from reconciler.model.kind import KINDS
from reconciler.model.reason import Reason
from reconciler.model.status import JobFacts, JobStatus

T = TypeVar("T")
COUNT_MAX = 10**18 - 1
"""The largest number that a status can represent. It is far above any token count."""
_BEFORE_START = frozenset({Phase.VALIDATING_FILES, Phase.QUEUED})


def merge(ref: JobRef, job: ObservedJob | None, last: JobStatus | None, now: datetime) -> JobFacts:
    """Return the facts about a job after an observation. The kind of the job determines which facts it has.

    If the job is absent (`job` is None), the facts are those of the last status, if there are any. If the job is
    running and its start time is neither reported nor known, it is recorded as started now.
    """
    known = last.job if last and last.job else JobFacts(account=str(ref.account), id=ref.id)
    if job is None:
        return known
    started_at = _seconds(_value(job.started_at, known.started_at)) or known.started_at
    if started_at is None and job.phase is Phase.RUNNING:
        started_at = now
    found: dict[str, Any] = {
        "provider_status": job.provider_status,
        "model": _value(job.model, known.model),
        "fine_tuned_model": _value(job.fine_tuned_model, known.fine_tuned_model),
        "created_at": _seconds(_value(job.created_at, known.created_at)),
        "started_at": started_at,
        "finished_at": _seconds(_value(job.finished_at, known.finished_at)),
        "trained_tokens": _count(job.trained_tokens, known.trained_tokens),
        "error": _value(job.error, known.error),
        "output_file": _value(job.output_file, known.output_file),
        "expires_at": _seconds(_value(job.expires_at, known.expires_at)),
        "counts": _counts(job.counts, known.counts),
        "tokens": _count(job.tokens, known.tokens),
    }
    return JobFacts(account=str(ref.account), id=ref.id, **{name: found[name] for name in KINDS[ref.kind].facts})


def may_have_started(status: JobStatus | None) -> bool:
    """Return whether the job may have started without a record of it, because an earlier status was discarded."""
    ours = takewhile(lambda entry: entry.reason is not Reason.JOB_CHANGED, status.history if status else ())
    return any(entry.reason is Reason.STATUS_DISCARDED for entry in ours)


def is_waiting_to_start(phase: Phase, facts: JobFacts) -> bool:
    """Return whether the job has not started yet."""
    return phase in _BEFORE_START and facts.started_at is None


def confirmed_phase(phase: Phase, finished_at: datetime | None, capabilities: Capabilities) -> Phase:
    """Return the observed phase, or `cancelling` for a reported `cancelled` that is not certain yet.

    If the provider reports `cancelling` as `cancelled`, the job is cancelled only once it has an end time.
    """
    is_hidden = phase is Phase.CANCELLED and not capabilities.confirms and finished_at is None
    return Phase.CANCELLING if is_hidden else phase


def observation_from_status(status: JobStatus) -> ObservedJob | None:
    """Return the job as its status records it, or None if the status contains no job or records it as absent.

    The result is used where no observation is made, such as for a settled job.
    """
    if status.phase is Phase.ABSENT or status.job is None:
        return None
    facts = status.job
    return ObservedJob(
        id=facts.id,
        phase=status.phase,
        provider_status=facts.provider_status or "",
        model=facts.model,
        fine_tuned_model=facts.fine_tuned_model,
        created_at=facts.created_at,
        started_at=facts.started_at,
        finished_at=facts.finished_at,
        trained_tokens=facts.trained_tokens,
        error=facts.error,
        output_file=facts.output_file,
        expires_at=facts.expires_at,
        counts=facts.counts,
        tokens=facts.tokens,
    )


def _value(new: T | Unset, known: T) -> T:
    return known if new is UNSET else new


def _count(new: int | None | Unset, known: int | None) -> int | None:
    # A third-party adapter may return any value that its provider sent.
    is_count = new is None or (type(new) is int and 0 <= new <= COUNT_MAX)
    return _value(new, known) if is_count else known


def _counts(new: JobCounts | None | Unset, known: JobCounts | None) -> JobCounts | None:
    if not isinstance(new, JobCounts):
        return _value(new, known)
    of = known or JobCounts()
    return JobCounts(
        total=_count(new.total, of.total), done=_count(new.done, of.done), failed=_count(new.failed, of.failed)
    )


def _seconds(moment: datetime | None) -> datetime | None:
    return moment.replace(microsecond=0) if moment is not None and moment.microsecond else moment
