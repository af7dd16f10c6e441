"""The one decision: from a spec, a look, the last status and the time to a status and at most one action.

Rules, in this order: a look that failed changes nothing; what a look shows closes open receipts; suspended asks for
nothing; a limit swaps the column, for unfinished phases only; then `table.TABLE` speaks; then only, whether an attempt
is due. Pure and total: any look, any last status, any clock. Deciding again on the status that came out changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.core import backoff
from reconciler.core.conditions import Stance, Verdict, conclude, phase_since, verdict_of
from reconciler.core.finality import is_final
from reconciler.core.receipts import is_contested, open_for, withdraw
from reconciler.core.schedule import estimated_finish, next_look
from reconciler.core.settle import not_honoured
from reconciler.core.situation import Situated, situate, situation
from reconciler.core.subject import Subject
from reconciler.core.table import TABLE, Row
from reconciler.model.job import Look, Phase, Unseen
from reconciler.model.reason import Reason
from reconciler.model.report import Action
from reconciler.model.spec import DesiredState, render_instant
from reconciler.model.status import Because, JobStatus, Receipt, Verb

_LASTS = {
    Phase.UNKNOWN: timedelta(hours=24),
    Phase.CANCELLING: timedelta(hours=2),
    Phase.PAUSING: timedelta(minutes=30),
}
"""How long a wait for each phase may last before a person is called."""
_FROM_OUTSIDE = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.INVALID_PROVIDER,
        Reason.DUPLICATE_JOB,
        Reason.HOST_NOT_TRUSTED,
        Reason.SPEC_DELETED,
    }
)
"""Said of a spec without looking at its job; once the spec is mended, that is news even if nobody can look."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, what to ask for, and when to look again."""

    status: JobStatus
    action: Action | None
    requeue: timedelta | None
    """None: only a change can make this worth looking at again."""
    last: JobStatus | None = field(default=None, compare=False)
    """What the look was read against: the status that was last written, or what is left of it. Whatever else is said of
    the job in this pass is said relative to this."""


def decide(subject: Subject, look: Look, last: JobStatus | None, now: datetime) -> Decision:
    """Decide about one job. `now` is aware, in whole seconds."""
    if isinstance(look, Unseen):
        return _undecided(subject, last, now)
    seen = situate(subject, look.job, last, now)
    wanted = DesiredState.CANCELLED if _is_limit_in_force(subject, seen) else subject.spec.desired_state
    row = TABLE[situation(subject, seen, wanted), wanted]
    is_left_alone = is_suspended(subject, now)
    if not is_left_alone:
        seen = replace(seen, receipts=withdraw(seen.receipts, _verb_of(row, wanted)))
    action = None
    if is_left_alone:
        verdict = Verdict(Stance.SUSPENDED, Reason.SUSPENDED, _suspended_message(subject))
    elif row.verb is None:
        verdict = _hold_or_wait(row, seen, wanted, now)
    else:
        verdict, action = _request(subject, row, seen, wanted, now)
    status = _settled_draft(subject, seen, verdict, now)
    return Decision(status, action, next_look(subject, status, now, estimated_finish(look)), seen.last)


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
        return Decision(moved, None, subject.interval, last)
    draft = _draft(subject, last)
    verdict = Verdict(
        Stance.BLIND,
        Reason.CANNOT_OBSERVE_PROVIDER,
        "the spec changed while the provider could not be looked at; nothing is done until it can be",
    )
    return Decision(conclude(draft, verdict, last, now), None, subject.interval, last)


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
        doubted_at=last.doubted_at if last else None,
        conditions=(),
        job=last.job if last else None,
        receipts=last.receipts if last else (),
        history=last.history if last else (),
        spent=last.spent if last else (),
    )


def _is_limit_in_force(subject: Subject, seen: Situated) -> bool:
    return seen.limit is not None and subject.spec.desired_state is not DesiredState.OBSERVED


def is_suspended(subject: Subject, now: datetime) -> bool:
    """Whether nothing may be asked for a job, because a person said so."""
    suspension = subject.suspension
    return suspension is not None and (suspension.until is None or now < suspension.until)


def _suspended_message(subject: Subject) -> str:
    suspension = subject.suspension
    why = f": {suspension.reason}" if suspension and suspension.reason else ""
    until = f", until {render_instant(suspension.until)}" if suspension and suspension.until else ""
    return f"suspended{until}{why}"


def _verb_of(row: Row, wanted: DesiredState) -> Verb | None:
    """Return the verb whose receipt may stay open: the one that is asked for, or waited for."""
    if row.verb is not None:
        return row.verb
    return {
        DesiredState.CANCELLED: Verb.CANCEL,
        DesiredState.PAUSED: Verb.PAUSE,
        DesiredState.RUNNING: Verb.RESUME,
    }.get(wanted)


def _hold_or_wait(row: Row, seen: Situated, wanted: DesiredState, now: datetime) -> Verdict:
    patience = _LASTS.get(seen.phase)
    if row.stance is Stance.WAIT and patience is not None:
        since = phase_since(seen.last, seen.phase)
        reason = Reason.CANCEL_STUCK if row.reason is Reason.CANCEL_PENDING else row.reason
        lasting = Verdict(Stance.GIVE_UP, reason, f"still {seen.phase} at the provider after {_hours(patience)}")
        # Once said it stays said: a history that flaps forgets since when, and a clock may jump back.
        is_said = seen.last is not None and verdict_of(seen.last) == lasting
        if is_said or (since is not None and now - since >= patience):
            return lasting
    return Verdict(row.stance, row.reason, _message(row, seen, wanted))


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _message(row: Row, seen: Situated, wanted: DesiredState) -> str:
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
    subject: Subject, row: Row, seen: Situated, wanted: DesiredState, now: datetime
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
    verdict = _pending(row, verb, seen, receipt, now)
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


def _pending(row: Row, verb: Verb, seen: Situated, receipt: Receipt | None, now: datetime) -> Verdict:
    """Say how a request stands. What was said when its receipt last moved is said until it moves again."""
    last = seen.last
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


def _settled_draft(subject: Subject, seen: Situated, verdict: Verdict, now: datetime) -> JobStatus:
    last = seen.last
    draft = replace(
        _draft(subject, last),
        phase=seen.phase,
        final=is_final(seen.phase, seen.facts, seen.receipts, last, now),
        doubted_at=seen.doubted_at,
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
