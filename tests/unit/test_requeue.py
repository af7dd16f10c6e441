"""Which jobs are requeued after a pass, when, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.applied import Applied
from reconciler.controller.plan import AccountPlan
from reconciler.controller.requeue import Requeue, RequeueReason, requeue_of, requeues
from reconciler.core.conditions import Readiness, Verdict
from reconciler.core.settle import RequestOutcome
from reconciler.model.action import Progress
from reconciler.model.job import Account, JobRef, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from tests.support.build import ACCOUNT, a_spec
from tests.support.in_memory_accounts import a_case, a_target
from tests.support.subjects import MINUTE, REF, SECOND, a_past, a_receipt, a_subject

RESTING = a_case(a_spec(desiredState="observed")).decision.status
UNDER_WAY = a_case(a_spec()).decision.status
OPEN = replace(RESTING, receipts=(a_receipt(),))


def carried_out(status: JobStatus = RESTING, progress: Progress | None = None, **case: Any) -> Applied:
    """Return the outcome of the job of `a_spec`, which is to be observed again in a minute."""
    answer = RequestOutcome(progress, "", retry_after_s=7.0) if progress else None
    return Applied(a_case(a_spec(), **case), status, MINUTE, answer)


def why(one: Applied) -> RequeueReason | None:
    requeue = requeue_of(one)
    return requeue.pace if requeue else None


def test_a_job_without_a_next_observation_time_is_not_requeued() -> None:
    assert requeue_of(replace(carried_out(), look_after=None)) is None


def test_a_settled_job_is_requeued_for_its_planned_observation() -> None:
    assert requeue_of(carried_out()) == Requeue(REF, MINUTE, RequeueReason.RESTING)


@pytest.mark.parametrize("status", [UNDER_WAY, OPEN], ids=["reconciling", "with an open request"])
def test_a_reconciling_job_or_one_with_an_open_request_is_requeued_as_under_way(status: JobStatus) -> None:
    assert requeue_of(carried_out(status)) == Requeue(REF, MINUTE, RequeueReason.UNDER_WAY)


def test_a_stalled_job_is_requeued_as_resting() -> None:
    verdict = Verdict(Readiness.STALLED, Reason.CANCEL_NOT_HONOURED, "asked five times")

    assert why(carried_out(a_past(a_subject(), Phase.RUNNING, a_receipt(), verdict=verdict))) is RequeueReason.RESTING


def test_a_job_whose_change_is_not_in_the_plan_is_requeued_as_resting() -> None:
    assert why(carried_out(UNDER_WAY, is_unplanned=True)) is RequeueReason.RESTING


def test_a_job_whose_request_could_not_be_recorded_is_requeued_as_resting() -> None:
    assert why(carried_out(UNDER_WAY, Progress.NOT_RECORDED)) is RequeueReason.RESTING


@pytest.mark.parametrize("progress", [Progress.NOT_DELIVERED, Progress.UNANSWERED])
def test_a_transiently_failed_request_is_retried_after_the_providers_delay(progress: Progress) -> None:
    assert requeue_of(carried_out(UNDER_WAY, progress)) == Requeue(REF, MINUTE, RequeueReason.RETRY, 7.0)


def test_a_job_with_a_superseded_change_is_requeued_with_reason_again() -> None:
    assert requeue_of(carried_out(UNDER_WAY, Progress.OVERTAKEN)) == Requeue(REF, MINUTE, RequeueReason.AGAIN)


@pytest.mark.parametrize("progress", [Progress.ACCEPTED, Progress.REJECTED, Progress.FORBIDDEN, Progress.ALREADY_OVER])
def test_a_job_whose_request_got_a_response_is_requeued_as_under_way(progress: Progress) -> None:
    assert why(carried_out(OPEN, progress)) is RequeueReason.UNDER_WAY


@pytest.mark.parametrize(
    ("is_transient", "pace"), [(True, RequeueReason.RETRY), (False, RequeueReason.RESTING)], ids=["may pass", "lasts"]
)
def test_an_unobserved_job_is_retried_soon_only_if_the_error_is_transient(
    *, is_transient: bool, pace: RequeueReason
) -> None:
    unobserved = Unobserved(Reason.RATE_LIMITED, "wait", retry_after_s=9.0, is_transient=is_transient)

    assert requeue_of(carried_out(OPEN, unobserved=unobserved)) == Requeue(REF, MINUTE, pace, 9.0)


def an_outcome(*done: Applied, overtaken: tuple[JobRef, ...] | None = None) -> AccountOutcome:
    """Return the outcome of one account. Without `overtaken`, its plan failed."""
    plan = None if overtaken is None else AccountPlan(ACCOUNT, (), None, (), (), overtaken)
    return AccountOutcome(a_target(), "openai", plan, done)


def test_the_later_of_two_accounts_that_worked_on_a_spec_determines_its_requeue() -> None:
    other = JobRef(Account("openai", "https://other.example.org"), "ftjob-other")
    first = carried_out()
    moved = a_case(a_spec())
    second = replace(first, case=replace(moved, subject=replace(moved.subject, ref=other)), look_after=5 * SECOND)

    assert requeues([an_outcome(first), an_outcome(second)]) == (Requeue(other, 5 * SECOND, RequeueReason.RESTING),)


def test_a_job_whose_observation_was_superseded_is_requeued_at_once() -> None:
    vain = JobRef(ACCOUNT, "ftjob-vain")

    assert requeues([an_outcome(carried_out(), overtaken=(vain,))]) == (
        Requeue(REF, MINUTE, RequeueReason.RESTING),
        Requeue(vain, timedelta(0), RequeueReason.AGAIN),
    )


def test_a_superseded_job_that_another_account_handled_is_not_requeued_at_once() -> None:
    assert requeues([an_outcome(overtaken=(REF,)), an_outcome(carried_out())]) == (
        Requeue(REF, MINUTE, RequeueReason.RESTING),
    )


def test_an_account_whose_plan_failed_requeues_no_job() -> None:
    assert requeues([an_outcome()]) == ()
