"""Decide what to do about one job: compute its new status and at most one action.

The input is a spec, an observation of its job, its last status and the time. These rules apply in this order:

1. If the observation failed, there is no action. The last status is kept, unless its spec changed or it was set without
   an observation.
2. An open receipt is closed if the observation shows its outcome.
3. If the job is suspended, there is no action.
4. If the job exceeds a limit, or reconcile requested a cancel because of a limit, the column `cancelled` of the table
   applies. Limits of a job whose desired state is `observed` are only reported.
5. `table.TABLE` determines the verb and the verdict. A job that something else paused (`core.paused_elsewhere`) has
   rows of its own. The job is stalled instead if the phase lasts too long, or if the verb is not supported, contested
   or without effect.
6. The action is returned only if an attempt is due now, by `backoff` or because a user requested a retry, and if the
   change windows are open (`core.due_request`).

`decide` is pure and total: it accepts every observation, last status and time. It is idempotent: given the status that
it returned and the same observation and time, it returns the same status.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.core.conditions import Readiness, Verdict, conclude, never_observed, phase_since, verdict_of
from reconciler.core.due_request import due_request
from reconciler.core.finality import is_final
from reconciler.core.messages import message_of, reason_of, suspended_message
from reconciler.core.receipts import withdraw
from reconciler.core.schedule import estimated_finish, next_poll
from reconciler.core.situation import Situated, situate, situation
from reconciler.core.subject import Subject
from reconciler.core.table import TABLE, TableRow
from reconciler.core.unchanged import is_unchanged
from reconciler.model.action import Action
from reconciler.model.job import Observation, Observed, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import JobStatus, Verb

_PHASE_TIMEOUTS = {
    Phase.UNKNOWN: timedelta(hours=24),
    Phase.CANCELLING: timedelta(hours=2),
    Phase.PAUSING: timedelta(minutes=30),
}
"""How long a job may stay reconciling in a phase before it is stalled. Other phases have no timeout."""
_SET_WITHOUT_OBSERVATION = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.INVALID_PROVIDER,
        Reason.DUPLICATE_JOB,
        Reason.HOST_NOT_TRUSTED,
        Reason.SPEC_DELETED,
    }
)
"""Reasons that are set without observing the job. Once the spec can be acted on, its job is observed at once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The status to write, the action to request, and the time until the next poll."""

    status: JobStatus
    action: Action | None
    """The action, or None if no request is due now."""
    requeue: timedelta | None
    """The time until the next poll, or None if the job needs no poll until its spec changes."""
    last: JobStatus | None = field(default=None, compare=False)
    """The last status that the decision was based on, or None if there was none.

    It differs from the status on disk if the decision reopened a final job (`core.finality`). If this pass changes the
    status again after the request, that change is compared with `last` too.
    """


def decide(
    subject: Subject, observation: Observation, last: JobStatus | None, now: datetime, *, is_refused: bool = False
) -> Decision:
    """Return the decision about one job.

    Args:
        subject: the spec.
        observation: what was observed, or why the job could not be observed.
        last: the last status that was written, or None if there is none.
        now: the current time, aware and in whole seconds.
        is_refused: whether the provider refused the open request, and the observation was made because of that
            (`AlreadyOver`).
    """
    job = observation.job if isinstance(observation, Observed) and not is_refused else None
    if last is not None and is_unchanged(subject, job, last):
        return Decision(last, None, next_poll(subject, last, now, estimated_finish(observation)), last)
    return decide_in_full(subject, observation, last, now, is_refused=is_refused)


def decide_in_full(
    subject: Subject, observation: Observation, last: JobStatus | None, now: datetime, *, is_refused: bool = False
) -> Decision:
    """Return the decision about one job, even if nothing has changed. The arguments are those of `decide`."""
    if isinstance(observation, Unobserved):
        return _decide_unobserved(subject, last, now)
    seen = situate(subject, observation.job, last, now, is_refused=is_refused)
    wanted = DesiredState.CANCELLED if _is_limit_in_force(subject, seen) else subject.spec.desired_state
    row = TABLE[situation(subject, seen, wanted), wanted]
    suspended = subject.is_suspended(now)
    if seen.receipts and not suspended:
        seen = replace(seen, receipts=withdraw(seen.receipts, _verb_of(row, wanted)))
    action = None
    if suspended:
        verdict = Verdict(Readiness.SUSPENDED, Reason.SUSPENDED, suspended_message(subject.suspension))
    elif row.verb is None:
        verdict = _without_request(row, seen, wanted, now)
    else:
        verdict, action = due_request(subject, row, row.verb, seen, wanted, now)
    status = _written(subject, seen, verdict, now)
    return Decision(status, action, next_poll(subject, status, now, estimated_finish(observation)), seen.last)


def must_observe(subject: Subject, last: JobStatus | None) -> bool:
    """Return whether the spec is new, changed, renamed or moved, or the status was set without observing the job."""
    return (
        last is None
        or (last.name, last.source, last.observed_spec) != (subject.name, subject.source, subject.digest)
        or last.ready.reason in _SET_WITHOUT_OBSERVATION
    )


def _decide_unobserved(subject: Subject, last: JobStatus | None, now: datetime) -> Decision:
    """Return the decision about an unobserved job.

    The last status is kept, with the current name and file of the spec. If the spec has changed since, or if there is
    no status that was set by observing the job, the new status reports that the job could not be observed.
    """
    moved = replace(last, name=subject.name, source=subject.source) if last else None
    if moved is not None and not must_observe(subject, moved):
        return Decision(moved, None, subject.interval, last)
    draft = replace(
        moved or never_observed(subject.name, subject.source, subject.kind),
        observed_generation=_generation(subject, last),
        observed_spec=subject.digest,
        warning=None,
        kind=subject.kind,
    )
    verdict = Verdict(
        Readiness.UNOBSERVED,
        Reason.CANNOT_OBSERVE_PROVIDER,
        "this version of the spec could not be observed yet; no change is requested until the job is observed",
    )
    return Decision(conclude(draft, verdict, last, now), None, subject.interval, last)


def _generation(subject: Subject, last: JobStatus | None) -> int:
    """Return the number of this version of the spec."""
    has_changed = last is None or last.observed_spec != subject.digest
    return (last.observed_generation if last else 0) + has_changed


def _is_limit_in_force(subject: Subject, seen: Situated) -> bool:
    return seen.limit is not None and subject.spec.desired_state is not DesiredState.OBSERVED


def _verb_of(row: TableRow, wanted: DesiredState) -> Verb | None:
    """Return the verb whose receipt may stay open, because the change is requested or in progress, or None."""
    if row.verb is not None:
        return row.verb
    return {
        DesiredState.CANCELLED: Verb.CANCEL,
        DesiredState.PAUSED: Verb.PAUSE,
        DesiredState.RUNNING: Verb.RESUME,
    }.get(wanted)


def _without_request(row: TableRow, seen: Situated, wanted: DesiredState, now: datetime) -> Verdict:
    """Return the verdict of a table row without a verb. A job that exceeds the timeout of its phase is stalled."""
    timeout = _PHASE_TIMEOUTS.get(seen.phase)
    if row.readiness is Readiness.RECONCILING and timeout is not None:
        since = phase_since(seen.last, seen.phase)
        reason = Reason.CANCEL_STUCK if row.reason is Reason.CANCEL_PENDING else row.reason
        lasting = Verdict(Readiness.STALLED, reason, f"still {seen.phase} at the provider after {_hours(timeout)}")
        # Once written, the verdict is kept: a history that flaps loses the start of a phase, and a clock may jump back.
        is_written = seen.last is not None and verdict_of(seen.last) == lasting
        if is_written or (since is not None and now - since >= timeout):
            return lasting
    return Verdict(row.readiness, reason_of(row, seen), message_of(row, seen, wanted))


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _written(subject: Subject, seen: Situated, verdict: Verdict, now: datetime) -> JobStatus:
    """Return the status to write after an observation."""
    last = seen.last
    draft = JobStatus(
        name=subject.name,
        observed_generation=_generation(subject, last),
        observed_spec=subject.digest,
        source=subject.source,
        phase=seen.phase,
        final=is_final(subject.kind, seen.phase, seen.facts, seen.receipts, last, now),
        doubted_at=seen.doubted_at,
        paused_elsewhere=seen.paused_elsewhere,
        conditions=(),
        job=seen.facts,
        receipts=seen.receipts,
        warning=seen.warning,
        spent=last.spent if last else (),
        kind=subject.kind,
    )
    return conclude(draft, verdict, last, now)
