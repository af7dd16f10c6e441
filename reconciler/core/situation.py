"""What a look shows, read against what was known: the situation that the table is asked about.

Rules: what a look shows closes open receipts; a limit is judged on unfinished phases only, and by a clock that can be
believed; a provider that hides `cancelling` has cancelled only once it gives an end. Time and receipts are read here,
so that the table need not know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.core import limits
from reconciler.core.facts import may_have_started, merge, proven
from reconciler.core.finality import believe
from reconciler.core.receipts import confirm, has_accepted_cancel, limit_asked_for, may_vanish, newest_cancel
from reconciler.core.subject import Subject
from reconciler.core.table import Situation
from reconciler.model.job import UNFINISHED, ObservedJob, Phase
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, JobFacts, JobStatus, Outcome, Receipt


@dataclass(frozen=True, slots=True)
class Situated:
    """A look, read against what was known. `last` is that: the status that was last written, or what is left of it."""

    last: JobStatus | None
    phase: Phase
    facts: JobFacts
    receipts: tuple[Receipt, ...]
    limit: str | None
    """The limit that the job is over, where its column is swapped for it."""
    is_limit_remembered: bool
    """This look cannot tell whether it is: what was asked for it stays asked for, and nothing is asked."""
    doubted_at: datetime | None


def situate(subject: Subject, job: ObservedJob | None, last: JobStatus | None, now: datetime) -> Situated:
    """Read a look that worked."""
    belief = believe(job, last, now)
    job, last = belief.job, belief.last
    as_of = job.as_of if job else None
    facts = merge(subject.ref, job, last, now)
    phase = proven(job.phase if job else Phase.ABSENT, facts.finished_at, subject.capabilities)
    receipts = confirm(last, phase, now, subject.interval)
    is_told = phase in UNFINISHED and limits.is_believable(as_of, now)
    if is_told:
        limit = limits.reached(subject.spec.limits, facts, phase, as_of, now, may_have_started=may_have_started(last))
    else:
        is_same_spec = last is not None and last.observed_spec == subject.digest
        is_observed = subject.spec.desired_state is DesiredState.OBSERVED
        limit = limit_asked_for(receipts, is_still_meant=is_same_spec and not is_observed)
    is_remembered = limit is not None and not is_told
    return Situated(last, phase, facts, receipts, limit, is_remembered, belief.doubted_at)


def situation(subject: Subject, seen: Situated, wanted: DesiredState) -> Situation:
    """Say what is so. Every phase has an answer here."""
    cancel = newest_cancel(seen.receipts)
    match seen.phase:
        case Phase.ABSENT:
            return _absence(seen, cancel)
        case Phase.PAUSING | Phase.PAUSED | Phase.FAILED | Phase.UNKNOWN:
            return Situation(seen.phase.value)
        case Phase.CANCELLING:
            return Situation.CANCELLING_BY_US if cancel else Situation.CANCELLING
        case Phase.SUCCEEDED:
            was_accepted = has_accepted_cancel(seen.receipts)
            return Situation.SUCCEEDED_DESPITE_CANCEL if was_accepted else Situation.SUCCEEDED
        case Phase.CANCELLED:
            is_for_limit = cancel and cancel.because is Because.LIMIT_REACHED and cancel.outcome is Outcome.CANCELLED
            if is_for_limit or (wanted is not DesiredState.CANCELLED and _ended_over_limit(subject, seen, cancel)):
                return Situation.CANCELLED_BY_LIMIT
            return Situation.CANCELLED_BY_US if cancel else Situation.CANCELLED
        case _:
            return Situation.PROGRESSING


def _ended_over_limit(subject: Subject, seen: Situated, cancel: Receipt | None) -> bool:
    """Tell a limit's cancel from the provider's own times, so that it is known even if its receipt was lost."""
    return cancel is None and limits.was_over_at_end(subject.spec.limits, seen.facts)


def _absence(seen: Situated, cancel: Receipt | None) -> Situation:
    if not seen.facts.was_seen:
        return Situation.NEVER_SEEN
    if cancel is not None and cancel.outcome is Outcome.GONE:
        return Situation.GONE_AFTER_CANCEL
    return Situation.VANISHED_AFTER_CANCEL if may_vanish(seen.receipts) else Situation.VANISHED
