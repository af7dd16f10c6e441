"""Apply the plan of one account: write every intent, send the requests, and write the outcomes.

Rules: no request is sent before its intent is written and synced. Right before each request the spec, the Settings and
the Provider documents are read again, and the request is dropped if one of them changed. If the status of one job
cannot be written, the requests for other jobs are still sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext
from dataclasses import replace

from reconciler.controller.applied import Applied, ApplyContext, disk_error, moment, write, write_decided
from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import RequestGroup
from reconciler.controller.send_request import request_change
from reconciler.core.cancel_cost import recorded
from reconciler.core.past_attempts import still_counting
from reconciler.core.receipts import intend
from reconciler.core.savings import not_spent
from reconciler.core.settle import RequestOutcome
from reconciler.errors import (
    ConflictError,
    PublishError,
)
from reconciler.model.action import Action, Progress
from reconciler.model.journal import Requested
from reconciler.model.status import JobStatus
from reconciler.ports import JobController, Publisher


async def apply_plan(
    cases: tuple[JobPlan, ...], control: Callable[[], JobController], context: ApplyContext
) -> list[Applied]:
    """Write the statuses and intents, send the requests that are due, and return the results.

    `control` returns the open account, whose jobs can be changed. An error of one job is reported in its result. No
    request is sent before all intents that could be written are on disk. If commits by others have replaced statuses
    since they were read, nothing is written or sent.
    """
    async with context.publisher.exclusive() if context.publisher is not None else nullcontext():
        # If commits by others replaced statuses after they were read, the decisions may be based on old receipts.
        if context.publisher is not None and context.publisher.edition != context.edition:
            context.written()
            return [_overtaken(case) for case in cases]
        done, intents = _write_all(cases, context)
        context.written()
        obstacle: Exception | None = await _publish_intents(intents, context.publisher)
    if obstacle is None:
        counted, obstacle = _record_attempts(intents, context)
    # No request may be sent if other machines cannot see its intent, or if the journal does not record it.
    if obstacle is not None:
        return done + [_not_recorded(case, obstacle, context) for case, _ in intents]
    group = RequestGroup(context.statuses)
    asked = await asyncio.gather(*(request_change(case, intent, control, context, group) for case, intent in intents))
    # A first attempt that was never delivered must not use up the change budget.
    if context.journal is not None:
        context.journal.forget(counted[each.case.subject.name] for each in asked if _is_undelivered(each, counted))
    return done + asked


async def _publish_intents(
    intents: list[tuple[JobPlan, JobStatus]], publisher: Publisher | None
) -> ConflictError | PublishError | None:
    """Publish the intents if other machines act on the same statuses. Return the error if that fails, or None."""
    if not intents or publisher is None or not publisher.is_shared:
        return None
    try:
        await publisher.publish(_intention(case for case, _ in intents))
    except (ConflictError, PublishError) as error:
        return error
    return None


def _write_all(
    cases: Iterable[JobPlan], context: ApplyContext
) -> tuple[list[Applied], list[tuple[JobPlan, JobStatus]]]:
    """Write every status and intent. Return the finished results, and the job plans to request with their intents.

    A job plan whose intent cannot be written is among the finished results, with an error.
    """
    decided: list[JobPlan] = []
    done: list[Applied] = []
    intents: list[tuple[JobPlan, JobStatus]] = []
    for case in cases:
        if case.decision.action is None or case.is_refused or case.is_withheld:
            decided.append(case)
            continue
        try:
            intents.append((case, _intent(case, case.decision.action, context)))
        except Exception as error:  # noqa: BLE001  a bug: without an intent no request may be sent
            done.append(_not_written(case, error))
    done += write_decided(decided, context)
    failed = context.statuses.write_all((intent for _, intent in intents), are_intents=True)
    done += [_not_written(case, failed[intent.name]) for case, intent in intents if intent.name in failed]
    return done, [(case, intent) for case, intent in intents if intent.name not in failed]


def _intent(case: JobPlan, action: Action, context: ApplyContext) -> JobStatus:
    status, now = case.decision.status, moment(context)
    saved = not_spent(case.subject, action.verb, status, case.seen, now)
    origin = context.specs.origin(case.subject.source)
    return intend(status, action, origin, case.approved_by, now, saved, recorded(case.sunk_cost))


def _not_written(case: JobPlan, error: Exception) -> Applied:
    """Return the result of a job plan whose intent could not be written, so that no request may be sent."""
    why = disk_error(error)
    answer = RequestOutcome(Progress.NOT_RECORDED, why)
    problem = f"{case.subject.name}: the intent could not be written, so no request was sent: {why}"
    return Applied(case, case.last or case.decision.status, case.subject.interval, answer, (problem,))


def _record_attempts(
    intents: Iterable[tuple[JobPlan, JobStatus]], context: ApplyContext
) -> tuple[dict[str, Requested], OSError | None]:
    """Record the first attempts in the journal, and return them by spec name.

    If the journal cannot be read or written, return an empty mapping and the error.
    """
    found = {}
    for case, intent in intents:
        receipt, ref = intent.open_receipt, case.subject.ref
        if case.is_counted and receipt is not None:
            found[case.subject.name] = Requested(
                name=case.subject.name,
                account=str(ref.account),
                job_id=ref.id,
                verb=receipt.verb,
                at=receipt.last_attempt_at,
                receipt_at=receipt.requested_at,
                approved_by=case.approved_by,
                sunk_cost=receipt.sunk_cost,
            )
    if found and context.journal is not None:
        try:
            still = still_counting(context.journal.requested(), lambda: context.statuses.known().jobs, context.now())
            context.journal.record(found.values(), still)
        except OSError as error:
            return {}, error
    return found, None


def _is_undelivered(done: Applied, counted: Collection[str]) -> bool:
    """Return whether the journal records a first attempt of this job whose request was not delivered."""
    is_unsent = done.answer is None or done.answer.progress in {Progress.NOT_DELIVERED, Progress.OVERTAKEN}
    return is_unsent and done.case.subject.name in counted


def _overtaken(case: JobPlan) -> Applied:
    """Return the result of a job plan that the next pass must decide again, because a commit replaced its status."""
    answer = RequestOutcome(
        Progress.OVERTAKEN, "another writer's commit replaced the status, and the next pass decides again"
    )
    return Applied(case, case.last or case.decision.status, case.subject.interval, answer)


def _intention(cases: Iterable[JobPlan]) -> str:
    names = sorted(f"{case.decision.action.verb} {case.subject.name}" for case in cases if case.decision.action)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"reconcile: about to {names[0]}{more}"


def _not_recorded(case: JobPlan, error: Exception, context: ApplyContext) -> Applied:
    """Undo an intent that could not be published or recorded in the journal, and return the result."""
    if isinstance(error, ConflictError):
        # The published content is restored, so that a pull can replace it with the version of the other commit.
        context.statuses.restore(case.decision.status)
        return _overtaken(case)
    where, why = (
        ("recorded in the journal", disk_error(error)) if isinstance(error, OSError) else ("published", str(error))
    )
    done = write(case, case.decision.status, context, RequestOutcome(Progress.NOT_RECORDED, why))
    problem = f"{case.subject.name}: the intent could not be {where}, so no request was sent: {why}"
    return replace(done, errors=(*done.errors, problem))
