"""Reports as a pass returns them, for the tests of the output."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model.action import Action, Progress
from reconciler.model.job import Account, JobCounts, JobRef, ObservedJob, Phase, Unobserved, Unset
from reconciler.model.kind import BATCH
from reconciler.model.reason import Reason
from reconciler.model.report import Refusal, Row
from reconciler.model.spec import DesiredState
from reconciler.model.status import (
    Because,
    Condition,
    ConditionStatus,
    ConditionType,
    JobFacts,
    JobStatus,
    Outcome,
    Receipt,
    Verb,
)
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext

NOW = datetime(2026, 11, 23, 14, 15, tzinfo=UTC)
CONTEXT = RenderContext(Canvas(), NOW)
CREATED_AT = NOW - timedelta(hours=5, minutes=15)
STARTED_AT = NOW - timedelta(hours=5, minutes=3)
OPENAI = Account("openai", "https://api.openai.com/v1")

OPEN = Receipt(
    verb=Verb.CANCEL,
    because=Because.DESIRED_STATE,
    reason=None,
    origin=None,
    requested_at=NOW - timedelta(minutes=14),
    last_attempt_at=NOW - timedelta(minutes=10),
    attempts=2,
    accepted_at=NOW - timedelta(minutes=10),
)
CONFIRMED = replace(OPEN, confirmed_at=NOW, outcome=Outcome.CANCELLED)


def a_row(  # noqa: PLR0913 - each test passes only the parts that it is about
    name: str = "support-triage",
    *,
    phase: Phase = Phase.RUNNING,
    reason: Reason = Reason.AS_DESIRED,
    message: str = "as its spec wants it",
    also: ConditionType | None = None,
    receipts: tuple[Receipt, ...] = (),
    started_at: datetime | None = STARTED_AT,
    account: Account = OPENAI,
    unobserved: str | None = None,
) -> Row:
    """Return the row of a job, which is ready unless `also` or the reason says otherwise."""
    is_ready = also is None and reason not in {Reason.SUSPENDED, Reason.WOULD_CANCEL, Reason.OUTSIDE_WINDOW}
    conditions = [_condition(ConditionType.READY, reason, message, is_true=is_ready)]
    if also is not None:
        conditions.append(_condition(also, reason, message, is_true=True))
    ref = JobRef(account, f"ftjob-{name}")
    job = JobFacts(account=str(account), id=ref.id, provider_status=phase, created_at=CREATED_AT, started_at=started_at)
    status = JobStatus(
        name=name,
        observed_generation=1,
        observed_spec="sha256:1",
        source="team-a/bots.yaml",
        phase=phase,
        final=False,
        conditions=tuple(conditions),
        job=job,
        receipts=receipts,
    )
    return Row(
        name=name,
        source="team-a/bots.yaml",
        provider=account.type,
        ref=ref,
        wanted=DesiredState.RUNNING,
        status=status,
        before=None,
        unobserved=None if unobserved is None else Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, unobserved),
    )


def a_stalled_row(name: str, reason: Reason = Reason.JOB_NOT_FOUND, message: str = "look for a typo") -> Row:
    """Return the row of a job that needs manual action."""
    return a_row(name, phase=Phase.ABSENT, reason=reason, message=message, also=ConditionType.STALLED)


def a_suspended_row(name: str) -> Row:
    """Return the row of a suspended job."""
    return a_row(name, reason=Reason.SUSPENDED, message="suspended: incident 7")


def a_waiting_row(
    name: str = "support-triage", *, receipts: tuple[Receipt, ...] = (), phase: Phase | None = None
) -> Row:
    """Return the row of a job whose cancel has been requested and not confirmed."""
    return a_row(
        name,
        phase=phase or Phase.RUNNING,
        reason=Reason.CANCEL_PENDING,
        message="a cancel is due",
        also=ConditionType.RECONCILING,
        receipts=receipts,
    )


def with_cancel(
    row: Row,
    *,
    progress: Progress | None = None,
    why: str | None = None,
    because: Because = Because.DESIRED_STATE,
    is_first_attempt: bool = True,
) -> Row:
    """Return the row with a cancel, which is due or has the result `progress`."""
    action = Action(
        verb=Verb.CANCEL,
        ref=row.ref or JobRef(OPENAI, "ftjob-unnamed"),
        name=row.name,
        because=because,
        reason=why,
        is_first_attempt=is_first_attempt,
    )
    return replace(row, wanted=DesiredState.CANCELLED, action=action, progress=progress)


def a_refusal(scope: str, *names: str, **rest: Any) -> Refusal:
    """Return a refusal of the first changes of these jobs, at the default limits, in an account with thirty jobs."""
    usual: dict[str, Any] = {
        "requested": len(names),
        "earlier": 0,
        "unfinished": 30,
        "max_cancels": 3,
        "max_cancel_percent": 30,
        "max_cancels_absolute": 20,
    }
    return Refusal(scope=scope, names=names, **usual | rest)


def _condition(type_: ConditionType, reason: Reason, message: str, *, is_true: bool) -> Condition:
    return Condition(
        type=type_,
        status=ConditionStatus.TRUE if is_true else ConditionStatus.FALSE,
        reason=reason,
        message=message,
        observed_generation=1,
        last_transition_time=NOW,
    )


def a_counted_batch(*, done: int, tokens: int | Unset) -> Row:
    """Return the row of a batch with 1 of 10 requests done and 100 tokens in its status, as a pass observed it."""
    row = a_row()
    facts = JobFacts(
        account=str(OPENAI),
        id="batch_1",
        created_at=CREATED_AT,
        counts=JobCounts(total=10, done=1, failed=0),
        tokens=100,
    )
    seen = ObservedJob(
        id=facts.id, phase=Phase.RUNNING, provider_status="in_progress", counts=JobCounts(10, done, 0), tokens=tokens
    )
    return replace(row, seen=seen, status=replace(row.status, kind=BATCH, job=facts))
