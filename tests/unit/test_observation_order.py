"""The order in which the jobs of an account are observed, and when a list row is not enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.observation_order import (
    ObservationRequest,
    is_change_expected,
    observe_rest,
    observe_wanted,
)
from reconciler.controller.plan import AccountPlan, TrackedJob
from reconciler.controller.request_costs import RequestCosts
from reconciler.core.change_budget import ChangeBudget
from reconciler.core.past_attempts import PastAttempts
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import JobStatus
from reconciler.ports import Rate
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.in_memory_accounts import InMemoryAccount, a_target, an_account, named_specs, subject_of
from tests.support.subjects import HOUR, MINUTE, a_past, a_receipt

COSTS = RequestCosts(Rate)
FEW = max(jobs for jobs in range(1, 100) if COSTS.are_few(jobs))
"""This many jobs are retrieved without a wait."""
LISTED = min(jobs for jobs in range(1, 100) if COSTS.prefers_list(jobs))
"""This many jobs are listed."""
NO_ANSWER = TransientError("no answer", delivered=Delivered.UNKNOWN)


def past_of(spec: FineTuningJob, phase: Phase = Phase.RUNNING, *receipts: Any, **job: Any) -> JobStatus:
    """Return the status of a spec that was written an hour ago."""
    past = a_past(subject_of(spec), phase, *receipts, age=HOUR, id=spec.spec.job_id, **job)
    return replace(past, name=spec.metadata.name)


def tracked(*specs: FineTuningJob) -> list[TrackedJob]:
    """Return specs whose jobs ran an hour ago."""
    return [(subject_of(spec), past_of(spec)) for spec in specs]


def watched(count: int) -> list[FineTuningJob]:
    """Return `count` specs whose jobs are only observed."""
    return named_specs(*(f"job-{number:02}" for number in range(count)), desiredState="observed")


def account_of(pairs: Sequence[TrackedJob]) -> InMemoryAccount:
    return an_account(*(subject.ref.id for subject, _ in pairs))


def rules_for(pairs: Sequence[TrackedJob]) -> CurrentSpecs:
    """Return the current specs of these jobs, with a change budget that knows their statuses."""
    past = PastAttempts(tuple(last for _, last in pairs if last is not None))
    return CurrentSpecs({subject.name: subject for subject, _ in pairs}, budget=ChangeBudget(past=past), may_ask=True)


def errand(pairs: Sequence[TrackedJob], **rest: Any) -> ObservationRequest:
    return ObservationRequest(target=a_target(), costs=COSTS, asked=pairs, **rest)


def wanted(
    account: InMemoryAccount, pairs: Sequence[TrackedJob], rules: CurrentSpecs | None = None
) -> AccountPlan | None:
    """Observe the jobs that need a change."""
    latest = rules or rules_for(pairs)
    return asyncio.run(observe_wanted(account, errand(pairs), lambda: latest, lambda: NOW)).plan


def rest(
    account: InMemoryAccount,
    pairs: Sequence[TrackedJob],
    rules: Callable[[], CurrentSpecs] | None = None,
    **fields: Any,
) -> AccountPlan:
    """Observe the remaining jobs."""
    latest = rules_for([*pairs, *fields.get("resting", ())])
    return asyncio.run(observe_rest(account, errand(pairs, **fields), rules or (lambda: latest), lambda: NOW))


def names(plan: AccountPlan | None) -> list[str]:
    return [case.subject.name for case in plan.cases] if plan else []


def test_jobs_that_need_a_change_are_observed_before_many_others() -> None:
    pairs = tracked(*named_specs("chat"), *watched(FEW))
    account = account_of(pairs)
    plan = wanted(account, pairs)

    assert account.asked == ["ftjob-chat"]
    assert names(plan) == ["chat"]
    assert plan is not None
    assert plan.begun_at == NOW
    assert plan.cases[0].decision.action is not None


@pytest.mark.parametrize(
    "pairs",
    [
        tracked(*watched(FEW + 1)),
        tracked(*named_specs("chat"), *watched(FEW - 1)),
        tracked(*named_specs(*(f"job-{number}" for number in range(LISTED)))),
    ],
    ids=["no change is wanted", "all jobs are few", "a list is cheaper"],
)
def test_no_job_is_observed_ahead_of_the_others(pairs: list[TrackedJob]) -> None:
    account = account_of(pairs)

    assert wanted(account, pairs) is None
    assert account.asked == []


def test_changes_the_guard_would_refuse_wait_until_the_whole_account_is_observed() -> None:
    pairs = tracked(*named_specs("a", "b", "c", "d"), *watched(FEW))
    rules = rules_for(pairs)

    assert wanted(account_of(pairs), pairs, rules) is None
    assert rules.budget.standing == {}


def test_a_job_that_fails_to_be_observed_first_is_left_to_the_later_observation() -> None:
    pairs = tracked(*named_specs("chat", "code"), *watched(FEW))
    account = account_of(pairs)
    account.broken["ftjob-code"] = NO_ANSWER
    one = wanted(account, pairs)
    account.broken["ftjob-chat"] = PermanentError("401", kind=Kind.DENIED)

    assert names(one) == ["chat"]
    assert wanted(account, pairs) is None


def test_an_absent_job_is_retrieved_once_in_a_pass() -> None:
    pairs = tracked(*named_specs("chat"), *watched(FEW))
    account = account_of(pairs[1:])
    latest = rules_for(pairs)
    first = asyncio.run(observe_wanted(account, errand(pairs), lambda: latest, lambda: NOW))
    plan = rest(account, pairs, absent=first.absent)

    assert account.asked.count("ftjob-chat") == 1
    assert first.plan is None
    assert {case.subject.name: case.decision.status.phase for case in plan.cases}["chat"] is Phase.ABSENT


def test_absent_jobs_that_are_a_crowd_are_noticed_without_further_retrieves() -> None:
    """The provider does not find the first jobs, so the rest of a vanished account is not requested one by one."""
    pairs = tracked(*named_specs(*(f"gone-{number}" for number in range(LISTED - 1))), *watched(3 * LISTED))
    account = account_of([])
    latest = rules_for(pairs)
    first = asyncio.run(observe_wanted(account, errand(pairs), lambda: latest, lambda: NOW))
    plan = rest(account, pairs, absent=first.absent)

    assert len(first.absent) == LISTED - 1
    assert account.asked == [*sorted(ref.id for ref in first.absent), "page 1"], "one page shows whether any job exists"
    assert plan.unobserved is not None
    assert plan.unobserved.reason is Reason.OBSERVATION_SUSPECT


LONG_AGO = NOW - 3 * HOUR


@pytest.mark.parametrize(
    ("spec", "last", "is_expected"),
    [
        ({"desiredState": "cancelled"}, None, True),
        ({"desiredState": "paused"}, None, True),
        ({"desiredState": "running"}, None, False),
        ({"desiredState": "observed"}, None, False),
        ({"desiredState": "cancelled"}, (Phase.RUNNING,), True),
        ({"desiredState": "running"}, (Phase.RUNNING,), False),
        ({"desiredState": "running"}, (Phase.PAUSED,), True),
        ({"desiredState": "cancelled"}, (Phase.CANCELLED,), False),
        ({"desiredState": "cancelled", "suspend": True}, (Phase.RUNNING,), False),
        ({"desiredState": "cancelled"}, (Phase.RUNNING, a_receipt(accepted_at=NOW)), False),
        ({"desiredState": "cancelled"}, (Phase.RUNNING, a_receipt(age=HOUR)), True),
        ({"desiredState": "running", "limits": {"maxAge": "1h"}}, (Phase.RUNNING,), True),
        ({"desiredState": "running", "limits": {"maxAge": "9h"}}, (Phase.RUNNING,), False),
        ({"desiredState": "observed", "limits": {"maxAge": "1h"}}, (Phase.SUCCEEDED,), False),
    ],
)
def test_a_change_is_expected_if_the_known_status_would_lead_to_a_request(
    spec: dict[str, Any], last: tuple[Any, ...] | None, *, is_expected: bool
) -> None:
    document = a_spec(**spec)
    known = past_of(document, *last, created_at=LONG_AGO) if last else None

    assert is_change_expected(subject_of(document), known, NOW) is is_expected


def test_no_change_is_expected_for_a_final_job() -> None:
    over = replace(past_of(a_spec(), Phase.RUNNING), final=True)

    assert not is_change_expected(subject_of(a_spec()), over, NOW)


def test_a_change_is_expected_for_a_job_never_observed_if_its_spec_requires_one() -> None:
    unobserved = replace(past_of(a_spec()), job=None, phase=Phase.UNKNOWN)

    assert is_change_expected(subject_of(a_spec()), unobserved, NOW)


def test_an_observation_request_without_the_observed_jobs_keeps_the_others() -> None:
    pairs = tracked(*named_specs("chat", "code"))
    left = errand(pairs).without({pairs[0][0].ref})

    assert left.asked == [pairs[1]]


def test_the_remaining_jobs_are_observed_and_planned() -> None:
    pairs = tracked(*named_specs("chat"), *watched(2))
    account = account_of(pairs)
    plan = rest(account, pairs)

    assert sorted(account.asked) == ["ftjob-chat", "ftjob-job-00", "ftjob-job-01"]
    assert names(plan) == ["chat", "job-00", "job-01"]
    assert (plan.has_observed, plan.begun_at, plan.unobserved) == (True, NOW, None)


def test_jobs_that_an_earlier_attempt_failed_to_observe_are_requested_last() -> None:
    pairs = tracked(*watched(3))
    account = account_of(pairs)
    rest(account, pairs, missed=frozenset({pairs[0][0].ref}))

    assert account.asked == ["ftjob-job-01", "ftjob-job-02", "ftjob-job-00"]


def over(spec: FineTuningJob) -> TrackedJob:
    """Return a spec whose job has succeeded and is final."""
    return subject_of(spec), replace(past_of(spec, Phase.SUCCEEDED, finished_at=NOW - HOUR), final=True)


def test_no_request_is_sent_if_all_jobs_are_final() -> None:
    account = an_account("ftjob-job-00", phase=Phase.SUCCEEDED)
    plan = rest(account, [over(*watched(1))])

    assert account.asked == []
    assert not plan.has_observed
    assert names(plan) == ["job-00"]


def test_a_final_job_is_planned_only_if_the_list_contradicts_its_end() -> None:
    denied, agreed = map(over, named_specs("denied", "agreed", desiredState="observed"))
    pairs = tracked(*watched(LISTED))
    account = account_of([denied, agreed, *pairs])
    account.jobs["ftjob-agreed"] = replace(account.jobs["ftjob-agreed"], phase=Phase.SUCCEEDED)
    plan = rest(account, pairs, resting=[denied, agreed])

    assert account.asked[-1] == "ftjob-denied"
    assert "denied" in names(plan)
    assert "agreed" not in names(plan)


@pytest.mark.parametrize("has_witness", [True, False])
def test_the_only_job_being_gone_is_accepted_if_the_pass_observed_another_job(*, has_witness: bool) -> None:
    spec = a_spec()
    asked = a_receipt(accepted_at=NOW - MINUTE, age=MINUTE)
    other = named_specs("other", desiredState="observed")[0]
    pairs, latest = [(subject_of(spec), past_of(spec, Phase.CANCELLING, asked))], rules_for(tracked(spec, other))
    plan = asyncio.run(
        observe_rest(InMemoryAccount({}), errand(pairs), lambda: latest, lambda: NOW, has_witness=has_witness)
    )

    assert [case.subject.name for case in plan.cases] == ["support-triage"]
    assert (plan.cases[0].unobserved is None) is has_witness


def test_an_observation_is_interrupted_when_a_changed_spec_needs_a_request() -> None:
    pairs = tracked(*watched(8))
    account = account_of(pairs)
    before = rules_for(pairs)
    changed = named_specs("job-07")[0]

    def rules() -> CurrentSpecs:
        is_changed = len(account.asked) >= 1
        return replace(before, subjects={**before.subjects, "job-07": subject_of(changed)}) if is_changed else before

    plan = rest(account, pairs, rules)

    assert len(account.asked) < len(pairs)
    assert JobRef(ACCOUNT, "ftjob-job-07") in plan.overtaken
    assert "job-07" not in names(plan)
