"""The outcome of one decision, and the function that writes its status."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.controller.intents import IntentQueue
from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import RequestGroup
from reconciler.core.change_budget import UnwrittenBatch
from reconciler.core.schedule import next_poll
from reconciler.core.settle import RequestOutcome
from reconciler.core.subject import Subject
from reconciler.errors import bug
from reconciler.model.action_record import (
    Audit,
    Notify,
    ReceiptClosed,
    ReceiptOpen,
    ignore_event,
)
from reconciler.model.status import JobStatus
from reconciler.ports import Journal, Publisher, SpecSource, StatusStore


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying one job plan: the status of the job, and the outcome of the request if one was due."""

    case: JobPlan
    status: JobStatus
    look_after: timedelta | None
    """The time until the next poll; None if only a change of the spec can make a poll useful."""
    answer: RequestOutcome | None = None
    """The outcome of the request; None if no request was due, or if a bug ended its handling."""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """The ports and checks that are needed to apply a plan.

    Without `publisher`, statuses are only written to the disk. Without `audit` or `journal`, there is no such record.
    """

    specs: SpecSource
    statuses: StatusStore
    now: Callable[[], datetime]
    publisher: Publisher | None = None
    audit: Audit | None = None
    edition: int = 0
    """The publisher's edition at the time when the statuses that the decisions are based on were read."""
    is_sharded: bool = False
    """Whether other replicas handle other accounts (`--shard`)."""
    holds: Callable[[Subject], bool] = lambda _: True
    """A function that returns whether the newest pass still allows a change for a spec."""
    written: Callable[[], UnwrittenBatch | None] = lambda: None
    """A function that is called once every intent of the plan is written or dropped. It returns what the change budget
    no longer counts as unwritten.
    """
    withdrawn: Callable[[UnwrittenBatch], object] = lambda _: None
    """A function that is called with that result if the intents are withdrawn, to be written again."""
    intents: IntentQueue = field(default_factory=IntentQueue)
    """The intents of all accounts that wait to be published."""
    notify: Notify = ignore_event
    journal: Journal | None = None


def write(case: JobPlan, status: JobStatus, context: ApplyContext, answer: RequestOutcome | None = None) -> Applied:
    """Write the status of a job plan if it changed, and return the result, with an error if the write failed.

    The write is synced if the new or the last status has an open receipt, or if `answer` is given.
    """
    try:
        context.statuses.write(status, durable=_is_synced(case, status) or answer is not None)
    except Exception as error:  # noqa: BLE001  a status that cannot be written affects only its own job
        return _applied(case, status, context, answer, error)
    return _applied(case, status, context, answer)


def write_decided(cases: Iterable[JobPlan], context: ApplyContext) -> list[Applied]:
    """Write the status of each decision as `write` does. All statuses that must be synced are synced together."""
    cases = list(cases)
    synced = {case.subject.name: case.decision.status for case in cases if _is_synced(case, case.decision.status)}
    failed = context.statuses.write_all(synced.values(), are_intents=False) if synced else {}
    return [
        _applied(case, case.decision.status, context, None, failed.get(case.subject.name))
        if case.subject.name in synced
        else write(case, case.decision.status, context)
        for case in cases
    ]


async def write_in_group(
    case: JobPlan, status: JobStatus, context: ApplyContext, group: RequestGroup, answer: RequestOutcome | None = None
) -> Applied:
    """Write a status as `write` does, but if the write is synced, together with other statuses of the group."""
    if not _is_synced(case, status) and answer is None:
        return write(case, status, context)
    try:
        await group.write(status)
    except Exception as error:  # noqa: BLE001  as in `write`
        return _applied(case, status, context, answer, error)
    return _applied(case, status, context, answer)


def _is_synced(case: JobPlan, status: JobStatus) -> bool:
    return status.open_receipt is not None or (case.last is not None and case.last.open_receipt is not None)


def _applied(
    case: JobPlan,
    status: JobStatus,
    context: ApplyContext,
    answer: RequestOutcome | None,
    error: Exception | None = None,
) -> Applied:
    """Return the result of a job plan after its status was written. `error` is the error of the write, or None."""
    # If the status has not changed, the requeue of the decision applies. Otherwise, the next poll is computed again.
    is_scheduled = status is case.last and case.unobserved is None
    look_after = (
        case.decision.requeue if is_scheduled else next_poll(case.subject, status, moment(context), case.finish_at)
    )
    if error is not None:
        problem = f"{case.subject.name}: the status could not be written: {disk_error(error)}"
        return Applied(case, status, look_after, answer, (problem,))
    _notify_of_receipt(case, status, context)
    return Applied(case, status, look_after, answer)


def _notify_of_receipt(case: JobPlan, status: JobStatus, context: ApplyContext) -> None:
    """If a receipt was open before this pass, report whether it is still open or has been closed."""
    before = case.last.open_receipt if case.last is not None else None
    if before is None:
        return
    now = next((each for each in status.receipts if each.requested_at == before.requested_at), None)
    if now is not None:
        context.notify((ReceiptOpen if now.is_open else ReceiptClosed)(case.subject.name, now))


def moment(context: ApplyContext) -> datetime:
    """Return the current time in whole seconds."""
    return context.now().replace(microsecond=0)


def disk_error(error: Exception) -> str:
    """Return the message for a write error. Any error other than an `OSError` is reported as a bug."""
    if not isinstance(error, OSError):
        return bug(error)
    return f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror or str(error)
