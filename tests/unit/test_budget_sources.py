"""What the change guard counts in a pass, from the journal, the statuses and the documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from reconciler.controller.budget_sources import PassBudget, budget_of
from reconciler.controller.run_options import ChangeRules, RunOptions
from reconciler.core.change_budget import ChangeBudget, Judged
from reconciler.core.guard import Approvals, ChangeLimits
from reconciler.core.losses import marks_of
from reconciler.core.past_attempts import PlannedChange
from reconciler.core.scope import ScopedLimits
from reconciler.model.action import CommitApproval
from reconciler.model.job import JobRef, Phase
from reconciler.model.journal import EarlierStatuses, KnownStatuses, LostStatus, Requested
from reconciler.model.money import Amount, Basis
from reconciler.model.price import Meter, Price
from reconciler.model.reason import Reason
from reconciler.model.status import HistoryEntry, JobStatus, Verb
from reconciler.model.sunk_cost import SunkCostLimit
from reconciler.ports import Snapshot, Unread
from tests.support.budget_worlds import DISK, UNREAD_FILE, budgeted, lost_world, names, nobody
from tests.support.build import ACCOUNT, NOW
from tests.support.documents import a_settings, located
from tests.support.in_memory import Notebook, Specs, Statuses, World
from tests.support.in_memory_accounts import SharedBranch
from tests.support.in_memory_operator import Operator
from tests.support.named_specs import a_named_spec, a_named_status, a_world, loaded
from tests.support.subjects import HOUR, MINUTE, a_receipt

UNREAD_FOLDER = Unread("team/", "Permission denied", "allow it to be read")


def judged(found: PassBudget, *names: str, line: str = str(ACCOUNT)) -> Judged:
    """Let the guard judge a first cancel of each of these jobs, which were just observed as running."""
    changes = [
        PlannedChange(name, JobRef(ACCOUNT, f"ftjob-{name}"), Verb.CANCEL, is_first=True, is_unfinished=True)
        for name in names
    ]
    return found.budget.judge(line, changes, NOW)


def an_attempt(name: str, age: timedelta = MINUTE) -> Requested:
    return Requested(
        name=name, account=str(ACCOUNT), job_id=f"ftjob-{name}", verb=Verb.CANCEL, at=NOW - age, receipt_at=NOW - age
    )


def why_not(found: PassBudget) -> str | None:
    """Return the doubt with which the guard refuses one first attempt, or None if it allows the attempt."""
    refusals = judged(found, "a").refusals
    return refusals[0].doubt if refusals else None


# What counts


def test_attempts_that_only_the_journal_records_are_counted() -> None:
    world = a_world("a")
    world.journal = Notebook(attempts=tuple(map(an_attempt, names(3))))

    assert judged(budgeted(World(specs=world.specs)), "a").refused == frozenset()
    assert judged(budgeted(world), "a").refused == {"a"}


def test_attempts_that_only_statuses_record_are_counted() -> None:
    asked = [a_named_status(name, receipts=(a_receipt(age=MINUTE),)) for name in names(3)]
    world = a_world("a", *names(3), statuses=Statuses.of(*asked))

    assert judged(budgeted(world), "a").refused == {"a"}


def test_attempts_that_only_older_statuses_record_are_counted() -> None:
    older = EarlierStatuses(tuple(a_named_status(name, receipts=(a_receipt(age=MINUTE),)) for name in names(3)))

    assert judged(budgeted(a_world("a"), older=older), "a").refused == {"a"}


def test_a_receipt_is_trusted_only_on_a_dedicated_status_branch() -> None:
    asked = a_named_status("a", receipts=(a_receipt(age=HOUR),))
    change = PlannedChange("a", JobRef(ACCOUNT, "ftjob-a"), Verb.CANCEL, receipts=asked.receipts)
    world = a_world("a", statuses=Statuses.of(asked))

    assert not budgeted(world, publisher=SharedBranch(is_dedicated=True)).budget.past.is_first_attempt(change)
    assert budgeted(world, publisher=SharedBranch()).budget.past.is_first_attempt(change)
    assert budgeted(world).budget.past.is_first_attempt(change)


def test_the_percentage_is_of_jobs_with_a_valid_spec_and_a_record_as_unfinished() -> None:
    statuses = [a_named_status(name) for name in (*names(20), "no-spec")]
    world = a_world("a", *names(20), statuses=Statuses.of(*statuses))
    world.journal.statuses = KnownStatuses(
        marks=marks_of(statuses), unfinished={name: (str(ACCOUNT), f"ftjob-{name}") for name in (*names(20), "no-spec")}
    )
    found = budgeted(world)
    ten = judged(found, *(f"new-{number}" for number in range(10)))

    assert {each.name for each in found.budget.claimed} == set(names(20))
    assert [each.unfinished for each in ten.refusals] == [30]


def test_an_invalid_spec_does_not_raise_the_change_budget() -> None:
    world = World(
        specs=Specs(Snapshot(jobs=(a_named_spec("a", jobId="../x"),))), statuses=Statuses.of(a_named_status("a"))
    )

    assert budgeted(world).budget.claimed == ()


def test_an_account_belongs_to_four_scopes_including_that_of_its_credential() -> None:
    found = budgeted(a_world("a"))

    assert [str(each) for each in found.budget.account_map.place(str(ACCOUNT)).scopes()] == [
        "openai https://api.openai.com/v1",
        "api.openai.com:443 with OPENAI_API_KEY",
        "overall",
        "every FineTuningJob",
    ]


# Limits and approvals


def test_settings_can_lower_but_not_raise_the_operators_limits() -> None:
    rules = ChangeRules(ScopedLimits(ChangeLimits(5, 50, 10)))
    settings = located(a_settings(safety={"maxCancels": "9", "maxCancelsAbsolute": "2"}))

    assert budgeted(a_world("a"), rules).budget.limits.everywhere == ChangeLimits(5, 50, 10)
    assert budgeted(a_world("a", settings=(settings,)), rules).budget.limits.everywhere == ChangeLimits(5, 50, 2)


def test_the_limit_of_a_credential_applies_to_another_name_of_the_same_secret() -> None:
    world = a_world("a")
    world.operator = Operator({"A_KEY": "secret", "B_KEY": "secret"}, speaks_of=("A_KEY", "B_KEY"))
    rules = ChangeRules(ScopedLimits(credentials={"B_KEY": ChangeLimits(1, 10, 1)}))

    assert budgeted(world, rules).budget.limits.credentials == {"A_KEY": ChangeLimits(1, 10, 1)}


def test_approvals_by_the_operator_and_by_commits_are_combined() -> None:
    commit = CommitApproval(commit="0123456789ab", count=1, names=frozenset({"b"}), made_at=NOW - HOUR)
    world = a_world("a", "b", approvals=(commit,))
    found = budgeted(world, ChangeRules(approvals=Approvals(names=frozenset({"a"}))))

    assert judged(found, "a", "b").approved == {"a": "--allow-cancel", "b": commit.label}


def test_a_dry_run_uses_up_no_approval_and_leaves_no_change_to_be_written() -> None:
    rules, before = ChangeRules(approvals=Approvals(names=frozenset({"a"}))), ChangeBudget()
    judged(budgeted(a_world("a"), rules, before, control=None), "a")
    after_dry = set(before.use.names), set(before.unwritten)
    judged(budgeted(a_world("a"), rules, before), "a")

    assert after_dry == (set(), set())
    assert (before.use.names, set(before.unwritten)) == ({"a"}, {str(ACCOUNT)})


# What was refused before


def refused_before(name: str) -> JobStatus:
    """Return the status of a job whose change the guard refused."""
    status = a_named_status(name)
    (ready,) = status.conditions
    return replace(status, conditions=(replace(ready, reason=Reason.REFUSED_BY_GUARD),))


@pytest.mark.parametrize(
    ("spec", "is_standing"),
    [
        ({}, True),
        ({"desiredState": "observed"}, False),
        ({"suspend": "true"}, False),
        ({"jobId": "../x"}, False),
    ],
    ids=["wanted still", "only observed by now", "suspended by now", "not valid by now"],
)
def test_a_refusal_persists_while_the_spec_still_requires_the_change(
    spec: dict[str, str], *, is_standing: bool
) -> None:
    world = World(
        specs=Specs(Snapshot(jobs=(a_named_spec("a", **spec), a_named_spec("other")))),
        statuses=Statuses.of(refused_before("a"), a_named_status("other")),
    )

    assert budgeted(world).budget.standing == ({"a": str(ACCOUNT)} if is_standing else {})


# What cancels cost

HOURLY = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("10.00"), "USD")
BY_COST = ChangeRules(ScopedLimits(ChangeLimits(9, 100, 9, SunkCostLimit(Decimal(25), "USD"))))


def priced(status: JobStatus, state: str = "cancelled") -> World:
    """Return a world with prices, in which a job that began two hours ago has this status."""
    assert status.job is not None
    facts = replace(status.job, created_at=NOW - 2 * HOUR, started_at=NOW - 2 * HOUR, finished_at=NOW)
    return World(
        specs=Specs(Snapshot(jobs=(a_named_spec("a", desiredState=state), a_named_spec("b")))),
        statuses=Statuses.of(replace(status, job=facts)),
        operator=replace(World().operator, listed=(HOURLY,)),
    )


def costly(found: PassBudget, cost: int) -> Judged:
    """Let the guard judge the first cancel of another job, which has cost this much."""
    amount = Amount(Decimal(cost), "USD", Basis.AT_MOST)
    job = JobRef(ACCOUNT, "ftjob-b")
    change = PlannedChange("b", job, Verb.CANCEL, is_first=True, is_unfinished=True, sunk_cost=amount)
    return found.budget.judge(str(ACCOUNT), [change], NOW)


@pytest.mark.parametrize(("state", "is_counted"), [("cancelled", True), ("paused", False)])
def test_the_cost_of_a_refused_cancel_counts_while_its_job_is_not_observed(state: str, *, is_counted: bool) -> None:
    found = budgeted(priced(refused_before("a"), state), BY_COST)

    assert costly(found, 5).refused == set()
    assert costly(budgeted(priced(refused_before("a"), state), BY_COST), 6).refused == ({"b"} if is_counted else set())


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.SUCCEEDED])
def test_in_shadow_mode_a_withheld_cancel_counts_what_its_job_has_cost(phase: Phase) -> None:
    entry = HistoryEntry(NOW - MINUTE, Phase.RUNNING, Reason.WOULD_CANCEL)
    world = priced(a_named_status("a", phase=phase, history=(entry,)))
    shadow = loaded(world, RunOptions(is_shadow=True))

    def fresh() -> PassBudget:
        return budget_of(shadow, BY_COST, ChangeBudget(), world.runtime(control=nobody))

    assert costly(fresh(), 5).refused == set()
    assert costly(fresh(), 6).refused == {"b"}


# Doubt


def test_an_unreadable_journal_is_an_error_and_all_first_attempts_are_refused() -> None:
    world = a_world("a")
    world.journal.broken = DISK
    found = budgeted(world)

    assert found.errors == ("/state/journal cannot be read: Permission denied",)
    assert found.known == KnownStatuses()
    assert why_not(found) == "/state/journal cannot be read: Permission denied"


def test_first_attempts_are_refused_if_the_git_history_is_incomplete() -> None:
    assert (
        why_not(budgeted(a_world("a"), older=EarlierStatuses(doubt="the clone is shallow"))) == "the clone is shallow"
    )


def test_without_a_journal_a_first_attempt_is_allowed_and_there_is_no_error() -> None:
    found = budgeted(a_world("a"), journal=None)

    assert (found.known, found.errors, why_not(found)) == (KnownStatuses(), (), None)


def test_an_unreadable_status_blocks_its_own_account_and_is_counted_in_others() -> None:
    found = budgeted(a_world("a", "b", statuses=Statuses.of(unread=(UNREAD_FILE,))))
    other = judged(found, "x", line="openai https://eu.example/v1")

    assert why_not(found) == "specs/status/b.yaml cannot be read"
    assert [(each.doubt, each.earlier) for each in other.refusals] == [(None, 5)]


def test_first_attempts_are_refused_if_many_statuses_were_lost() -> None:
    found = budgeted(lost_world(*names(4)))

    assert found.lost == dict.fromkeys(names(4), LostStatus(NOW, "0badcafe"))
    assert str(why_not(found)).startswith("4 of 4 statuses were deleted or damaged since they were written")


def test_two_lost_statuses_do_not_cause_a_refusal() -> None:
    found = budgeted(lost_world(*names(2)))

    assert set(found.lost) == set(names(2))
    assert why_not(found) is None


@pytest.mark.parametrize(
    "rest",
    [
        {"unread": (Unread("job-0.yaml", "Permission denied", ""),)},
        {"unread": (UNREAD_FOLDER,)},
        {"too_new": ("team/job-0.yaml",)},
    ],
    ids=["it cannot be read", "its folder may be the one that cannot be read", "a later version wrote it"],
)
def test_a_status_that_may_exist_but_cannot_be_read_is_not_lost(rest: dict[str, Any]) -> None:
    assert budgeted(lost_world("job-0", **rest)).lost == {}
