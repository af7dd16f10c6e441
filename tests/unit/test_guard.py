from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.controller import plan
from reconciler.controller.current_specs import CurrentSpecs
from reconciler.controller.plan import JobPlan
from reconciler.core.change_budget import ApprovalUse, ChangeBudget
from reconciler.core.decide import decide
from reconciler.core.guard import Approvals, ChangeLimits, approve, judge
from reconciler.core.past_attempts import PastAttempts, UsedApproval
from reconciler.core.scope import ScopedLimits
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Refusal
from reconciler.model.spec import Safety
from reconciler.model.status import JobFacts, JobStatus, Outcome, Verb
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
def test_a_batch_is_refused_if_many_and_a_great_share_or_too_many_in_any_case(
    batch: int, unfinished: int, *, is_stopped: bool
) -> None:
    assert is_refused(batch, unfinished) == is_stopped


def test_exactly_the_share_passes_and_one_job_fewer_to_share_does_not() -> None:
    assert not is_refused(6, 20)
    assert is_refused(6, 19)


def test_what_the_last_hour_saw_counts_too() -> None:
    assert not is_refused(1, 10, earlier=2)
    assert is_refused(1, 10, earlier=3)
    assert is_refused(1, 1000, earlier=20)
    assert not is_refused(0, 10, earlier=50)


def test_a_refusal_tells_its_numbers() -> None:
    refusal = judge("overall", names(4), 1, 10, BRAKES)

    assert refusal is not None
    assert str(refusal) == (
        "4 changes wanted at once and 1 in the last hour: 50 % of 10 unfinished jobs (overall); "
        "the limits are 3 and 30 % together, or 20 in any case"
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
def test_the_repository_may_only_tighten_what_the_operator_set(safety: Safety, brakes: ChangeLimits) -> None:
    assert BRAKES.tightened(safety) == brakes


@pytest.mark.parametrize("absolute", [0, 1])
def test_brakes_of_nothing_let_nothing_pass(absolute: int) -> None:
    brakes = ChangeLimits(max_cancels=0, max_cancel_percent=0, max_cancels_absolute=absolute)

    assert is_refused(1, 1000, brakes=brakes)


def test_an_approved_number_lets_just_that_many_pass_and_not_one_more() -> None:
    assert len(approve(names(24), Approvals(count=24), NOW)) == 24
    assert approve(names(25), Approvals(count=24), NOW) == {}


def test_an_approved_name_passes_and_does_not_use_up_the_number() -> None:
    approved = approve(names(25), Approvals(count=24, names=frozenset({"job-007", "not-in-the-batch"})), NOW)

    assert len(approved) == 25
    assert approved["job-007"] == "--allow-cancel"
    assert approved["job-008"] == "--allow-cancels 24"


def test_without_an_approval_nothing_is_approved() -> None:
    assert approve(names(1), Approvals(), NOW) == {}


def count_earlier(statuses: list[JobStatus]) -> int:
    return sum(PastAttempts(tuple(statuses)).count((), NOW).values())


def with_receipt(age: timedelta, **rest: Any) -> JobStatus:
    return replace(a_status(), receipts=(a_receipt(age=age, **rest),))


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_first_attempt_counts_for_an_hour(edge: timedelta, where: str) -> None:
    assert count_earlier([with_receipt(HOUR + edge)]) == (where == "just before")


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_a_first_attempt_from_the_future_counts_while_clocks_may_just_disagree(edge: timedelta, where: str) -> None:
    assert count_earlier([with_receipt(-(5 * MINUTE + edge))]) == (where != "just after")


def test_attempts_at_other_moments_add_up() -> None:
    assert count_earlier([with_receipt(MINUTE), replace(with_receipt(2 * MINUTE), name="another")]) == 2


def test_what_used_an_approval_is_told_with_its_spec_and_its_moment() -> None:
    approved = with_receipt(MINUTE, approved_by="--allow-cancel")

    assert PastAttempts((approved, with_receipt(MINUTE))).uses() == {
        UsedApproval("--allow-cancel", approved.name, NOW - MINUTE)
    }


def test_a_later_attempt_does_not_count_anew() -> None:
    assert count_earlier([with_receipt(DAY, last_attempt_at=NOW, attempts=5)]) == 0


def test_every_verb_counts_closed_or_open_and_what_was_approved_does_not() -> None:
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
    """Return a budget that knows of these statuses, which nobody else can have written."""
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


def test_only_unfinished_jobs_are_shared_among() -> None:
    statuses = tuple(replace(known(number), phase=phase) for number, phase in enumerate(Phase))
    _, refusals = ask_guard(budget(statuses), ACCOUNT, [case(number) for number in range(20, 30)])

    assert refusals[0].unfinished == 6 + 10


def test_a_refused_batch_is_refused_whole_and_what_else_was_decided_stands() -> None:
    cases = [*(case(number) for number in range(4)), case(9, phase=Phase.CANCELLING)]
    judged, refusals = ask_guard(budget(()), ACCOUNT, cases, NOW)

    assert [refusal.scope for refusal in refusals] == [str(ACCOUNT)]
    assert [each.decision.status.ready.reason for each in judged] == [
        *[Reason.REFUSED_BY_GUARD] * 4,
        Reason.CANCEL_PENDING,
    ]
    assert judged[4] == cases[4]


def test_an_account_that_is_within_its_limits_is_stopped_by_what_another_was_let_do() -> None:
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


def test_an_approved_number_is_meant_once_and_not_for_each_pass() -> None:
    use = ApprovalUse()
    passes = []
    for start in (0, 5, 10):
        one = budget((), Approvals(count=5), use)
        judged, _ = ask_guard(one, ACCOUNT, [case(number) for number in range(start, start + 5)], NOW)
        passes.append({each.approved_by for each in judged})

    assert passes == [{"--allow-cancels 5"}, {None}, {None}]


def test_a_name_is_allowed_once_and_not_for_each_job_that_its_spec_names_later() -> None:
    use = ApprovalUse()
    named = Approvals(names=frozenset({"job-000"}))
    other = replace(case(0), decision=replace(case(77).decision, last=None))
    first, none = ask_guard(refused_before(named, use=use), ACCOUNT, [case(0)], NOW)
    again, never = ask_guard(refused_before(named, use=use), ACCOUNT, [case(0)], NOW)
    _, refusals = ask_guard(refused_before(named, use=use), ACCOUNT, [other], NOW)

    assert [each.approved_by for each in (*first, *again)] == ["--allow-cancel"] * 2
    assert (none, never) == ((), ())
    assert len(refusals) == 1


def test_what_was_approved_and_never_left_is_approved_still() -> None:
    use = ApprovalUse()
    cases = [case(number) for number in range(5)]
    for _ in range(3):
        one = budget((), Approvals(count=5), use)
        judged, refusals = ask_guard(one, ACCOUNT, cases, NOW)

        assert {each.approved_by for each in judged} == {"--allow-cancels 5"}
        assert refusals == ()


def test_a_request_that_left_by_an_approved_number_needs_another_approval_when_it_is_due_anew() -> None:
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
    """Return a ledger that knows of a batch which was refused."""
    standing = {f"job-{number:03}": str(account) for number in range(count)}
    return budget((), approvals, use, standing=standing)


def test_a_batch_that_was_refused_goes_through_by_no_part() -> None:
    one = refused_before()
    judged, refusals = ask_guard(one, ACCOUNT, [case(3)], NOW)

    assert [refusal.names for refusal in refusals] == [names(5)]
    assert judged[0].refusal == refusals[0]


def test_a_batch_that_was_refused_in_one_account_keeps_no_other_from_its_own_changes() -> None:
    judged, refusals = ask_guard(refused_before(account=OTHER), ACCOUNT, [case(7)], NOW)

    assert refusals == ()
    assert judged[0].refusal is None


def test_of_a_batch_that_was_refused_those_pass_that_a_person_named_and_nobody_else() -> None:
    named = Approvals(names=frozenset({"job-003"}))
    _, refusals = ask_guard(refused_before(named), ACCOUNT, [case(2)], NOW)
    judged, none = ask_guard(refused_before(named), ACCOUNT, [case(3)], NOW)

    assert len(refusals) == 1
    assert none == ()
    assert judged[0].approved_by == "--allow-cancel"


@pytest.mark.parametrize(("count", "is_enough"), [(1, False), (4, False), (5, True)])
def test_a_number_that_approves_a_part_must_be_as_large_as_the_whole(count: int, *, is_enough: bool) -> None:
    _, refusals = ask_guard(refused_before(Approvals(count=count)), ACCOUNT, [case(3)], NOW)

    assert (refusals == ()) == is_enough


def test_what_is_no_longer_wanted_of_a_batch_that_was_refused_stands_in_nobodys_way() -> None:
    cases = [case(0), *(case(number, phase=Phase.CANCELLING) for number in range(1, 5))]
    judged, refusals = ask_guard(refused_before(), ACCOUNT, cases, NOW)

    assert refusals == ()
    assert judged[0].refusal is None


def test_what_was_approved_does_not_stop_what_comes_after() -> None:
    statuses = tuple(known(number) for number in range(40))
    one = budget(statuses, Approvals(count=20))
    ask_guard(one, ACCOUNT, [case(number) for number in range(20)], NOW)
    second, refusals = ask_guard(one, OTHER, [case(number, OTHER) for number in range(50, 53)], NOW)

    assert refusals == ()
    assert all(each.refusal is None for each in second)


def test_an_hour_of_many_small_commits_is_one_batch() -> None:
    asked = tuple(replace(known(number), receipts=(a_receipt(age=30 * MINUTE),)) for number in range(3))
    _, refusals = ask_guard(budget(asked), ACCOUNT, [case(7)], NOW)
    _, none = ask_guard(budget(asked), ACCOUNT, [case(7)], NOW + HOUR)

    assert len(refusals) == 1
    assert none == ()


def test_an_attempt_that_is_not_the_first_is_never_refused() -> None:
    last = replace(known(1), observed_spec=a_subject().digest, receipts=(a_receipt(age=HOUR),))
    subject = replace(a_subject(), ref=JobRef(ACCOUNT, "ftjob-1"))
    again = JobPlan(subject, last, decide(subject, a_look(), last, NOW))
    judged, _ = ask_guard(budget(()), ACCOUNT, [again, *(case(number) for number in range(2, 6))], NOW + SECOND)

    assert again.decision.action is not None
    assert judged[0].refusal is None
    assert [each.refusal is not None for each in judged[1:]] == [True] * 4


def test_nothing_is_few_enough_where_the_last_hour_cannot_be_counted() -> None:
    refusal = judge("overall", names(1), 0, 1000, BRAKES, "specs/status/x.yaml cannot be read")

    assert str(refusal) == (
        "1 changes wanted (overall), but the last hour cannot be counted: specs/status/x.yaml cannot be read"
    )
    assert judge("overall", (), 0, 1000, BRAKES, "specs/status/x.yaml cannot be read") is None
