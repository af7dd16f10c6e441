from dataclasses import replace
from typing import Any

from reconciler.core.guard import count_earlier
from reconciler.core.match import Claim, Matched, duplicates, match
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HistoryEntry, JobFacts, JobStatus, Spent
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import DAY, HOUR, MINUTE, a_receipt

OTHER = Account("openai", "https://eu.api.openai.com/v1")


def claim(key: int, name: str, job: str | None, source: str = "bots.yaml", account: Account = ACCOUNT) -> Claim:
    return Claim(key, name, source, JobRef(account, job) if job else None)


def status(name: str, job: str | None, account: Account = ACCOUNT, **rest: Any) -> JobStatus:
    facts = JobFacts(account=str(account), id=job, provider_status="running") if job else None
    return replace(a_status(name), job=facts, receipts=(a_receipt(),), **rest)


def matched(claims: list[Claim], statuses: list[JobStatus]) -> Matched:
    return match(claims, statuses, NOW + DAY)


def test_a_renamed_and_moved_spec_keeps_its_status_and_receipts() -> None:
    old = status("old-name", "ftjob-1")
    found = matched([claim(0, "new-name", "ftjob-1", "elsewhere.yaml")], [old])

    assert found.last == {0: old}
    assert (found.orphans, found.superseded) == ((), (old,))


def test_what_a_rename_left_behind_is_superseded_by_what_stands_under_the_new_name() -> None:
    old, new = status("old-name", "ftjob-1"), status("new-name", "ftjob-1")
    found = matched([claim(0, "new-name", "ftjob-1")], [old, new])

    assert found.last == {0: new}
    assert (found.orphans, found.superseded) == ((), (old,))


def test_two_specs_that_swap_their_names_keep_their_own_jobs() -> None:
    one, two = status("one", "ftjob-1"), status("two", "ftjob-2")
    found = matched([claim(0, "two", "ftjob-1"), claim(1, "one", "ftjob-2")], [one, two])

    assert found.last == {0: one, 1: two}
    assert found.superseded == ()


def test_a_spec_that_names_another_job_starts_without_receipts_and_says_so() -> None:
    old = status("support", "ftjob-1", final=True)
    found = matched([claim(0, "support", "ftjob-2")], [old])
    last = found.last[0]

    assert (last.job, last.receipts, last.phase, last.final) == (None, (), Phase.UNKNOWN, False)
    assert last.history == (HistoryEntry(NOW + DAY, Phase.UNKNOWN, Reason.JOB_CHANGED), *old.history)
    assert found.orphans == ()


def test_what_the_guard_counts_of_a_job_outlives_that_its_spec_names_another() -> None:
    unapproved, by_commit = a_receipt(age=MINUTE), a_receipt(age=2 * HOUR, approved_by="Approve-Cancels 4be1f0c")
    old = replace(
        status("support", "ftjob-1"),
        receipts=(unapproved, by_commit, a_receipt(age=2 * HOUR), a_receipt(approved_by="--allow-cancels 9")),
        spent=(Spent("elsewhere", NOW - MINUTE), Spent("elsewhere", NOW - 2 * HOUR)),
    )
    found = match([claim(0, "support", "ftjob-2")], [old], NOW)

    assert found.last[0].receipts == ()
    assert found.last[0].spent == (
        Spent("elsewhere", NOW - MINUTE),
        Spent(str(ACCOUNT), unapproved.requested_at),
        Spent(str(ACCOUNT), by_commit.requested_at, "Approve-Cancels 4be1f0c"),
    )


def test_what_the_guard_counts_of_a_status_that_is_written_over_goes_on_under_its_name() -> None:
    over, mine = status("one", "ftjob-1"), status("two", "ftjob-2")
    found = match([claim(0, "one", "ftjob-2")], [over, mine], NOW)

    assert found.last[0].job == mine.job
    assert count_earlier(found.last.values(), NOW) == count_earlier([over, mine], NOW) == 2


def test_the_same_id_in_another_account_is_another_job() -> None:
    found = matched([claim(0, "support", "ftjob-1", account=OTHER)], [status("support", "ftjob-1")])

    assert found.last[0].history[0].reason is Reason.JOB_CHANGED


def test_a_status_that_knows_no_job_belongs_to_its_name() -> None:
    never_valid = status("support", None)
    found = matched([claim(0, "support", "ftjob-1")], [never_valid])

    assert found.last == {0: never_valid}


def test_a_spec_that_cannot_be_resolved_keeps_what_was_known_under_its_name() -> None:
    known = status("support", "ftjob-1")
    found = matched([claim(0, "support", None)], [known])

    assert found.last == {0: known}


def test_what_no_spec_claims_is_an_orphan() -> None:
    kept, left = status("kept", "ftjob-1"), status("left", "ftjob-2")
    found = matched([claim(0, "kept", "ftjob-1"), claim(1, "new", "ftjob-3")], [kept, left])

    assert found.last == {0: kept}
    assert found.orphans == (left,)


def test_one_status_belongs_to_one_spec_though_two_claim_its_job() -> None:
    known = status("one", "ftjob-1")
    found = matched([claim(0, "one", "ftjob-1"), claim(1, "two", "ftjob-1")], [known])

    assert found.last == {0: known}


def test_of_two_statuses_under_one_name_a_spec_takes_that_of_its_own_file() -> None:
    here, there = status("support", None, source="a.yaml"), status("support", None, source="b.yaml")
    found = matched([claim(0, "support", "ftjob-1", "b.yaml")], [here, there])

    assert found.last == {0: there}
    assert found.orphans == ()


def test_one_name_twice_puts_both_at_odds_and_nobody_else() -> None:
    claims = [claim(0, "same", "ftjob-1", "a.yaml"), claim(1, "same", "ftjob-2", "b.yaml"), claim(2, "own", "ftjob-3")]

    assert duplicates(claims) == {
        0: "the name 'same' stands twice; the other is in b.yaml",
        1: "the name 'same' stands twice; the other is in a.yaml",
    }


def test_one_job_named_twice_puts_both_at_odds() -> None:
    claims = [claim(0, "one", "ftjob-1"), claim(1, "two", "ftjob-1"), claim(2, "three", "ftjob-1", account=OTHER)]

    assert duplicates(claims) == {
        0: "the job ftjob-1 is named by another spec too: two",
        1: "the job ftjob-1 is named by another spec too: one",
    }


def test_specs_that_cannot_be_resolved_are_at_odds_with_nobody() -> None:
    assert duplicates([claim(0, "one", None), claim(1, "two", None)]) == {}
