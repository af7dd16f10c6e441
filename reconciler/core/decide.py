"""The one decision: from a spec, a look, the last status and the time to a status and at most one action.

Rules, in this order: a look that failed changes nothing; what a look shows closes open receipts; suspended asks for
nothing; a limit swaps the column, for unfinished phases only; then `table.TABLE` speaks; then only, whether an attempt
is due. Pure and total: any look, any last status, any clock. Deciding again on the status that came out changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core import backoff, limits
from reconciler.core.conditions import Stance, Verdict, conclude, phase_since, verdict_of
from reconciler.core.facts import has_accepted_cancel, is_final, merge, recall
from reconciler.core.receipts import confirm, is_contested, limit_asked_for, newest_cancel, open_for, withdraw
from reconciler.core.schedule import estimated_finish, next_look
from reconciler.core.settle import not_honoured
from reconciler.core.subject import Subject
from reconciler.core.table import TABLE, Row, Situation
from reconciler.model.job import TERMINAL, UNFINISHED, Look, ObservedJob, Phase, Unseen
from reconciler.model.plan import Action
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState, render_instant
from reconciler.model.status import Because, JobFacts, JobStatus, Outcome, Receipt, Verb

_LASTS = {
    Phase.UNKNOWN: timedelta(hours=24),
    Phase.CANCELLING: timedelta(hours=2),
    Phase.PAUSING: timedelta(minutes=30),
}
"""How long a wait for each phase may last before a person is called."""
_FROM_OUTSIDE = frozenset({Reason.INVALID_SPEC, Reason.INVALID_PROVIDER, Reason.DUPLICATE_JOB, Reason.HOST_NOT_TRUSTED})
"""Said of a spec without looking at its job; once the spec is mended, that is news even if nobody can look."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, what to ask for, and when to look again."""

    status: JobStatus
    action: Action | None
    requeue: timedelta | None
    """None: only a change can make this worth looking at again."""


@dataclass(frozen=True, slots=True)
class _Situated:
    """A look, read against what was known."""

    phase: Phase
    facts: JobFacts
    receipts: tuple[Receipt, ...]
    limit: str | None
    """The limit that the job is over, where its column is swapped for it."""
    is_limit_remembered: bool
    """This look cannot tell whether it is: what was asked for it stays asked for, and nothing is asked."""


def decide(subject: Subject, look: Look, last: JobStatus | None, now: datetime) -> Decision:
    """Decide about one job. `now` is aware, in whole seconds."""
    if isinstance(look, Unseen):
        return _undecided(subject, last, now)
    seen = _situate(subject, look.job, last, now)
    wanted = DesiredState.CANCELLED if _is_limit_in_force(subject, seen) else subject.spec.desired_state
    row = TABLE[_situation(subject, seen, wanted), wanted]
    is_suspended = _is_suspended(subject, now)
    if not is_suspended:
        seen = replace(seen, receipts=withdraw(seen.receipts, _verb_of(row, wanted)))
    action = None
    if is_suspended:
        verdict = Verdict(Stance.SUSPENDED, Reason.SUSPENDED, _suspended_message(subject))
    elif row.verb is None:
        verdict = _hold_or_wait(row, seen, last, wanted, now)
    else:
        verdict, action = _request(subject, row, seen, last, wanted, now)
    status = _settled_draft(subject, seen, last, verdict, now)
    return Decision(status, action, next_look(subject, status, now, estimated_finish(look)))


def is_news(subject: Subject, last: JobStatus | None) -> bool:
    """Whether a spec says something that its status does not speak of yet, so that its job is looked at at once."""
    return (
        last is None
        or (last.name, last.source, last.observed_spec) != (subject.name, subject.source, subject.digest)
        or last.ready.reason in _FROM_OUTSIDE
    )


def _undecided(subject: Subject, last: JobStatus | None, now: datetime) -> Decision:
    """Nobody could look: what was known stays as it was, and only a spec that changed meanwhile is told."""
    moved = replace(last, name=subject.name, source=subject.source) if last else None
    if moved is not None and not is_news(subject, moved):
        return Decision(moved, None, subject.interval)
    draft = _draft(subject, last)
    verdict = Verdict(
        Stance.BLIND,
        Reason.CANNOT_OBSERVE_PROVIDER,
        "the spec changed while the provider could not be looked at; nothing is done until it can be",
    )
    return Decision(conclude(draft, verdict, last, now), None, subject.interval)


def _draft(subject: Subject, last: JobStatus | None) -> JobStatus:
    has_changed = last is None or last.observed_spec != subject.digest
    generation = (last.observed_generation if last else 0) + has_changed
    return JobStatus(
        name=subject.name,
        observed_generation=generation,
        observed_spec=subject.digest,
        source=subject.source,
        phase=last.phase if last else Phase.UNKNOWN,
        final=last.final if last else False,
        conditions=(),
        job=last.job if last else None,
        receipts=last.receipts if last else (),
        history=last.history if last else (),
    )


def _situate(subject: Subject, job: ObservedJob | None, last: JobStatus | None, now: datetime) -> _Situated:
    as_of = job.as_of if job else None
    if job is None and last is not None and last.phase in TERMINAL:
        # A job that had ended and that the provider then forgot stays as it was.
        job = recall(last)
    facts = merge(subject.ref, job, last, now)
    phase = job.phase if job else Phase.ABSENT
    if phase is Phase.CANCELLED and not subject.capabilities.confirms and facts.finished_at is None:
        phase = Phase.CANCELLING
    receipts = confirm(last, phase, now, subject.interval)
    if phase in UNFINISHED and limits.is_believable(as_of, now):
        limit = limits.reached(subject.spec.limits, facts, phase, as_of, now)
        return _Situated(phase, facts, receipts, limit, is_limit_remembered=False)
    is_same_spec = last is not None and last.observed_spec == subject.digest
    is_observed = subject.spec.desired_state is DesiredState.OBSERVED
    limit = limit_asked_for(receipts, is_still_meant=is_same_spec and not is_observed)
    return _Situated(phase, facts, receipts, limit, is_limit_remembered=limit is not None)


def _is_limit_in_force(subject: Subject, seen: _Situated) -> bool:
    return seen.limit is not None and subject.spec.desired_state is not DesiredState.OBSERVED


def _is_suspended(subject: Subject, now: datetime) -> bool:
    suspension = subject.suspension
    return suspension is not None and (suspension.until is None or now < suspension.until)


def _suspended_message(subject: Subject) -> str:
    suspension = subject.suspension
    why = f": {suspension.reason}" if suspension and suspension.reason else ""
    until = f", until {render_instant(suspension.until)}" if suspension and suspension.until else ""
    return f"suspended{until}{why}"


def _situation(subject: Subject, seen: _Situated, wanted: DesiredState) -> Situation:
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


def _ended_over_limit(subject: Subject, seen: _Situated, cancel: Receipt | None) -> bool:
    """Tell a limit's cancel from the provider's own times, so that it is known even if its receipt was lost."""
    return cancel is None and limits.was_over_at_end(subject.spec.limits, seen.facts)


def _absence(seen: _Situated, cancel: Receipt | None) -> Situation:
    if not seen.facts.was_seen:
        return Situation.NEVER_SEEN
    if cancel is not None and cancel.outcome is Outcome.GONE:
        return Situation.GONE_AFTER_CANCEL
    if cancel is not None and cancel.is_open and cancel.accepted_at is not None:
        return Situation.VANISHED_AFTER_CANCEL
    return Situation.VANISHED


def _verb_of(row: Row, wanted: DesiredState) -> Verb | None:
    """Return the verb whose receipt may stay open: the one that is asked for, or waited for."""
    if row.verb is not None:
        return row.verb
    return {
        DesiredState.CANCELLED: Verb.CANCEL,
        DesiredState.PAUSED: Verb.PAUSE,
        DesiredState.RUNNING: Verb.RESUME,
    }.get(wanted)


def _hold_or_wait(row: Row, seen: _Situated, last: JobStatus | None, wanted: DesiredState, now: datetime) -> Verdict:
    patience = _LASTS.get(seen.phase)
    if row.stance is Stance.WAIT and patience is not None:
        since = phase_since(last, seen.phase)
        reason = Reason.CANCEL_STUCK if row.reason is Reason.CANCEL_PENDING else row.reason
        lasting = Verdict(Stance.GIVE_UP, reason, f"still {seen.phase} at the provider after {_hours(patience)}")
        # Once said it stays said: a history that flaps forgets since when, and a clock may jump back.
        is_said = last is not None and verdict_of(last) == lasting
        if is_said or (since is not None and now - since >= patience):
            return lasting
    return Verdict(row.stance, row.reason, _message(row, seen, wanted))


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _message(row: Row, seen: _Situated, wanted: DesiredState) -> str:
    match row.reason:
        case Reason.JOB_NOT_FOUND:
            return "the provider does not know this job id: a typo, or another account"
        case Reason.JOB_VANISHED | Reason.JOB_GONE:
            return "the provider no longer knows this job"
        case Reason.CANCEL_PENDING if seen.phase is Phase.ABSENT:
            return "the provider no longer knows this job; to be looked at once more"
        case Reason.PHASE_NOT_UNDERSTOOD:
            return f"the provider says {seen.facts.provider_status!r}, which this version does not know"
        case Reason.JOB_FAILED if seen.facts.error is not None and seen.facts.error.message:
            return f"failed at the provider: {seen.facts.error.message}"
        case Reason.LIMIT_REACHED:
            return "cancelled, being over a limit of its spec"
        case _ if seen.limit is not None and wanted is DesiredState.OBSERVED:
            return f"{seen.phase} at the provider; over {seen.limit}, which on an observed job is only told"
        case _:
            return f"{seen.phase} at the provider"


def _request(
    subject: Subject, row: Row, seen: _Situated, last: JobStatus | None, wanted: DesiredState, now: datetime
) -> tuple[Verdict, Action | None]:
    """Say whether the row's verb is asked for now."""
    verb = row.verb
    assert verb is not None  # noqa: S101  the caller's branch; for the type checker
    if verb is not Verb.CANCEL and not subject.capabilities.can_pause:
        return Verdict(Stance.GIVE_UP, Reason.NOT_SUPPORTED, f"{subject.ref.account.type} cannot {verb} a job"), None
    receipt = open_for(seen.receipts, verb)
    if receipt is None and verb is not Verb.CANCEL and is_contested(seen.receipts, verb, now):
        return Verdict(
            Stance.GIVE_UP, Reason.CONTESTED, f"others have undone our {verb} three times within a day"
        ), None
    verdict = _pending(row, verb, seen, receipt, last, now)
    is_limit = wanted is not subject.spec.desired_state
    is_due = receipt is None or subject.is_retry or backoff.is_attempt_due(receipt, now)
    if not is_due or (is_limit and seen.is_limit_remembered):
        return verdict, None
    action = Action(
        verb=verb,
        ref=subject.ref,
        name=subject.name,
        because=Because.LIMIT_REACHED if is_limit else Because.DESIRED_STATE,
        reason=seen.limit if is_limit else subject.spec.reason,
        is_first_attempt=receipt is None,
    )
    return verdict, action


def _pending(
    row: Row, verb: Verb, seen: _Situated, receipt: Receipt | None, last: JobStatus | None, now: datetime
) -> Verdict:
    """Say how a request stands. What was said when its receipt last moved is said until it moves again."""
    if receipt is not None and last is not None and last.open_receipt == receipt:
        before = verdict_of(last)
        if before.reason is Reason.ACTION_FORBIDDEN:
            return before
        if backoff.is_exhausted(receipt, now):
            return not_honoured(verb, seen.phase)
        if before.reason is row.reason and before.stance is Stance.WAIT:
            return before
    over = f", over {seen.limit}" if seen.limit else ""
    is_asked = "was asked for" if receipt else "is due"
    return Verdict(row.stance, row.reason, f"{seen.phase} at the provider{over}; {verb} {is_asked}")


def _settled_draft(
    subject: Subject, seen: _Situated, last: JobStatus | None, verdict: Verdict, now: datetime
) -> JobStatus:
    draft = replace(
        _draft(subject, last),
        phase=seen.phase,
        final=is_final(seen.phase, seen.facts, seen.receipts, last, now),
        job=seen.facts,
        receipts=seen.receipts,
    )
    status = conclude(draft, verdict, last, now)
    if last is not None and last.job is not None:
        # Progress that moves by itself is no news: it is written only together with some.
        as_before = replace(status, job=replace(seen.facts, trained_tokens=last.job.trained_tokens))
        if as_before == last:
            return last
    return status
