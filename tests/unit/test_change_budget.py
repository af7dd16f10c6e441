"""What counts as a first attempt, where, and by whose word: the laws of the scopes and of what vouches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from reconciler.core.change_budget import EVERYWHERE, ApprovalUse, ChangeBudget
from reconciler.core.guard import Approvals, ChangeLimits, approve
from reconciler.core.losses import lost_since, marks_of, why_uncountable
from reconciler.core.past_attempts import PastAttempts, PlannedChange, UsedApproval, still_counting
from reconciler.core.scope import AccountMap, ChangePlace, Extent, Scope, ScopedLimits
from reconciler.model.action import CommitApproval
from reconciler.model.job import Account, CredentialScope, JobRef, Phase
from reconciler.model.journal import KnownStatuses, Requested
from reconciler.model.kind import FINE_TUNING
from reconciler.model.spec import Safety, render_instant
from reconciler.model.status import JobFacts, JobStatus, Outcome, Verb
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import DAY, HOUR, MINUTE, SECOND, a_receipt

ALIAS = Account("openai", "https://api.openai.com/v1", (("project", "p0"),))
ELSEWHERE = Account("openai", "https://eu.api.openai.com/v1")
SANDBOX = Account("sandbox", "http://sandbox.localhost/v1", (("world", "w"),))
KEY = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")
ACCOUNT_MAP = AccountMap(
    {
        str(ACCOUNT): KEY,
        str(ALIAS): KEY,
        str(ELSEWHERE): CredentialScope("eu.api.openai.com:443", "EU_KEY"),
        str(SANDBOX): CredentialScope(str(SANDBOX), "sandbox"),
    }
)
LINES = [str(each) for each in (ACCOUNT, ALIAS, ELSEWHERE, SANDBOX)]


def change(number: int, account: Account = ACCOUNT, **rest: Any) -> PlannedChange:
    usual = {"verb": Verb.CANCEL, "is_first": True, "is_unfinished": True}
    return PlannedChange(f"job-{number:03}", JobRef(account, f"ftjob-{number}"), **{**usual, **rest})


def changes(count: int, account: Account = ACCOUNT, start: int = 0) -> list[PlannedChange]:
    return [change(number, account) for number in range(start, start + count)]


def requested(number: int, account: Account = ACCOUNT, age: timedelta = MINUTE, **rest: Any) -> Requested:
    usual = {"name": f"job-{number:03}", "account": str(account), "job_id": f"ftjob-{number}", "verb": Verb.CANCEL}
    return Requested(**{**usual, "at": NOW - age, "receipt_at": NOW - age, **rest})


def told(number: int, account: Account = ACCOUNT, age: timedelta = MINUTE, **rest: Any) -> JobStatus:
    """Return a status that tells of a cancel which is over."""
    facts = JobFacts(account=str(account), id=f"ftjob-{number}", provider_status="cancelled")
    receipt = a_receipt(age=age, outcome=Outcome.CANCELLED, **rest)
    return replace(a_status(f"job-{number:03}"), job=facts, receipts=(receipt,))


# Scopes.


def test_every_account_counts_for_itself_and_real_ones_for_all_that_they_share() -> None:
    counts = {(one, other): _counts(one, other) for one, other in product(LINES, repeat=2)}
    shared = {pair for pair, extents in counts.items() if Extent.CREDENTIAL in extents}

    assert all(Extent.ACCOUNT in extents for (one, other), extents in counts.items() if one == other)
    assert all(Extent.ACCOUNT not in extents for (one, other), extents in counts.items() if one != other)
    assert shared == {*product(LINES[:2], repeat=2), (LINES[2], LINES[2])}
    assert {pair for pair, extents in counts.items() if Extent.OVERALL in extents} == {*product(LINES[:3], repeat=2)}
    assert {pair for pair, extents in counts.items() if Extent.KIND in extents} == {*product(LINES[:3], repeat=2)}
    assert counts[LINES[3], LINES[3]] == {Extent.ACCOUNT}


def _counts(done: str, judged: str) -> set[Extent]:
    """Return in which scopes of one account it counts what was done in another."""
    return {scope.extent for scope in ACCOUNT_MAP.place(judged).scopes() if ACCOUNT_MAP.is_in(done, scope)}


@pytest.mark.parametrize(
    ("line", "is_counted"),
    [
        ("openai https://api.openai.com/v1 project=gone", True),
        ("litellm https://api.openai.com/x", True),
        ("openai https://api.openai.com:8443/v1", False),
        ("openai https://other.example/v1", False),
        ("sandbox https://api.openai.com/v1", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_an_account_that_no_document_stands_for_counts_with_all_at_its_host(line: str, *, is_counted: bool) -> None:
    assert ACCOUNT_MAP.is_in(line, Scope(Extent.CREDENTIAL, str(KEY))) == is_counted


def test_an_account_of_another_credential_at_the_same_host_counts_for_itself() -> None:
    other = Account("openai", "https://api.openai.com/v1", (("project", "other"),))
    account_map = AccountMap({str(ACCOUNT): KEY, str(other): CredentialScope(KEY.host, "OTHER_KEY")})

    assert not account_map.is_in(str(other), Scope(Extent.CREDENTIAL, str(KEY)))


def test_each_batch_that_was_let_through_counts_for_the_next_one() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    judged = [budget.judge(str(ACCOUNT), changes(count, start=start), NOW) for count, start in ((2, 0), (1, 2), (1, 3))]

    assert [bool(each.refusals) for each in judged] == [False, False, True]
    assert judged[2].refusals[0].earlier == 3
    assert budget.standing == {"job-003": str(ACCOUNT)}


def test_attempts_that_may_stand_where_nobody_could_read_count_as_made() -> None:
    judged = ChangeBudget(account_map=ACCOUNT_MAP, hidden=3).judge(str(ACCOUNT), changes(1), NOW)

    assert judged.refused == {"job-000"}
    assert judged.refusals[0].earlier == 3


def test_a_commits_approval_is_used_up_within_one_pass() -> None:
    budget = ChangeBudget(ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(commits=(A,)), account_map=ACCOUNT_MAP)
    first = budget.judge(str(ACCOUNT), [replace(change(number), name=name) for number, name in enumerate("xy")], NOW)
    second = budget.judge(str(ALIAS), [replace(change(9, ALIAS), name="z")], NOW)

    assert first.approved == dict.fromkeys("xy", A.label)
    assert second.refused == {"z"}


def test_a_number_of_cancels_that_an_operator_allows_is_for_all_accounts_of_a_run() -> None:
    budget = ChangeBudget(ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(count=2), account_map=ACCOUNT_MAP)
    accounts = (ACCOUNT, ELSEWHERE, ALIAS)
    judged = [budget.judge(str(each), changes(1, each, number), NOW) for number, each in enumerate(accounts)]

    assert [dict(each.approved) for each in judged] == [
        {"job-000": "--allow-cancels 2"},
        {"job-001": "--allow-cancels 2"},
        {},
    ]
    assert judged[2].refused == {"job-002"}


@pytest.mark.parametrize(("age", "by"), [(SECOND, "--allow-cancels 2"), (timedelta(0), None), (-SECOND, None)])
def test_an_approval_is_for_the_request_after_it_and_for_none_once_that_is_opened(
    age: timedelta, by: str | None
) -> None:
    use = ApprovalUse()
    use.grant(change(0), "--allow-cancels 2", NOW)

    assert use.granted(change(0, receipts=(a_receipt(age=age, outcome=Outcome.WITHDRAWN),))) == by


def test_a_request_that_is_approved_each_pass_until_it_leaves_uses_up_one_of_the_number() -> None:
    use = ApprovalUse()
    for each in (change(0), change(0), change(1, verb=None)):
        use.grant(each, "--allow-cancels 2", NOW)

    assert use.used == 1


def test_a_job_that_this_pass_saw_at_its_end_is_not_counted_as_its_status_has_it() -> None:
    running = replace(told(7), phase=Phase.RUNNING, final=False, receipts=())
    budget = ChangeBudget(
        past=PastAttempts(is_ours=True), claimed=(running, replace(running, job=None)), account_map=ACCOUNT_MAP
    )
    ended = change(7, verb=None, is_first=False, is_unfinished=False)
    judged = budget.judge(str(ACCOUNT), [*changes(4, start=20), ended], NOW)

    assert [each.unfinished for each in judged.refusals] == [4]


def test_aliases_of_one_credential_share_one_hour() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    first = budget.judge(str(ACCOUNT), changes(3), NOW)
    second = budget.judge(str(ALIAS), changes(3, ALIAS, 10), NOW)

    assert first.refusals == ()
    assert [each.scope for each in second.refusals] == [str(KEY)]
    assert second.refused == {"job-010", "job-011", "job-012"}


def test_what_was_done_in_another_account_of_the_credential_counts_whoever_tells_of_it() -> None:
    by_journal = PastAttempts(journal=tuple(requested(number, ALIAS) for number in range(50, 53)))
    by_status = PastAttempts(tuple(told(number, ALIAS) for number in range(50, 53)))
    gone = Account("openai", "https://api.openai.com/v1", (("project", "gone"),))
    removed = PastAttempts(journal=tuple(requested(number, gone) for number in range(50, 53)))

    for past in (by_journal, by_status, removed):
        judged = ChangeBudget(past=past, account_map=ACCOUNT_MAP).judge(str(ACCOUNT), changes(1), NOW)

        assert [each.scope for each in judged.refusals] == [str(KEY)]


def test_make_believe_jobs_make_no_room_and_take_none() -> None:
    padding = [change(number, SANDBOX, verb=None, is_first=False) for number in range(100, 200)]
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    budget.judge(str(SANDBOX), padding, NOW)
    budget.judge(str(SANDBOX), changes(20, SANDBOX, 300), NOW)
    three = budget.judge(str(ACCOUNT), changes(3), NOW)
    more = budget.judge(str(ELSEWHERE), changes(1, ELSEWHERE, 10), NOW)

    assert three.refusals == ()
    assert [(each.scope, each.unfinished) for each in more.refusals] == [("overall", 4)]


def test_each_scope_has_its_own_limits_and_a_repository_may_only_tighten_them() -> None:
    limits = ScopedLimits(
        ChangeLimits(), {FINE_TUNING.name: ChangeLimits(5, 5, 5)}, {"OPENAI_API_KEY": ChangeLimits(9, 99, 99)}
    )
    place = ChangePlace(str(ACCOUNT), KEY)
    tight = limits.tightened(Safety(max_cancels=7, max_cancels_absolute=7))

    assert [limits.of(scope, place) for scope in place.scopes()] == [
        ChangeLimits(9, 99, 99),
        ChangeLimits(9, 99, 99),
        ChangeLimits(),
        ChangeLimits(5, 5, 5),
    ]
    assert [tight.of(scope, place) for scope in place.scopes()] == [
        ChangeLimits(7, 99, 7),
        ChangeLimits(7, 99, 7),
        ChangeLimits(3, 30, 7),
        ChangeLimits(5, 5, 5),
    ]


def test_a_refusal_names_a_scope_by_what_it_reaches() -> None:
    scopes = ACCOUNT_MAP.place(str(ACCOUNT)).scopes()

    assert [str(each) for each in scopes] == [str(ACCOUNT), str(KEY), "overall", "every FineTuningJob"]


def test_limits_of_everything_and_of_kinds_hold_whatever_credentials_go_by() -> None:
    limits = ScopedLimits(ChangeLimits(9, 9, 9), {FINE_TUNING.name: ChangeLimits(5, 5, 5)})

    assert limits.renamed({"B": "A"}) == limits


def test_of_two_names_for_one_credential_the_stricter_limits_hold() -> None:
    limits = ScopedLimits(
        credentials={"A": ChangeLimits(9, 10, 9), "B": ChangeLimits(5, 50, 5), "C": ChangeLimits(1, 1, 1)}
    )

    assert limits.renamed({"B": "A"}).credentials == {"A": ChangeLimits(5, 10, 5), "C": ChangeLimits(1, 1, 1)}


# What vouches.

OPEN = a_receipt(age=3 * HOUR)


def again(**rest: Any) -> PlannedChange:
    """Return a change whose status tells of an attempt that is open."""
    return change(0, is_first=False, receipts=(OPEN,), **rest)


def test_an_open_receipt_that_nobody_vouches_for_is_a_first_attempt() -> None:
    forged = again()
    right = requested(0, receipt_at=OPEN.requested_at)
    wrong = [
        requested(1, receipt_at=OPEN.requested_at),
        requested(0, ALIAS, receipt_at=OPEN.requested_at),
        requested(0, receipt_at=OPEN.requested_at, verb=Verb.PAUSE),
        requested(0, receipt_at=OPEN.requested_at + SECOND),
    ]

    assert PastAttempts().is_first_attempt(forged)
    assert PastAttempts(journal=tuple(wrong)).is_first_attempt(forged)
    assert not PastAttempts(journal=(*wrong, right)).is_first_attempt(forged)
    assert not PastAttempts(is_ours=True).is_first_attempt(forged)
    assert not PastAttempts().is_first_attempt(again(verb=None))


def test_forged_receipts_are_refused_as_one_batch() -> None:
    forged = [replace(again(), name=f"job-{number}", ref=JobRef(ACCOUNT, f"ftjob-{number}")) for number in range(30)]
    judged = ChangeBudget(account_map=ACCOUNT_MAP).judge(str(ACCOUNT), forged, NOW)

    assert len(judged.refused) == 30
    assert judged.refusals[0].requested == 30


@pytest.mark.parametrize("where", ["journal", "status", "both", "an older status"])
def test_an_attempt_counts_once_whoever_tells_of_it(where: str) -> None:
    journal = (requested(0),) if where in {"journal", "both"} else ()
    statuses = (told(0),) if where in {"status", "both"} else ()
    older = (told(0), told(0)) if where in {"an older status", "both"} else ()

    assert PastAttempts(statuses, journal, older).count((), NOW) == {str(ACCOUNT): 1}


def test_an_attempt_that_only_an_older_status_of_a_spec_tells_of_counts_with_those_of_its_newest() -> None:
    newest, older = told(0), told(0, age=2 * MINUTE)

    assert PastAttempts((newest,), older=(older,)).count((), NOW) == {str(ACCOUNT): 2}


def test_what_a_status_says_of_an_approval_or_a_time_takes_nothing_from_the_journal() -> None:
    journal = (requested(0), requested(1))
    approved = PastAttempts((told(0, approved_by="--allow-cancels 9"),), journal)
    dated_back = PastAttempts((told(0, age=DAY), told(1, age=DAY)), journal)

    assert approved.count((), NOW)[str(ACCOUNT)] == 2
    assert dated_back.count((), NOW)[str(ACCOUNT)] == 2


def test_a_batch_is_no_part_of_its_own_past() -> None:
    left_over = PastAttempts(journal=(requested(0),))
    forged = change(0, is_first=False, receipts=(a_receipt(age=30 * MINUTE),))
    status = replace(told(0), receipts=forged.receipts)

    assert left_over.count([change(0)], NOW)[str(ACCOUNT)] == 0
    assert left_over.count([change(1)], NOW)[str(ACCOUNT)] == 1
    assert PastAttempts((status,)).count([forged], NOW)[str(ACCOUNT)] == 0
    assert PastAttempts((status,)).count([], NOW)[str(ACCOUNT)] == 1


def test_the_journal_keeps_what_counts_and_what_vouches_for_an_open_receipt() -> None:
    status = replace(told(0), receipts=(OPEN,))
    kept = (
        requested(0, age=3 * HOUR),
        requested(1, age=59 * MINUTE),
        requested(2, age=23 * HOUR, approved_by="Approve-Cancels 0123456789ab"),
    )
    gone = (requested(3, age=HOUR), requested(4, age=2 * MINUTE, approved_by="--allow-cancels 3"))

    assert still_counting((*kept, *gone), [status], NOW) == kept


# The share.


def seen(account: Account, count: int, start: int) -> list[PlannedChange]:
    return [change(number, account, verb=None, is_first=False) for number in range(start, start + count)]


def statuses(account: Account, count: int, start: int) -> tuple[JobStatus, ...]:
    return tuple(
        replace(told(number, account), phase=Phase.RUNNING, receipts=()) for number in range(start, start + count)
    )


def test_the_share_is_of_what_was_seen_and_not_of_what_a_status_tells() -> None:
    made_up = statuses(ACCOUNT, 100, 100)
    four = ChangeBudget(claimed=made_up, account_map=ACCOUNT_MAP).judge(str(ACCOUNT), changes(4), NOW)
    ours = ChangeBudget(claimed=made_up, past=PastAttempts(is_ours=True), account_map=ACCOUNT_MAP).judge(
        str(ACCOUNT), changes(4), NOW
    )
    known = {each.name: (each.job.account, each.job.id) for each in made_up if each.job is not None}
    kept = ChangeBudget(claimed=made_up, known_unfinished=known, account_map=ACCOUNT_MAP).judge(
        str(ACCOUNT), changes(4), NOW
    )
    both = ChangeBudget(account_map=ACCOUNT_MAP).judge(str(ACCOUNT), [*changes(4), *seen(ACCOUNT, 10, 100)], NOW)

    assert four.refusals[0].unfinished == 4
    assert [each.refusals for each in (ours, kept, both)] == [(), (), ()]


def test_an_account_that_was_looked_at_first_is_not_refused_for_that() -> None:
    claimed = (*statuses(ACCOUNT, 10, 0), *statuses(ELSEWHERE, 10, 100))
    budget = ChangeBudget(claimed=claimed, account_map=ACCOUNT_MAP)
    budget.judge(str(ELSEWHERE), changes(3, ELSEWHERE, 100), NOW)
    judged = budget.judge(str(ACCOUNT), [*changes(3), *seen(ACCOUNT, 7, 3)], NOW)

    assert judged.refusals == ()


def test_a_provisional_refusal_leaves_nothing_behind() -> None:
    approvals = Approvals(count=2)
    budget = ChangeBudget(approvals=approvals, account_map=ACCOUNT_MAP)
    provisional = budget.judge(str(ACCOUNT), changes(4), NOW, is_provisional=True)
    whole = budget.judge(str(ACCOUNT), [*changes(4), *seen(ACCOUNT, 10, 100)], NOW)

    assert len(provisional.refusals) == 1
    assert len(provisional.refused) == 4
    assert whole.refusals == ()
    assert budget.use.used == 0
    assert budget.standing == {}


# Approvals.


def commit(name: str, count: int, names: Iterable[str], made: datetime = NOW - HOUR) -> CommitApproval:
    return CommitApproval(name, made, count, frozenset(names))


A = commit("aaaaaaaaaaaa", 2, ["x", "y", "z"])
B = commit("bbbbbbbbbbbb", 2, ["x", "y", "z"])


def test_two_commits_that_approve_the_same_jobs_do_not_add_up() -> None:
    used = [UsedApproval(A.label, name, NOW - MINUTE) for name in ("x", "y")]

    assert approve(["z"], Approvals(commits=(A, B)), NOW, used) == {}
    assert approve(["x", "y", "z"], Approvals(commits=(A, B)), NOW) == {}


def test_what_one_commit_lets_pass_uses_up_another_one_that_approves_the_same_jobs() -> None:
    first = commit("aaaaaaaaaaaa", 2, ["x", "y"])

    assert approve(["x", "y", "z"], Approvals(commits=(first, B)), NOW) == dict.fromkeys(["x", "y"], first.label)


def test_a_commit_of_the_future_is_in_the_way_of_no_other() -> None:
    later = replace(A, made_at=NOW + HOUR)

    assert approve(["x"], Approvals(commits=(later, B)), NOW) == {"x": B.label}


def test_what_was_let_pass_before_a_commit_was_made_does_not_use_it_up() -> None:
    used = [UsedApproval(A.label, name, NOW - 2 * HOUR) for name in ("x", "y")]

    assert approve(["x", "z"], Approvals(commits=(B,)), NOW, used) == dict.fromkeys(["x", "z"], B.label)


@pytest.mark.parametrize(("ahead", "is_approved"), [(-SECOND, True), (0 * SECOND, True), (SECOND, False)])
def test_a_commit_of_the_future_approves_nothing_yet(ahead: timedelta, *, is_approved: bool) -> None:
    later = replace(A, made_at=NOW + ahead)

    assert bool(approve(["x"], Approvals(commits=(later,)), NOW)) == is_approved


def test_an_approval_is_used_up_by_what_the_journal_tells_of() -> None:
    used = PastAttempts(
        journal=tuple(requested(number, name=name, approved_by=A.label) for number, name in enumerate("xy"))
    )
    budget = ChangeBudget(ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(commits=(A,)), used, account_map=ACCOUNT_MAP)
    judged = budget.judge(str(ACCOUNT), [replace(change(9), name="z")], NOW)

    assert judged.refused == {"z"}


# What was lost.


def left(count: int, **rest: Any) -> KnownStatuses:
    return KnownStatuses(marks=marks_of(told(number) for number in range(count)), **rest)


@pytest.mark.parametrize(("gone", "is_doubt"), [(0, False), (3, False), (4, True), (12, True)])
def test_statuses_that_are_lost_in_number_are_a_doubt_and_a_few_are_none(gone: int, *, is_doubt: bool) -> None:
    known, marks = left(12), marks_of(told(number) for number in range(gone, 12))
    lost = lost_since(known, marks, (), NOW)

    assert (why_uncountable(lost, known, ChangeLimits()) is not None) == is_doubt


def test_what_is_lost_is_lost_for_an_hour_and_what_is_back_as_it_was_is_not() -> None:
    known = left(4)
    lost = lost_since(known, {}, (), NOW)
    fresh = marks_of(told(number, age=SECOND) for number in range(4))
    later = KnownStatuses(marks=fresh, lost=lost)

    assert lost_since(later, fresh, (), NOW + 59 * MINUTE) == lost
    assert lost_since(later, fresh, (), NOW + HOUR) == {}
    assert lost_since(later, known.marks, (), NOW + MINUTE) == {}


def test_what_could_not_be_read_for_a_moment_is_not_lost_and_make_believe_is_no_loss() -> None:
    assert lost_since(left(4), {}, {f"job-{number:03}" for number in range(4)}, NOW) == {}
    assert marks_of([told(0, SANDBOX)]) == {}


def test_a_doubt_lets_nothing_pass_but_what_a_person_allows() -> None:
    doubted = ChangeBudget(account_map=ACCOUNT_MAP, doubts={EVERYWHERE: "why"})
    allowed = replace(doubted, approvals=Approvals(count=1))

    assert doubted.judge(str(ACCOUNT), changes(1), NOW).refused == {"job-000"}
    assert allowed.judge(str(ACCOUNT), changes(1), NOW).refusals == ()


def test_a_doubt_about_one_account_holds_back_that_one_and_is_told_of_it() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP, doubts={str(ACCOUNT): "why"})
    doubted, other = (
        budget.judge(str(each), changes(1, each, start), NOW) for each, start in ((ACCOUNT, 0), (ELSEWHERE, 1))
    )

    assert [(each.scope, each.doubt) for each in doubted.refusals] == [(str(ACCOUNT), "why")]
    assert other.refusals == ()


def test_a_doubt_says_how_many_are_lost_and_until_when_that_counts() -> None:
    known = left(4)
    doubt = why_uncountable(lost_since(known, {}, (), NOW), known, ChangeLimits())

    assert doubt == (
        "4 of 4 statuses were deleted or damaged since they were written; restore them, wait until "
        f"{render_instant(NOW + HOUR)}, or run once with --allow-cancels or --allow-cancel"
    )
