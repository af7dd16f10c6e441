"""Jobs of two kinds in one account are two different sets of jobs, wherever they are found or counted by account."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.absence import known_before
from reconciler.core.change_budget import ChangeBudget
from reconciler.core.claim import Claim
from reconciler.core.duplicates import duplicates
from reconciler.core.match import match
from reconciler.core.past_attempts import PastAttempts, PlannedChange
from reconciler.core.scope import AccountMap
from reconciler.model.account_line import kind_of_line, without_kind
from reconciler.model.job import Account, CredentialScope, JobRef, Phase
from reconciler.model.journal import Requested
from reconciler.model.spec import spec_digest
from reconciler.model.status import JobFacts, Verb
from tests.support.build import ACCOUNT, NOW, a_spec, a_status

OTHERS = ACCOUNT.of_kind("BatchJob")
KEY = CredentialScope("api.openai.com:443", "OPENAI_API_KEY")
ACCOUNT_MAP = AccountMap({str(ACCOUNT): KEY, str(OTHERS): KEY})
HOUR = timedelta(hours=1)


def changes(count: int, account: Account, *, are_due: bool = True) -> list[PlannedChange]:
    verb = Verb.CANCEL if are_due else None
    return [
        PlannedChange(
            f"{account.kind}-{number}", JobRef(account, f"x{number}"), verb, is_first=are_due, is_unfinished=True
        )
        for number in range(count)
    ]


def test_an_account_names_its_kind_unless_it_has_fine_tuning_jobs() -> None:
    assert str(ACCOUNT) == "openai https://api.openai.com/v1"
    assert str(OTHERS) == "openai https://api.openai.com/v1 kind=BatchJob"
    assert [kind_of_line(str(each)) for each in (ACCOUNT, OTHERS)] == ["FineTuningJob", "BatchJob"]
    assert without_kind(str(OTHERS)) == str(ACCOUNT)


def test_two_kinds_of_job_in_one_account_share_only_the_account() -> None:
    assert ACCOUNT != OTHERS
    assert OTHERS.shared == ACCOUNT.shared == OTHERS.of_kind("FineTuningJob") == ACCOUNT
    assert JobRef(ACCOUNT, "x") != JobRef(OTHERS, "x")
    assert (JobRef(ACCOUNT, "x").kind, JobRef(OTHERS, "x").kind) == ("FineTuningJob", "BatchJob")


@pytest.mark.parametrize("scope", [(("kind", "BatchJob"),), (("world", "a kind=BatchJob"),)])
def test_no_option_of_an_account_can_name_another_kind(scope: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match="must not contain 'kind='"):
        Account("openai", "https://api.openai.com/v1", scope)


def test_a_spec_has_another_digest_for_a_job_of_another_kind() -> None:
    assert spec_digest(a_spec().spec, ACCOUNT) != spec_digest(a_spec().spec, OTHERS)


def test_two_specs_for_one_id_are_not_duplicates_if_their_kinds_differ() -> None:
    claims = [
        Claim(key, account.kind.lower(), "a.yaml", JobRef(account, "x"), (KEY, account.kind, "x"))
        for key, account in enumerate((ACCOUNT, OTHERS))
    ]

    assert duplicates(claims) == {}
    assert duplicates([*claims, replace(claims[0], key=2, name="again")]).keys() == {0, 2}


def test_a_spec_never_takes_the_status_of_a_job_of_another_kind_with_the_same_id() -> None:
    facts = JobFacts(account=str(ACCOUNT), id="x", provider_status="running")
    status = replace(a_status("trained"), job=facts, phase=Phase.RUNNING, final=False)
    by_job = match([Claim(0, "batch", "b.yaml", JobRef(OTHERS, "x"))], [status], NOW)
    by_name = match([Claim(0, "trained", "b.yaml", JobRef(OTHERS, "x"))], [status], NOW)

    assert (by_job.last, by_job.orphans) == ({}, (status,))
    assert (by_name.last[0].job, by_name.last[0].receipts, by_name.last[0].phase) == (None, (), Phase.UNKNOWN)


def test_what_is_known_of_an_account_leaves_out_jobs_of_another_kind() -> None:
    facts = JobFacts(account=str(OTHERS), id="x", provider_status="running")
    status = replace(a_status(), job=facts, phase=Phase.RUNNING)

    assert known_before(ACCOUNT, [status], NOW).phases == {}
    assert known_before(OTHERS, [status], NOW).phases == {"x": Phase.RUNNING}


def test_the_guard_refuses_to_cancel_all_fine_tuning_jobs_beside_many_batches() -> None:
    budget = ChangeBudget(account_map=ACCOUNT_MAP)
    idle = budget.judge(str(OTHERS), changes(500, OTHERS, are_due=False), NOW)
    judged = budget.judge(str(ACCOUNT), changes(10, ACCOUNT), NOW)

    assert idle.refusals == ()
    assert len(judged.refused) == 10
    assert judged.refusals[0].unfinished == 10


def test_the_guard_refuses_with_one_credential_whatever_the_names_of_its_accounts() -> None:
    aliases = [Account("openai", f"https://api.openai.com/{number}") for number in range(4)]
    places = AccountMap({str(each.of_kind(kind)): KEY for each in aliases for kind in ("FineTuningJob", "BatchJob")})
    budget = ChangeBudget(account_map=places)
    for each in aliases:
        budget.judge(str(each.of_kind("BatchJob")), changes(500, each.of_kind("BatchJob"), are_due=False), NOW)
    refused = [budget.judge(str(each), changes(3, each), NOW).refusals for each in aliases]

    assert [bool(each) for each in refused] == [False, True, True, True]
    assert refused[1][0].scope == str(KEY)


def test_cancelled_batches_do_not_use_up_what_an_hour_allows_for_fine_tuning_jobs() -> None:
    def cancelled(number: int) -> Requested:
        moment = NOW - HOUR / 2
        return Requested(
            name=f"b{number}",
            account=str(OTHERS),
            job_id=f"done{number}",
            verb=Verb.CANCEL,
            at=moment,
            receipt_at=moment,
        )

    past = PastAttempts(journal=tuple(map(cancelled, range(3))))
    budget = ChangeBudget(account_map=ACCOUNT_MAP, past=past)
    budget.judge(str(OTHERS), changes(10, OTHERS, are_due=False), NOW)
    again = budget.judge(str(OTHERS), changes(1, OTHERS), NOW)
    budget.judge(str(ACCOUNT), changes(10, ACCOUNT, are_due=False), NOW)
    trained = budget.judge(str(ACCOUNT), changes(3, ACCOUNT), NOW)

    assert again.refusals[0].scope == str(OTHERS)
    assert trained.refusals == ()
    assert [str(each) for each in ACCOUNT_MAP.place(str(OTHERS)).scopes()] == [
        str(OTHERS),
        f"every BatchJob at {KEY}",
        "overall",
        "every BatchJob",
    ]
