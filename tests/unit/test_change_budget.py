"""Which first attempts are counted in which scope, and which records of them are trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from reconciler.core.approval_use import ApprovalUse
from reconciler.core.change_budget import EVERYWHERE, ChangeBudget, UnwrittenBatch
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
from tests.support.attempt_counts import counts
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
    """Return a status with the receipt of a completed cancel."""
    facts = JobFacts(account=str(account), id=f"ftjob-{number}", provider_status="cancelled")
    receipt = a_receipt(age=age, outcome=Outcome.CANCELLED, **rest)
    return replace(a_status(f"job-{number:03}"), job=facts, receipts=(receipt,))


# Scopes.


def test_accounts_with_one_credential_share_its_scope_and_sandbox_accounts_do_not() -> None:
    found = {(one, other): _counts(one, other) for one, other in product(LINES, repeat=2)}
    shared = {pair for pair, extents in found.items() if Extent.CREDENTIAL in extents}

    assert all(Extent.ACCOUNT in extents for (one, other), extents in found.items() if one == other)
    assert all(Extent.ACCOUNT not in extents for (one, other), extents in found.items() if one != other)
    assert shared == {*product(LINES[:2], repeat=2), (LINES[2], LINES[2])}
    assert {pair for pair, extents in found.items() if Extent.OVERALL in extents} == {*product(LINES[:3], repeat=2)}
    assert {pair for pair, extents in found.items() if Extent.KIND in extents} == {*product(LINES[:3], repeat=2)}
    assert found[LINES[3], LINES[3]] == {Extent.ACCOUNT}


def _counts(done: str, judged: str) -> set[Extent]:
    """Return the scopes of the account `judged` in which a change in the account `done` is counted."""
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
def test_an_account_without_a_document_is_counted_with_the_credentials_of_its_host(
    line: str, *, is_counted: bool
) -> None:
    assert ACCOUNT_MAP.is_in(line, Scope(Extent.CREDENTIAL, str(KEY))) == is_counted


def test_two_credentials_for_the_same_host_have_separate_scopes() -> None:
    other = Account("openai", "https://api.openai.com/v1", (("project", "other"),))
    account_map = AccountMap({str(ACCOUNT): KEY, str(other): CredentialScope(KEY.host, "OTHER_KEY")})

    assert not account_map.is_in(str(other), Scope(Extent.CREDENTIAL, str(KEY)))


def test_each_allowed_batch_is_counted_for_the_next_batch() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    judged = [budget.judge(str(ACCOUNT), changes(count, start=start), NOW) for count, start in ((2, 0), (1, 2), (1, 3))]

    assert [bool(each.refusals) for each in judged] == [False, False, True]
    assert judged[2].refusals[0].earlier == 3
    assert budget.standing == {"job-003": str(ACCOUNT)}


def test_an_allowed_batch_is_counted_by_later_passes_until_its_intents_are_written() -> None:
    unwritten: dict[str, UnwrittenBatch] = {}
    first = ChangeBudget(account_map=ACCOUNT_MAP, unwritten=unwritten)
    first.judge(str(ACCOUNT), changes(3), NOW)
    while_waiting = ChangeBudget(account_map=ACCOUNT_MAP, unwritten=unwritten)
    first.written(str(ACCOUNT))
    afterwards = ChangeBudget(account_map=ACCOUNT_MAP, unwritten=unwritten)
    judged = [each.judge(str(ALIAS), changes(1, ALIAS, 3), NOW) for each in (while_waiting, afterwards)]

    assert [each.refused for each in judged] == [{"job-003"}, frozenset()]
    assert judged[0].refusals[0].earlier == 3


def test_the_approval_of_a_commit_is_used_up_for_later_passes_before_its_intent_is_written() -> None:
    unwritten: dict[str, UnwrittenBatch] = {}
    strict, approvals = ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(commits=(A,))
    first = ChangeBudget(strict, approvals, account_map=ACCOUNT_MAP, unwritten=unwritten)
    first.judge(str(ACCOUNT), [replace(change(number), name=name) for number, name in enumerate("xy")], NOW)
    second = ChangeBudget(strict, approvals, account_map=ACCOUNT_MAP, unwritten=unwritten)

    assert second.judge(str(ALIAS), [replace(change(9, ALIAS), name="z")], NOW).refused == {"z"}


def test_attempts_that_unread_statuses_may_record_are_counted() -> None:
    judged = ChangeBudget(account_map=ACCOUNT_MAP, hidden=3).judge(str(ACCOUNT), changes(1), NOW)

    assert judged.refused == {"job-000"}
    assert judged.refusals[0].earlier == 3


def test_the_approval_of_a_commit_is_used_up_within_one_pass() -> None:
    budget = ChangeBudget(ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(commits=(A,)), account_map=ACCOUNT_MAP)
    first = budget.judge(str(ACCOUNT), [replace(change(number), name=name) for number, name in enumerate("xy")], NOW)
    second = budget.judge(str(ALIAS), [replace(change(9, ALIAS), name="z")], NOW)

    assert first.approved == dict.fromkeys("xy", A.label)
    assert second.refused == {"z"}


def test_the_number_of_allow_cancels_is_shared_by_all_accounts_of_a_run() -> None:
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
def test_an_approval_ends_when_a_receipt_is_opened_after_it(age: timedelta, by: str | None) -> None:
    use = ApprovalUse()
    use.grant(change(0), "--allow-cancels 2", NOW)

    assert use.granted(change(0, receipts=(a_receipt(age=age, outcome=Outcome.WITHDRAWN),))) == by


def test_a_request_that_is_approved_again_in_the_next_pass_uses_one_approval() -> None:
    use = ApprovalUse()
    for each in (change(0), change(0), change(1, verb=None)):
        use.grant(each, "--allow-cancels 2", NOW)

    assert use.used == 1


def test_a_job_observed_as_ended_is_not_counted_as_unfinished_by_its_status() -> None:
    running = replace(told(7), phase=Phase.RUNNING, final=False, receipts=())
    budget = ChangeBudget(
        past=PastAttempts(is_ours=True), claimed=(running, replace(running, job=None)), account_map=ACCOUNT_MAP
    )
    ended = change(7, verb=None, is_first=False, is_unfinished=False)
    judged = budget.judge(str(ACCOUNT), [*changes(4, start=20), ended], NOW)

    assert [each.unfinished for each in judged.refusals] == [4]


def test_accounts_with_the_same_credential_share_one_hourly_limit() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    first = budget.judge(str(ACCOUNT), changes(3), NOW)
    second = budget.judge(str(ALIAS), changes(3, ALIAS, 10), NOW)

    assert first.refusals == ()
    assert [each.scope for each in second.refusals] == [str(KEY)]
    assert second.refused == {"job-010", "job-011", "job-012"}


def test_attempts_in_another_account_of_the_credential_are_counted_from_every_source() -> None:
    by_journal = PastAttempts(journal=tuple(requested(number, ALIAS) for number in range(50, 53)))
    by_status = PastAttempts(tuple(told(number, ALIAS) for number in range(50, 53)))
    gone = Account("openai", "https://api.openai.com/v1", (("project", "gone"),))
    removed = PastAttempts(journal=tuple(requested(number, gone) for number in range(50, 53)))

    for past in (by_journal, by_status, removed):
        judged = ChangeBudget(past=past, account_map=ACCOUNT_MAP).judge(str(ACCOUNT), changes(1), NOW)

        assert [each.scope for each in judged.refusals] == [str(KEY)]


def test_sandbox_jobs_neither_raise_nor_use_up_the_limit_of_real_accounts() -> None:
    padding = [change(number, SANDBOX, verb=None, is_first=False) for number in range(100, 200)]
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    budget.judge(str(SANDBOX), padding, NOW)
    budget.judge(str(SANDBOX), changes(20, SANDBOX, 300), NOW)
    three = budget.judge(str(ACCOUNT), changes(3), NOW)
    more = budget.judge(str(ELSEWHERE), changes(1, ELSEWHERE, 10), NOW)

    assert three.refusals == ()
    assert [(each.scope, each.unfinished) for each in more.refusals] == [("overall", 4)]


def test_each_scope_has_its_own_limits_and_settings_can_only_lower_them() -> None:
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


def test_the_text_of_a_scope_says_which_accounts_it_includes() -> None:
    scopes = ACCOUNT_MAP.place(str(ACCOUNT)).scopes()

    assert [str(each) for each in scopes] == [str(ACCOUNT), str(KEY), "overall", "every FineTuningJob"]


def test_renaming_a_credential_does_not_change_the_overall_limits_and_those_of_kinds() -> None:
    limits = ScopedLimits(ChangeLimits(9, 9, 9), {FINE_TUNING.name: ChangeLimits(5, 5, 5)})

    assert limits.renamed({"B": "A"}) == limits


def test_the_stricter_limits_apply_if_a_credential_has_two_names() -> None:
    limits = ScopedLimits(
        credentials={"A": ChangeLimits(9, 10, 9), "B": ChangeLimits(5, 50, 5), "C": ChangeLimits(1, 1, 1)}
    )

    assert limits.renamed({"B": "A"}).credentials == {"A": ChangeLimits(5, 10, 5), "C": ChangeLimits(1, 1, 1)}


# Which receipts are trusted.

OPEN = a_receipt(age=3 * HOUR)


def again(**rest: Any) -> PlannedChange:
    """Return a change whose status records an open attempt."""
    return change(0, is_first=False, receipts=(OPEN,), **rest)


def test_an_open_receipt_that_the_journal_does_not_confirm_is_a_first_attempt() -> None:
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


def test_changes_with_forged_receipts_are_refused_as_one_batch() -> None:
    forged = [replace(again(), name=f"job-{number}", ref=JobRef(ACCOUNT, f"ftjob-{number}")) for number in range(30)]
    judged = ChangeBudget(account_map=ACCOUNT_MAP).judge(str(ACCOUNT), forged, NOW)

    assert len(judged.refused) == 30
    assert judged.refusals[0].requested == 30


@pytest.mark.parametrize("where", ["journal", "status", "both", "an older status"])
def test_an_attempt_that_several_sources_record_is_counted_once(where: str) -> None:
    journal = (requested(0),) if where in {"journal", "both"} else ()
    statuses = (told(0),) if where in {"status", "both"} else ()
    older = (told(0), told(0)) if where in {"an older status", "both"} else ()

    assert counts(PastAttempts(statuses, journal, older), (), NOW) == {str(ACCOUNT): 1}


def test_attempts_of_older_statuses_are_added_to_those_of_the_newest() -> None:
    newest, older = told(0), told(0, age=2 * MINUTE)

    assert counts(PastAttempts((newest,), older=(older,)), (), NOW) == {str(ACCOUNT): 2}


def test_a_forged_approval_or_time_in_a_status_does_not_reduce_the_count() -> None:
    journal = (requested(0), requested(1))
    approved = PastAttempts((told(0, approved_by="--allow-cancels 9"),), journal)
    dated_back = PastAttempts((told(0, age=DAY), told(1, age=DAY)), journal)

    assert counts(approved, (), NOW)[str(ACCOUNT)] == 2
    assert counts(dated_back, (), NOW)[str(ACCOUNT)] == 2


def test_earlier_records_of_a_change_in_the_batch_are_not_counted() -> None:
    left_over = PastAttempts(journal=(requested(0),))
    forged = change(0, is_first=False, receipts=(a_receipt(age=30 * MINUTE),))
    status = replace(told(0), receipts=forged.receipts)

    assert counts(left_over, [change(0)], NOW)[str(ACCOUNT)] == 0
    assert counts(left_over, [change(1)], NOW)[str(ACCOUNT)] == 1
    assert counts(PastAttempts((status,)), [forged], NOW)[str(ACCOUNT)] == 0
    assert counts(PastAttempts((status,)), [], NOW)[str(ACCOUNT)] == 1


def test_the_journal_keeps_attempts_that_are_counted_or_confirm_an_open_receipt() -> None:
    status = replace(told(0), receipts=(OPEN,))
    kept = (
        requested(0, age=3 * HOUR),
        requested(1, age=59 * MINUTE),
        requested(2, age=23 * HOUR, approved_by="Approve-Cancels 0123456789ab"),
    )
    gone = (requested(3, age=HOUR), requested(4, age=2 * MINUTE, approved_by="--allow-cancels 3"))

    assert still_counting((*kept, *gone), lambda: [status], NOW) == kept


def test_the_statuses_are_needed_only_for_attempts_that_are_no_longer_counted() -> None:
    calls: list[str] = []

    def statuses() -> list[JobStatus]:
        calls.append("read")
        return []

    counting, over = (requested(0), requested(1)), requested(2, age=2 * HOUR)

    assert still_counting(counting, statuses, NOW) == counting
    assert calls == []
    assert still_counting((*counting, over), statuses, NOW) == counting
    assert calls == ["read"]


# The percentage of unfinished jobs.


def seen(account: Account, count: int, start: int) -> list[PlannedChange]:
    return [change(number, account, verb=None, is_first=False) for number in range(start, start + count)]


def statuses(account: Account, count: int, start: int) -> tuple[JobStatus, ...]:
    return tuple(
        replace(told(number, account), phase=Phase.RUNNING, receipts=()) for number in range(start, start + count)
    )


def test_the_percentage_ignores_unfinished_jobs_that_only_untrusted_statuses_record() -> None:
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


def test_the_order_in_which_accounts_are_observed_does_not_cause_a_refusal() -> None:
    claimed = (*statuses(ACCOUNT, 10, 0), *statuses(ELSEWHERE, 10, 100))
    budget = ChangeBudget(claimed=claimed, account_map=ACCOUNT_MAP)
    budget.judge(str(ELSEWHERE), changes(3, ELSEWHERE, 100), NOW)
    judged = budget.judge(str(ACCOUNT), [*changes(3), *seen(ACCOUNT, 7, 3)], NOW)

    assert judged.refusals == ()


def test_the_account_that_is_observed_later_is_refused_with_the_number_that_the_pass_allowed_before() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    allowed = budget.judge(str(ELSEWHERE), changes(2, ELSEWHERE, 100), NOW)
    refused = budget.judge(str(ACCOUNT), changes(2), NOW)

    assert allowed.refusals == ()
    assert [str(each).partition(";")[0] for each in refused.refusals] == [
        "2 changes wanted at once, besides 2 allowed within the last hour: 100 % of 4 unfinished jobs (overall)"
    ]


def test_a_provisional_refusal_does_not_change_the_budget() -> None:
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


def test_the_numbers_of_two_commits_that_approve_the_same_jobs_are_not_added() -> None:
    used = [UsedApproval(A.label, name, NOW - MINUTE) for name in ("x", "y")]

    assert approve(["z"], Approvals(commits=(A, B)), NOW, used) == {}
    assert approve(["x", "y", "z"], Approvals(commits=(A, B)), NOW) == {}


def test_a_use_of_one_commit_also_uses_up_another_that_approves_the_same_jobs() -> None:
    first = commit("aaaaaaaaaaaa", 2, ["x", "y"])

    assert approve(["x", "y", "z"], Approvals(commits=(first, B)), NOW) == dict.fromkeys(["x", "y"], first.label)


def test_a_commit_dated_in_the_future_does_not_affect_other_approvals() -> None:
    later = replace(A, made_at=NOW + HOUR)

    assert approve(["x"], Approvals(commits=(later, B)), NOW) == {"x": B.label}


def test_an_approval_is_not_used_up_by_requests_from_before_its_commit() -> None:
    used = [UsedApproval(A.label, name, NOW - 2 * HOUR) for name in ("x", "y")]

    assert approve(["x", "z"], Approvals(commits=(B,)), NOW, used) == dict.fromkeys(["x", "z"], B.label)


@pytest.mark.parametrize(("ahead", "is_approved"), [(-SECOND, True), (0 * SECOND, True), (SECOND, False)])
def test_a_commit_dated_in_the_future_approves_no_change(ahead: timedelta, *, is_approved: bool) -> None:
    later = replace(A, made_at=NOW + ahead)

    assert bool(approve(["x"], Approvals(commits=(later,)), NOW)) == is_approved


def test_an_approval_is_used_up_by_attempts_in_the_journal() -> None:
    used = PastAttempts(
        journal=tuple(requested(number, name=name, approved_by=A.label) for number, name in enumerate("xy"))
    )
    budget = ChangeBudget(ScopedLimits(ChangeLimits(0, 0, 0)), Approvals(commits=(A,)), used, account_map=ACCOUNT_MAP)
    judged = budget.judge(str(ACCOUNT), [replace(change(9), name="z")], NOW)

    assert judged.refused == {"z"}


# Lost statuses.


def left(count: int, **rest: Any) -> KnownStatuses:
    return KnownStatuses(marks=marks_of(told(number) for number in range(count)), **rest)


@pytest.mark.parametrize(("gone", "is_doubt"), [(0, False), (3, False), (4, True), (12, True)])
def test_more_than_three_lost_statuses_make_the_count_doubtful(gone: int, *, is_doubt: bool) -> None:
    known, marks = left(12), marks_of(told(number) for number in range(gone, 12))
    lost = lost_since(known, marks, (), NOW)

    assert (why_uncountable(lost, known, ChangeLimits()) is not None) == is_doubt


def test_a_status_is_lost_for_an_hour_or_until_it_is_restored() -> None:
    known = left(4)
    lost = lost_since(known, {}, (), NOW)
    fresh = marks_of(told(number, age=SECOND) for number in range(4))
    later = KnownStatuses(marks=fresh, lost=lost)

    assert lost_since(later, fresh, (), NOW + 59 * MINUTE) == lost
    assert lost_since(later, fresh, (), NOW + HOUR) == {}
    assert lost_since(later, known.marks, (), NOW + MINUTE) == {}


def test_unreadable_statuses_and_those_of_sandbox_accounts_are_not_lost() -> None:
    assert lost_since(left(4), {}, {f"job-{number:03}" for number in range(4)}, NOW) == {}
    assert marks_of([told(0, SANDBOX)]) == {}


def test_a_doubtful_count_refuses_every_first_attempt_without_an_approval() -> None:
    doubted = ChangeBudget(account_map=ACCOUNT_MAP, doubts={EVERYWHERE: "why"})
    allowed = replace(doubted, approvals=Approvals(count=1))

    assert doubted.judge(str(ACCOUNT), changes(1), NOW).refused == {"job-000"}
    assert allowed.judge(str(ACCOUNT), changes(1), NOW).refusals == ()


def test_a_doubtful_count_of_one_account_does_not_affect_other_accounts() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP, doubts={str(ACCOUNT): "why"})
    doubted, other = (
        budget.judge(str(each), changes(1, each, start), NOW) for each, start in ((ACCOUNT, 0), (ELSEWHERE, 1))
    )

    assert [(each.scope, each.doubt) for each in doubted.refusals] == [(str(ACCOUNT), "why")]
    assert other.refusals == ()


def test_the_message_about_lost_statuses_states_their_number_and_when_the_doubt_ends() -> None:
    known = left(4)
    doubt = why_uncountable(lost_since(known, {}, (), NOW), known, ChangeLimits())

    assert doubt == (
        "4 of 4 statuses were deleted or damaged since they were written; restore them, wait until "
        f"{render_instant(NOW + HOUR)}, or run once with --allow-cancels N or --allow-cancel NAME"
    )


def test_the_use_of_the_limits_counts_the_last_hour_of_each_account_and_of_all() -> None:
    statuses = (told(1), told(2, ELSEWHERE), told(3, age=2 * HOUR))
    past = PastAttempts(statuses, (requested(4, age=2 * MINUTE),), is_ours=True)
    limits = ScopedLimits(ChangeLimits(max_cancels=9), credentials={"EU_KEY": ChangeLimits(1, 10, 2)})
    budget = ChangeBudget(limits=limits, past=past, account_map=ACCOUNT_MAP, doubts={str(SANDBOX): "unread"})
    before = budget.uses(NOW)
    budget.judge(str(ACCOUNT), changes(1, start=10), NOW)
    after = budget.uses(NOW)

    assert {line: (use.account, use.overall) for line, use in before.items()} == {
        str(ACCOUNT): (2, 3),
        str(ALIAS): (0, 3),
        str(ELSEWHERE): (1, 3),
        str(SANDBOX): (0, None),
    }
    assert before[str(ELSEWHERE)].max_cancels_absolute == 2
    assert [line for line, use in before.items() if use.doubt] == [str(SANDBOX)]
    assert (after[str(ACCOUNT)].account, after[str(ELSEWHERE)].overall) == (3, 4)
