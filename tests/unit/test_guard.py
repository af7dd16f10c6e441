from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.controller import plan
from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.plan import JobPlan
from reconciler.core.approval_use import ApprovalUse
from reconciler.core.change_budget import ChangeBudget
from reconciler.core.decide import decide
from reconciler.core.guard import Approvals, ChangeLimits, approve, judge
from reconciler.core.past_attempts import PastAttempts, UsedApproval
from reconciler.core.scope import ScopedLimits
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Refusal
from reconciler.model.spec import Safety
from reconciler.model.status import JobFacts, JobStatus, Outcome, Verb
from tests.support.attempt_counts import counts
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import DAY, EDGES, HOUR, MINUTE, SECOND, a_look, a_receipt, a_subject

BRAKES = ChangeLimits(max_cancels=3, max_cancel_percent=30, max_cancels_absolute=20)
OTHER = Account("openai", "https://eu.api.openai.com/v1")
WHERE = [where for _, where in EDGES]


def names(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"job-{number:03}" for number in range(start, start + count))


def is_refused(batch: int, unfinished: int, earlier: int = 0, brakes: ChangeLimits = BRAKES) -> bool:
    return judge("overall", names(batch), earlier, unfinished, brakes) is not None


@pytest.mark.parametrize(
    ("batch", "unfinished", "is_stopped"),
    [
        (3, 3, False),
        (4, 4, True),
        (4, 13, True),
        (4, 14, False),
        (30, 100, True),
        (20, 1000, False),
        (21, 1000, True),
        (4, 0, True),
        (0, 0, False),
    ],
    ids=[
        "all of three are not many",
        "four of four are",
        "just over the share",
        "just under the share",
        "just the share, and over the absolute",
        "just the absolute",
        "over the absolute, whatever the share",
        "of nothing that is known",
        "nothing",
    ],
)
def test_a_batch_is_refused_over_number_and_percentage_or_over_the_absolute_limit(
    batch: int, unfinished: int, *, is_stopped: bool
) -> None:
    assert is_refused(batch, unfinished) == is_stopped


def test_a_batch_of_exactly_the_percentage_is_allowed_and_one_above_it_is_refused() -> None:
    assert not is_refused(6, 20)
    assert is_refused(6, 19)


def test_attempts_of_the_last_hour_are_added_to_the_batch() -> None:
    assert not is_refused(1, 10, earlier=2)
    assert is_refused(1, 10, earlier=3)
    assert is_refused(1, 1000, earlier=20)
    assert not is_refused(0, 10, earlier=50)


def test_the_text_of_a_refusal_contains_its_numbers_and_limits() -> None:
    refusal = judge("overall", names(4), 1, 10, BRAKES)

    assert refusal is not None
    assert str(refusal) == (
        "4 changes wanted at once, besides 1 allowed within the last hour: 50 % of 10 unfinished jobs (overall); "
        "the limit per hour is the larger of 3 and 30 %, but at most 20"
    )


@pytest.mark.parametrize(
    ("safety", "brakes"),
    [
        (Safety(), BRAKES),
        (Safety(max_cancels=99, max_cancel_percent=99, max_cancels_absolute=99), BRAKES),
        (Safety(max_cancels=0, max_cancel_percent=0, max_cancels_absolute=0), ChangeLimits(0, 0, 0)),
        (Safety(max_cancels=2), ChangeLimits(2, 30, 20)),
    ],
    ids=["silent", "looser", "none at all", "stricter in one"],
)
def test_settings_can_only_lower_the_operators_limits(safety: Safety, brakes: ChangeLimits) -> None:
    assert BRAKES.tightened(safety) == brakes


@pytest.mark.parametrize("absolute", [0, 1])
def test_limits_of_zero_refuse_every_change(absolute: int) -> None:
    brakes = ChangeLimits(max_cancels=0, max_cancel_percent=0, max_cancels_absolute=absolute)

    assert is_refused(1, 1000, brakes=brakes)


def test_an_approved_number_does_not_approve_a_larger_batch() -> None:
    assert len(approve(names(24), Approvals(count=24), NOW)) == 24
    assert approve(names(25), Approvals(count=24), NOW) == {}


def test_a_change_approved_by_name_does_not_use_up_the_approved_number() -> None:
    approved = approve(names(25), Approvals(count=24, names=frozenset({"job-007", "not-in-the-batch"})), NOW)

    assert len(approved) == 25
    assert approved["job-007"] == "--allow-cancel"
    assert approved["job-008"] == "--allow-cancels 24"


def test_no_change_is_approved_without_an_approval() -> None:
    assert approve(names(1), Approvals(), NOW) == {}


def count_earlier(statuses: list[JobStatus]) -> int:
    return sum(counts(PastAttempts(tuple(statuses)), (), NOW).values())


def with_receipt(age: timedelta, **rest: Any) -> JobStatus:
    return replace(a_status(), receipts=(a_receipt(age=age, **rest),))


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_first_attempt_is_counted_for_one_hour(edge: timedelta, where: str) -> None:
    assert count_earlier([with_receipt(HOUR + edge)]) == (where == "just before")


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_first_attempt_up_to_five_minutes_in_the_future_is_counted(edge: timedelta, where: str) -> None:
    assert count_earlier([with_receipt(-(5 * MINUTE + edge))]) == (where != "just after")


def test_attempts_at_different_times_are_added_up() -> None:
    assert count_earlier([with_receipt(MINUTE), replace(with_receipt(2 * MINUTE), name="another")]) == 2


def test_the_use_of_an_approval_is_recorded_with_its_spec_and_its_time() -> None:
    approved = with_receipt(MINUTE, approved_by="--allow-cancel")

    assert PastAttempts((approved, with_receipt(MINUTE))).uses() == {
        UsedApproval("--allow-cancel", approved.name, NOW - MINUTE)
    }


def test_a_repeated_attempt_is_not_counted_again() -> None:
    assert count_earlier([with_receipt(DAY, last_attempt_at=NOW, attempts=5)]) == 0


def test_attempts_of_every_verb_are_counted_unless_they_were_approved() -> None:
    receipts = (
        a_receipt(Verb.PAUSE),
        a_receipt(Verb.RESUME, outcome=Outcome.RUNNING),
        a_receipt(Verb.CANCEL, outcome=Outcome.WITHDRAWN),
        a_receipt(Verb.CANCEL, approved_by="--allow-cancels 24"),
    )

    assert count_earlier([replace(a_status(), receipts=receipts)]) == 3


def case(number: int, account: Account = ACCOUNT, phase: Phase = Phase.RUNNING) -> JobPlan:
    subject = replace(a_subject(), name=f"job-{number:03}", ref=JobRef(account, f"ftjob-{number}"))
    return JobPlan(subject, None, decide(subject, a_look(phase), None, NOW))


def known(number: int, account: Account = ACCOUNT) -> JobStatus:
    facts = JobFacts(account=str(account), id=f"ftjob-{number}", provider_status="running")
    return replace(a_status(f"job-{number:03}"), phase=Phase.RUNNING, final=False, job=facts)


def budget(
    statuses: tuple[JobStatus, ...], approvals: Approvals | None = None, use: ApprovalUse | None = None, **rest: Any
) -> ChangeBudget:
    """Return a budget with these statuses, which only reconcile can have written."""
    return ChangeBudget(
        ScopedLimits(BRAKES),
        approvals or Approvals(),
        PastAttempts(statuses, is_ours=True),
        statuses,
        use=use or ApprovalUse(),
        **rest,
    )


def ask_guard(
    one: ChangeBudget, account: Account, cases: list[JobPlan], now: datetime = NOW
) -> tuple[list[JobPlan], tuple[Refusal, ...]]:
    return plan.judge(CurrentSpecs(budget=one), account, cases, now)


def test_the_percentage_is_computed_over_unfinished_jobs_only() -> None:
    statuses = tuple(replace(known(number), phase=phase) for number, phase in enumerate(Phase))
    _, refusals = ask_guard(budget(statuses), ACCOUNT, [case(number) for number in range(20, 30)])

    assert refusals[0].unfinished == 6 + 10


def test_a_refusal_applies_to_the_whole_batch_and_not_to_jobs_without_a_change() -> None:
    cases = [*(case(number) for number in range(4)), case(9, phase=Phase.CANCELLING)]
    judged, refusals = ask_guard(budget(()), ACCOUNT, cases, NOW)

    assert [refusal.scope for refusal in refusals] == [str(ACCOUNT)]
    assert [each.decision.status.ready.reason for each in judged] == [
        *[Reason.REFUSED_BY_GUARD] * 4,
        Reason.CANCEL_PENDING,
    ]
    assert judged[4] == cases[4]


def test_an_account_is_refused_if_other_accounts_used_up_the_overall_limit() -> None:
    both = (*(known(number) for number in range(3)), *(known(number, OTHER) for number in range(10, 13)))
    one = budget(both)
    first, none = ask_guard(one, ACCOUNT, [case(number) for number in range(3)], NOW)
    second, refusals = ask_guard(one, OTHER, [case(number, OTHER) for number in range(10, 13)], NOW)

    assert none == ()
    assert all(each.refusal is None for each in first)
    assert [refusal.scope for refusal in refusals] == ["overall"]
    assert all(each.refusal == refusals[0] for each in second)


def test_an_approved_number_is_shared_by_all_accounts() -> None:
    one = budget((), Approvals(count=24))
    first, _ = ask_guard(one, ACCOUNT, [case(number) for number in range(20)], NOW)
    second, refusals = ask_guard(one, OTHER, [case(number, OTHER) for number in range(20, 25)], NOW)

    assert {each.approved_by for each in first} == {"--allow-cancels 24"}
    assert {each.approved_by for each in second} == {None}
    assert len(refusals) == 1


def test_an_approved_number_applies_once_and_not_in_each_pass() -> None:
    use = ApprovalUse()
    passes = []
    for start in (0, 5, 10):
        one = budget((), Approvals(count=5), use)
        judged, _ = ask_guard(one, ACCOUNT, [case(number) for number in range(start, start + 5)], NOW)
        passes.append({each.approved_by for each in judged})

    assert passes == [{"--allow-cancels 5"}, {None}, {None}]


def test_an_approval_by_name_does_not_cover_another_job_of_the_same_spec() -> None:
    use = ApprovalUse()
    named = Approvals(names=frozenset({"job-000"}))
    other = replace(case(0), decision=replace(case(77).decision, last=None))
    first, none = ask_guard(refused_before(named, use=use), ACCOUNT, [case(0)], NOW)
    again, never = ask_guard(refused_before(named, use=use), ACCOUNT, [case(0)], NOW)
    _, refusals = ask_guard(refused_before(named, use=use), ACCOUNT, [other], NOW)

    assert [each.approved_by for each in (*first, *again)] == ["--allow-cancel"] * 2
    assert (none, never) == ((), ())
    assert len(refusals) == 1


def test_an_approved_request_that_was_not_sent_stays_approved() -> None:
    use = ApprovalUse()
    cases = [case(number) for number in range(5)]
    for _ in range(3):
        one = budget((), Approvals(count=5), use)
        judged, refusals = ask_guard(one, ACCOUNT, cases, NOW)

        assert {each.approved_by for each in judged} == {"--allow-cancels 5"}
        assert refusals == ()


def test_an_approval_that_was_used_by_a_sent_request_does_not_cover_a_new_one() -> None:
    use = ApprovalUse()
    cases = [case(number) for number in range(5)]
    ask_guard(budget((), Approvals(count=5), use), ACCOUNT, cases, NOW)
    asked = a_receipt(age=-SECOND, outcome=Outcome.WITHDRAWN, approved_by="--allow-cancels 5")
    anew = [replace(each, last=replace(known(number), receipts=(asked,))) for number, each in enumerate(cases)]
    one = budget((), Approvals(count=5), use)
    _, refusals = ask_guard(one, ACCOUNT, anew, NOW + MINUTE)

    assert len(refusals) == 1


def refused_before(
    approvals: Approvals | None = None, count: int = 5, account: Account = ACCOUNT, use: ApprovalUse | None = None
) -> ChangeBudget:
    """Return a budget in which a batch was refused before."""
    standing = {f"job-{number:03}": str(account) for number in range(count)}
    return budget((), approvals, use, standing=standing)


def test_a_part_of_a_refused_batch_is_also_refused() -> None:
    one = refused_before()
    judged, refusals = ask_guard(one, ACCOUNT, [case(3)], NOW)

    assert [refusal.names for refusal in refusals] == [names(5)]
    assert judged[0].refusal == refusals[0]


def test_a_refused_batch_does_not_block_the_changes_of_another_account() -> None:
    judged, refusals = ask_guard(refused_before(account=OTHER), ACCOUNT, [case(7)], NOW)

    assert refusals == ()
    assert judged[0].refusal is None


def test_only_changes_approved_by_name_are_allowed_from_a_refused_batch() -> None:
    named = Approvals(names=frozenset({"job-003"}))
    _, refusals = ask_guard(refused_before(named), ACCOUNT, [case(2)], NOW)
    judged, none = ask_guard(refused_before(named), ACCOUNT, [case(3)], NOW)

    assert len(refusals) == 1
    assert none == ()
    assert judged[0].approved_by == "--allow-cancel"


@pytest.mark.parametrize(("count", "is_enough"), [(1, False), (4, False), (5, True)])
def test_the_approved_number_must_cover_the_whole_refused_batch(count: int, *, is_enough: bool) -> None:
    _, refusals = ask_guard(refused_before(Approvals(count=count)), ACCOUNT, [case(3)], NOW)

    assert (refusals == ()) == is_enough


def test_changes_that_are_no_longer_due_are_removed_from_a_refused_batch() -> None:
    cases = [case(0), *(case(number, phase=Phase.CANCELLING) for number in range(1, 5))]
    judged, refusals = ask_guard(refused_before(), ACCOUNT, cases, NOW)

    assert refusals == ()
    assert judged[0].refusal is None


def test_approved_changes_do_not_use_up_the_limits_of_later_changes() -> None:
    statuses = tuple(known(number) for number in range(40))
    one = budget(statuses, Approvals(count=20))
    ask_guard(one, ACCOUNT, [case(number) for number in range(20)], NOW)
    second, refusals = ask_guard(one, OTHER, [case(number, OTHER) for number in range(50, 53)], NOW)

    assert refusals == ()
    assert all(each.refusal is None for each in second)


def test_small_batches_within_one_hour_are_counted_together() -> None:
    asked = tuple(replace(known(number), receipts=(a_receipt(age=30 * MINUTE),)) for number in range(3))
    _, refusals = ask_guard(budget(asked), ACCOUNT, [case(7)], NOW)
    _, none = ask_guard(budget(asked), ACCOUNT, [case(7)], NOW + HOUR)

    assert len(refusals) == 1
    assert none == ()


def test_a_repeated_attempt_is_allowed_even_if_first_attempts_are_refused() -> None:
    last = replace(known(1), observed_spec=a_subject().digest, receipts=(a_receipt(age=HOUR),))
    subject = replace(a_subject(), ref=JobRef(ACCOUNT, "ftjob-1"))
    again = JobPlan(subject, last, decide(subject, a_look(), last, NOW))
    judged, _ = ask_guard(budget(()), ACCOUNT, [again, *(case(number) for number in range(2, 6))], NOW + SECOND)

    assert again.decision.action is not None
    assert judged[0].refusal is None
    assert [each.refusal is not None for each in judged[1:]] == [True] * 4


def test_one_change_is_refused_if_the_last_hour_cannot_be_counted() -> None:
    refusal = judge("overall", names(1), 0, 1000, BRAKES, "specs/status/x.yaml cannot be read")

    assert str(refusal) == (
        "1 change wanted (overall), but the last hour cannot be counted: specs/status/x.yaml cannot be read"
    )
    assert judge("overall", (), 0, 1000, BRAKES, "specs/status/x.yaml cannot be read") is None
