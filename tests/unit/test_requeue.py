"""Which jobs are worth another look after a pass, when, and why."""

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
    """Return what came of the job of `a_spec`, which is to be looked at again in a minute."""
    answer = RequestOutcome(progress, "", retry_after_s=7.0) if progress else None
    return Applied(a_case(a_spec(), **case), status, MINUTE, answer)


def why(one: Applied) -> RequeueReason | None:
    requeue = requeue_of(one)
    return requeue.pace if requeue else None


def test_a_job_of_which_only_a_change_is_expected_is_not_looked_at_again() -> None:
    assert requeue_of(replace(carried_out(), look_after=None)) is None


def test_a_job_of_which_nothing_is_expected_rests_until_its_planned_look() -> None:
    assert requeue_of(carried_out()) == Requeue(REF, MINUTE, RequeueReason.RESTING)


@pytest.mark.parametrize("status", [UNDER_WAY, OPEN], ids=["reconciling", "with an open request"])
def test_a_job_is_under_way_while_something_is_expected_of_it(status: JobStatus) -> None:
    assert requeue_of(carried_out(status)) == Requeue(REF, MINUTE, RequeueReason.UNDER_WAY)


def test_a_job_that_is_stalled_is_not_under_way() -> None:
    verdict = Verdict(Readiness.STALLED, Reason.CANCEL_NOT_HONOURED, "asked five times")

    assert why(carried_out(a_past(a_subject(), Phase.RUNNING, a_receipt(), verdict=verdict))) is RequeueReason.RESTING


def test_a_change_that_a_plan_does_not_hold_is_for_a_person_and_not_waited_for() -> None:
    assert why(carried_out(UNDER_WAY, is_unplanned=True)) is RequeueReason.RESTING


def test_a_change_that_the_disk_refused_to_record_is_for_a_person_and_not_waited_for() -> None:
    assert why(carried_out(UNDER_WAY, Progress.NOT_RECORDED)) is RequeueReason.RESTING


@pytest.mark.parametrize("progress", [Progress.NOT_DELIVERED, Progress.UNANSWERED])
def test_a_request_that_failed_in_passing_is_tried_again_as_the_provider_allows(progress: Progress) -> None:
    assert requeue_of(carried_out(UNDER_WAY, progress)) == Requeue(REF, MINUTE, RequeueReason.RETRY, 7.0)


def test_what_others_overtook_is_decided_again_at_once() -> None:
    assert requeue_of(carried_out(UNDER_WAY, Progress.OVERTAKEN)) == Requeue(REF, MINUTE, RequeueReason.AGAIN)


@pytest.mark.parametrize("progress", [Progress.ACCEPTED, Progress.REJECTED, Progress.FORBIDDEN, Progress.ALREADY_OVER])
def test_a_request_that_was_answered_is_under_way(progress: Progress) -> None:
    assert why(carried_out(OPEN, progress)) is RequeueReason.UNDER_WAY


@pytest.mark.parametrize(
    ("is_transient", "pace"), [(True, RequeueReason.RETRY), (False, RequeueReason.RESTING)], ids=["may pass", "lasts"]
)
def test_a_job_that_could_not_be_seen_is_looked_at_again_soon_only_if_that_may_pass(
    *, is_transient: bool, pace: RequeueReason
) -> None:
    unobserved = Unobserved(Reason.RATE_LIMITED, "wait", retry_after_s=9.0, is_transient=is_transient)

    assert requeue_of(carried_out(OPEN, unobserved=unobserved)) == Requeue(REF, MINUTE, pace, 9.0)


def an_outcome(*done: Applied, overtaken: tuple[JobRef, ...] | None = None) -> AccountOutcome:
    """Return what came of one account; without `overtaken` its plan failed."""
    plan = None if overtaken is None else AccountPlan(ACCOUNT, (), None, (), (), overtaken)
    return AccountOutcome(a_target(), "openai", plan, done)


def test_of_a_spec_that_two_accounts_worked_on_in_turn_the_later_one_counts() -> None:
    other = JobRef(Account("openai", "https://other.example.org"), "ftjob-other")
    first = carried_out()
    moved = a_case(a_spec())
    second = replace(first, case=replace(moved, subject=replace(moved.subject, ref=other)), look_after=5 * SECOND)

    assert requeues([an_outcome(first), an_outcome(second)]) == (Requeue(other, 5 * SECOND, RequeueReason.RESTING),)


def test_a_job_that_was_observed_in_vain_is_decided_again_at_once() -> None:
    vain = JobRef(ACCOUNT, "ftjob-vain")

    assert requeues([an_outcome(carried_out(), overtaken=(vain,))]) == (
        Requeue(REF, MINUTE, RequeueReason.RESTING),
        Requeue(vain, timedelta(0), RequeueReason.AGAIN),
    )


def test_a_job_that_another_account_has_dealt_with_since_was_not_observed_in_vain() -> None:
    assert requeues([an_outcome(overtaken=(REF,)), an_outcome(carried_out())]) == (
        Requeue(REF, MINUTE, RequeueReason.RESTING),
    )


def test_an_account_whose_plan_failed_makes_no_job_worth_another_look() -> None:
    assert requeues([an_outcome()]) == ()
