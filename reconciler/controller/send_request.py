"""Request one change: read the spec again, send the request, and record its outcome in the audit log and the status.

Each function calls the next: `request_change` catches bugs, `_confirm_and_request` retrieves a job that only a list has
shown, `_send_and_settle` turns the outcome into a status, `_send_if_wanted` reads the spec again, and `_call_provider`
calls the adapter.

Rules: right before each request the spec, the Settings and the Provider documents are read again, and the request is
dropped if one of them changed. A bug in the handling of one job does not prevent the requests for other jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.controller.applied import Applied, ApplyContext, disk_error, moment, write_in_group
from reconciler.controller.observation_order import confirm_row
from reconciler.controller.plan import JobPlan, defects
from reconciler.controller.request_group import RequestGroup
from reconciler.controller.runtime import read_only
from reconciler.core.change_windows import is_open
from reconciler.core.decide import decide
from reconciler.core.settle import RequestOutcome, settle, unconfirmed
from reconciler.errors import (
    Delivered,
    Kind,
    PermanentError,
    SupersededError,
    TransientError,
    bug,
)
from reconciler.model.action import Action, Progress
from reconciler.model.action_record import (
    ActionRecord,
    RequestEnded,
    RequestStarted,
)
from reconciler.model.job import AlreadyOver, Observed
from reconciler.model.spec import spec_digest
from reconciler.model.status import JobStatus, Verb
from reconciler.ports import JobController, SupportsPause
from reconciler.preflight import abort_unless


async def request_change(
    case: JobPlan,
    intent: JobStatus,
    control: Callable[[], JobController],
    context: ApplyContext,
    group: RequestGroup,
) -> Applied:
    """Send the request of one job plan, and return the result. A bug is reported as an error; the intent stays open.

    `control` returns the open account. `group` contains all requests of the plan.
    """
    try:
        with group.request():
            return await _confirm_and_request(case, intent, control, context, group)
    except Exception as error:  # noqa: BLE001  a bug must not prevent the requests for other jobs
        return _ended_by_bug(error, case, intent)


async def _confirm_and_request(
    case: JobPlan,
    intent: JobStatus,
    control: Callable[[], JobController],
    context: ApplyContext,
    group: RequestGroup,
) -> Applied:
    """Send the request. If only a list has shown the job, retrieve the job first and decide it again."""
    if not case.is_by_row:
        return await _send_and_settle(case, intent, control, context, group)
    listed = case.decision.status
    try:
        async with group.lanes:
            case = await confirm_row(read_only(control()), case, context.now)
    except Exception as error:  # noqa: BLE001  a bug in an adapter: no request was sent, and other jobs must go on
        done = await write_in_group(case, case.decision.status, context, group)
        return replace(done, errors=(*done.errors, f"{case.subject.name}: {bug(error)}"))
    if case.decision.action is None:
        status = case.decision.status
        if case.unobserved is not None:
            status = unconfirmed(listed, status, case.decision.last, moment(context))
        done = await write_in_group(case, status, context, group)
        return replace(done, errors=(*done.errors, *defects([case])))
    # The new decision is based on the last status, which lacks the attempt that the intent records.
    seen_now = replace(case.decision.status, receipts=intent.receipts, spent=intent.spent)
    return await _send_and_settle(case, seen_now, control, context, group)


async def _send_and_settle(
    case: JobPlan,
    intent: JobStatus,
    control: Callable[[], JobController],
    context: ApplyContext,
    group: RequestGroup,
) -> Applied:
    action = case.decision.action
    assert action is not None  # noqa: S101  only cases with an action have an intent
    preflight = _PreflightCheck(case, context)
    problems: tuple[str, ...] = ()
    try:
        answer = await _send_if_wanted(action, control(), preflight)
    # The process is ending and the response is lost. The open receipt makes the next start observe the job.
    except asyncio.CancelledError:
        _record(case, intent, RequestOutcome(Progress.UNANSWERED, "abandoned, because the process was ending"), context)
        raise
    except Exception as error:  # noqa: BLE001  a bug in an adapter: the request may have been sent
        answer = RequestOutcome(Progress.UNANSWERED, bug(error))
        problems = (f"{case.subject.name}: {answer.message}",)
    if answer.progress is Progress.OVERTAKEN:
        return await write_in_group(case, case.decision.status, context, group, answer)
    try:
        is_audited = _is_audited(answer, preflight)
        done = await _settle_outcome(case, intent, answer, context, group, is_audited=is_audited)
    except Exception as error:  # noqa: BLE001  a bug in reconcile: the request still counts, and its intent stays open
        done = _ended_by_bug(error, case, intent, answer)
    return replace(done, errors=(*done.errors, *problems))


def _ended_by_bug(error: Exception, case: JobPlan, intent: JobStatus, answer: RequestOutcome | None = None) -> Applied:
    """Return the result of a job plan whose handling a bug ended. The intent stays open, so the job is observed."""
    return Applied(case, intent, case.subject.interval, answer, (f"{case.subject.name}: {bug(error)}",))


async def _settle_outcome(
    case: JobPlan,
    intent: JobStatus,
    answer: RequestOutcome,
    context: ApplyContext,
    group: RequestGroup,
    *,
    is_audited: bool,
) -> Applied:
    """Report the outcome of a request, and write it to the status and, if `is_audited`, to the audit log."""
    action = case.decision.action
    assert action is not None  # noqa: S101  only cases with an action have an outcome
    context.notify(RequestEnded(action, answer.progress, answer.message))
    problems = _record(case, intent, answer, context) if is_audited else ()
    # A refusal that includes the job is an observation, so the job is decided again.
    if answer.job is None:
        settled = settle(intent, case.decision.status, action, answer, case.decision.last, moment(context))
    else:
        case = replace(case, seen=answer.job)
        settled = decide(case.subject, Observed(answer.job), intent, moment(context), is_refused=True).status
    done = await write_in_group(case, settled, context, group, answer)
    return replace(done, errors=(*done.errors, *problems))


def _is_audited(answer: RequestOutcome, preflight: _PreflightCheck) -> bool:
    """Return whether the outcome belongs in the audit log, which has a line for each request that was sent.

    A plugin may send requests without calling the throttle and its check. Therefore, the request counts as sent unless
    its outcome is `NOT_DELIVERED`.
    """
    return preflight.has_let_through or answer.progress is not Progress.NOT_DELIVERED


def _record(case: JobPlan, intent: JobStatus, answer: RequestOutcome, context: ApplyContext) -> tuple[str, ...]:
    """Write the outcome of a request to the audit log, and return the error if that fails."""
    action, receipt = case.decision.action, intent.open_receipt
    if context.audit is None or action is None:
        return ()
    origin = receipt.origin if receipt else None
    try:
        context.audit(
            ActionRecord(
                at=context.now(),
                action=action,
                file=case.subject.source,
                origin=origin,
                progress=answer.progress,
                message=answer.message,
            )
        )
    except Exception as error:  # noqa: BLE001  the request was sent: its outcome must still be written
        return (f"{case.subject.name}: the audit log could not be written: {disk_error(error)}",)
    return ()


@dataclass(slots=True)
class _PreflightCheck:
    """Checks whether a request may still be sent. The throttle calls it right before each request of one action."""

    case: JobPlan
    context: ApplyContext
    has_let_through: bool = False
    """Whether the check has already allowed a request of this action."""

    def __call__(self) -> bool:
        is_wanted, action = self.is_wanted(), self.case.decision.action
        if is_wanted and not self.has_let_through and action is not None:
            self.context.notify(RequestStarted(action))
        self.has_let_through |= is_wanted
        return is_wanted

    def is_wanted(self) -> bool:
        """Read the spec and what it depends on again, and return whether this change is still wanted and allowed."""
        subject, specs = self.case.subject, self.context.specs
        document = specs.current(subject.source, subject.name)
        if document is None or not self.context.holds(subject) or not specs.is_as_read():
            return False
        if not is_open(subject.windows, self.context.now()):
            return False
        account = subject.ref.account
        # Both digests use the account of the subject, so they do not show that the kind of the document has changed.
        is_same_kind = document.kind == account.kind
        return is_same_kind and spec_digest(document.spec, account) == spec_digest(subject.spec, account)


async def _send_if_wanted(action: Action, controller: JobController, preflight: _PreflightCheck) -> RequestOutcome:
    # Checked before the throttle too, so that a request that is no longer wanted does not wait for its turn.
    if not preflight.is_wanted():
        return RequestOutcome(
            Progress.OVERTAKEN, "the change was no longer wanted or allowed when it was about to be sent"
        )
    try:
        # The throttle may delay the request, so the check is repeated right before the request is sent.
        with abort_unless(preflight):
            return await _call_provider(action, controller)
    except SupersededError as error:
        # If the check has allowed an earlier request of this action, that request was sent and may have had an effect.
        return RequestOutcome(Progress.UNANSWERED if preflight.has_let_through else Progress.OVERTAKEN, str(error))


async def _call_provider(action: Action, controller: JobController) -> RequestOutcome:
    try:
        if action.verb is Verb.CANCEL:
            answer = await controller.cancel_job(action.ref)
        elif isinstance(controller, SupportsPause):
            answer = await (controller.pause_job if action.verb is Verb.PAUSE else controller.resume_job)(action.ref)
        else:
            return RequestOutcome(Progress.NOT_DELIVERED, f"the provider type cannot {action.verb} a job")
    except TransientError as error:
        progress = Progress.NOT_DELIVERED if error.delivered is Delivered.NO else Progress.UNANSWERED
        return RequestOutcome(progress, str(error), error.retry_after_s)
    except PermanentError as error:
        return RequestOutcome(_PROGRESS[error.kind], str(error))
    if isinstance(answer, AlreadyOver):
        return RequestOutcome(Progress.ALREADY_OVER, f"refused: already {answer.job.phase}", job=answer.job)
    return RequestOutcome(Progress.ACCEPTED)


_PROGRESS = {
    Kind.DENIED: Progress.FORBIDDEN,
    Kind.FORBIDDEN: Progress.FORBIDDEN,
    Kind.REFUSED: Progress.REJECTED,
    Kind.MISSING: Progress.NOT_DELIVERED,
    Kind.UNREACHABLE: Progress.NOT_DELIVERED,
    Kind.INVALID: Progress.UNANSWERED,
}
