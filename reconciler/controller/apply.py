"""Apply the plan of one account: write every intent, send the requests, and write the outcomes.

Rules: no request is sent before its intent is written and synced, and published if other machines act on the statuses.
If another writer has changed what a decision is based on, only that decision is dropped (`outdated`). Right before each
request the spec, the Settings and the Provider documents are read again, and the request is dropped if one of them
changed. If the status of one job cannot be written, the requests for other jobs are still sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace

from reconciler.controller.applied import Applied, ApplyContext, disk_error, moment, write, write_decided
from reconciler.controller.outdated import OutdatedDecisions
from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import RequestGroup
from reconciler.controller.send_request import request_change
from reconciler.core.cancel_cost import recorded
from reconciler.core.change_budget import UnwrittenBatch
from reconciler.core.past_attempts import still_counting
from reconciler.core.receipts import intend
from reconciler.core.savings import not_spent
from reconciler.core.settle import RequestOutcome
from reconciler.errors import (
    ConflictError,
    PublishError,
)
from reconciler.model.action import Progress
from reconciler.model.journal import Requested
from reconciler.model.status import JobStatus
from reconciler.ports import JobController, Publisher


async def apply_plan(
    cases: tuple[JobPlan, ...], control: Callable[[], JobController], context: ApplyContext
) -> list[Applied]:
    """Write the statuses and intents, send the requests that are due, and return the results.

    `control` returns the open account, whose jobs can be changed. An error of one job is reported in its result. No
    request is sent before all intents that could be written are on disk. If another writer has changed what a decision
    is based on, nothing is written or sent for its job.
    """
    batch = _AccountIntents(context, cases)
    obstacle = await context.intents.publish(batch, context.publisher)
    if obstacle is not None and not isinstance(obstacle, ConflictError | PublishError):
        raise obstacle
    done, intents = batch.done, batch.intents
    if obstacle is None:
        counted, obstacle = _record_attempts(intents, context)
    # No request may be sent if other machines cannot see its intent, or if the journal does not record it.
    if obstacle is not None:
        context.written()  # intents that were withdrawn are not written again
        return done + [_not_recorded(case, obstacle, context) for case, _ in intents]
    group = RequestGroup(context.statuses)
    asked = await asyncio.gather(*(request_change(case, intent, control, context, group) for case, intent in intents))
    # A first attempt that was never delivered must not use up the change budget.
    if context.journal is not None:
        context.journal.forget(counted[each.case.subject.name] for each in asked if _is_undelivered(each, counted))
    return done + asked


@dataclass(slots=True)
class _AccountIntents:
    """The intents of one account, which `controller.intents` writes and publishes. See `IntentBatch`."""

    context: ApplyContext
    cases: tuple[JobPlan, ...]
    """The job plans that are not applied yet. After the first `write`, each has an intent."""
    done: list[Applied] = field(default_factory=list)
    """The finished results: of job plans without a request, and of those that were dropped."""
    intents: list[tuple[JobPlan, JobStatus]] = field(default_factory=list)
    """The job plans to request, each with the intent that was last written."""
    _counted: UnwrittenBatch | None = None
    """What the change budget counted until the intents were written."""

    def write(self, publisher: Publisher | None) -> list[str]:
        """Write every status and intent whose decision is still valid. Return what each intent will request."""
        self._drop_outdated(publisher)
        decided = [case for case in self.cases if not _is_requested(case)]
        intents = self._intents()
        self.done += write_decided(decided, self.context)
        failed = self.context.statuses.write_all((intent for _, intent in intents), are_intents=True)
        self.done += [_not_written(case, failed[intent.name]) for case, intent in intents if intent.name in failed]
        self.intents = [(case, intent) for case, intent in intents if intent.name not in failed]
        self.cases = tuple(case for case, _ in self.intents)
        self._counted = self.context.written()
        return [f"{case.decision.action.verb} {case.subject.name}" for case in self.cases if case.decision.action]

    def _intents(self) -> list[tuple[JobPlan, JobStatus]]:
        """Return the job plans to request, each with its intent: the one that was withdrawn, or a new one."""
        withdrawn = {case.subject.name: intent for case, intent in self.intents}
        found: list[tuple[JobPlan, JobStatus]] = []
        for case in filter(_is_requested, self.cases):
            try:
                found.append((case, withdrawn.get(case.subject.name) or _intent(case, self.context)))
            except Exception as error:  # noqa: BLE001  a bug: without an intent no request may be sent
                self.done.append(_not_written(case, error))
        return found

    def _drop_outdated(self, publisher: Publisher | None) -> None:
        """Drop the job plans whose decisions commits by other writers have made outdated."""
        if publisher is None:
            return
        outdated = OutdatedDecisions.of(publisher.changes_since(self.context.edition))
        self.done += [_overtaken(case) for case in self.cases if self._is_outdated(case, outdated)]
        self.cases = tuple(case for case in self.cases if not self._is_outdated(case, outdated))

    def _is_outdated(self, case: JobPlan, outdated: OutdatedDecisions) -> bool:
        return outdated.include(case.subject, is_counted=case.is_counted, is_sharded=self.context.is_sharded)

    def is_valid(self, outdated: OutdatedDecisions) -> bool:
        """Return whether the decision behind each intent is valid after changes by others."""
        return not any(self._is_outdated(case, outdated) for case in self.cases)

    def withdraw(self) -> None:
        """Restore the statuses that the intents replaced, so that a pull can replace them. Raises `OSError`."""
        if self._counted is not None:
            self.context.withdrawn(self._counted)
        for _, intent in self.intents:
            self.context.statuses.restore(intent)


def _is_requested(case: JobPlan) -> bool:
    return case.decision.action is not None and not case.is_refused and not case.is_withheld


def _intent(case: JobPlan, context: ApplyContext) -> JobStatus:
    action, status, now = case.decision.action, case.decision.status, moment(context)
    assert action is not None  # noqa: S101  only cases with an action have an intent
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
    """Return the result of a job plan that the next pass must decide again, because of a commit by another writer."""
    answer = RequestOutcome(Progress.OVERTAKEN, "another writer published first, and the next pass decides again")
    return Applied(case, case.last or case.decision.status, case.subject.interval, answer)


def _not_recorded(case: JobPlan, error: Exception, context: ApplyContext) -> Applied:
    """Undo an intent that could not be published or recorded in the journal, and return the result."""
    if isinstance(error, ConflictError):
        return _overtaken(case)
    where, why = (
        ("recorded in the journal", disk_error(error)) if isinstance(error, OSError) else ("published", str(error))
    )
    done = write(case, case.decision.status, context, RequestOutcome(Progress.NOT_RECORDED, why))
    problem = f"{case.subject.name}: the intent could not be {where}, so no request was sent: {why}"
    return replace(done, errors=(*done.errors, problem))
