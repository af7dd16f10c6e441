"""When the row of a list must be confirmed by a retrieve, and how the retrieve changes the plan."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from reconciler.controller.observation_order import (
    confirm_row,
    confirm_rows,
)
from reconciler.controller.plan import JobPlan
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import JobStatus, Verb
from tests.support.build import NOW, a_spec
from tests.support.in_memory_accounts import InMemoryAccount, a_case, an_account
from tests.support.subjects import HOUR, MINUTE, a_receipt
from tests.unit.test_observation_order import NO_ANSWER, past_of


def by_row(spec: FineTuningJob, last: JobStatus | None = None, phase: Phase = Phase.RUNNING) -> JobPlan:
    """Return the plan of a job that only a list has shown."""
    return a_case(spec, phase, last, is_by_row=True)


def confirmed(account: InMemoryAccount, *cases: JobPlan) -> tuple[JobPlan, ...]:
    return asyncio.run(confirm_rows(account, cases, lambda: NOW))


ACCEPTED = past_of(a_spec(), Phase.RUNNING, a_receipt(age=MINUTE, accepted_at=NOW - MINUTE))


def test_a_running_row_after_an_accepted_cancel_is_checked_by_retrieving_the_job() -> None:
    account = an_account(phase=Phase.CANCELLED)
    (case,) = confirmed(account, by_row(a_spec(), ACCEPTED))

    assert account.asked == ["ftjob-abc123"]
    assert case.decision.status.ready.reason is Reason.CANCELLED
    assert not case.is_by_row


@pytest.mark.parametrize(
    "case",
    [
        by_row(a_spec(), ACCEPTED, Phase.CANCELLING),
        by_row(a_spec(), past_of(a_spec(), Phase.RUNNING, a_receipt(age=HOUR))),
        by_row(a_spec(desiredState="observed")),
        a_case(a_spec(), last=ACCEPTED),
    ],
    ids=["cancelling", "not accepted", "nothing open", "its own answer"],
)
def test_a_row_is_believed_if_it_does_not_contradict_an_accepted_request(case: JobPlan) -> None:
    account = an_account()

    assert confirmed(account, case) == (case,)
    assert account.asked == []


def retrieved(account: InMemoryAccount, case: JobPlan, now: datetime = NOW) -> JobPlan:
    return asyncio.run(confirm_row(account, case, lambda: now))


def test_a_retrieve_that_agrees_with_the_row_keeps_the_decision() -> None:
    case = by_row(a_spec())
    again = retrieved(an_account(), case)

    assert again.decision.action == case.decision.action
    assert again.seen == an_account().jobs["ftjob-abc123"]
    assert not again.is_by_row


def test_a_change_that_only_the_retrieve_requires_is_left_to_the_next_pass() -> None:
    spec = a_spec(desiredState="running")
    case = by_row(spec, phase=Phase.RUNNING)
    again = retrieved(an_account(phase=Phase.PAUSED), case)

    assert case.decision.action is None
    assert again.decision.action is None
    assert again.decision.status.phase is Phase.PAUSED


def test_a_change_that_row_and_retrieve_both_require_is_kept() -> None:
    case = by_row(a_spec(desiredState="running"), phase=Phase.PAUSED)
    again = retrieved(an_account(phase=Phase.PAUSED), case)

    assert again.decision.action is not None
    assert again.decision.action.verb is Verb.RESUME


def test_a_listed_job_that_a_retrieve_does_not_find_is_unobserved() -> None:
    again = retrieved(InMemoryAccount({}), by_row(a_spec()))

    assert again.unobserved is not None
    assert again.unobserved.reason is Reason.OBSERVATION_INCOMPLETE
    assert again.decision.action is None
    assert again.seen is None


def test_no_change_is_requested_for_a_job_whose_retrieve_fails() -> None:
    account = an_account()
    account.broken["ftjob-abc123"] = NO_ANSWER
    again = retrieved(account, by_row(a_spec()))

    assert again.unobserved is not None
    assert again.unobserved.message == "no answer"
    assert again.decision.action is None
