from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.claim import Claim
from reconciler.core.duplicates import duplicates
from reconciler.core.match import Hidden, Matched, match
from reconciler.core.past_attempts import PastAttempts
from reconciler.model.job import Account, JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HistoryEntry, JobFacts, JobStatus, Outcome, RememberedAttempt
from tests.support.attempt_counts import counts
from tests.support.build import ACCOUNT, NOW, a_status
from tests.support.subjects import DAY, HOUR, MINUTE, a_receipt

OTHER = Account("openai", "https://eu.api.openai.com/v1")


def claim(key: int, name: str, job: str | None, source: str = "bots.yaml", account: Account = ACCOUNT) -> Claim:
    ref = JobRef(account, job) if job else None
    return Claim(key, name, source, ref, ref)


def status(name: str, job: str | None, account: Account = ACCOUNT, **rest: Any) -> JobStatus:
    facts = JobFacts(account=str(account), id=job, provider_status="running") if job else None
    return replace(a_status(name), job=facts, receipts=(a_receipt(),), **rest)


def counted(*statuses: JobStatus) -> int:
    """Return how many first attempts of the last hour the statuses record."""
    return sum(counts(PastAttempts(statuses), (), NOW).values())


def matched(claims: list[Claim], statuses: list[JobStatus]) -> Matched:
    return match(claims, statuses, NOW + DAY)


def test_a_renamed_and_moved_spec_keeps_its_status_and_receipts() -> None:
    old = status("old-name", "ftjob-1")
    found = matched([claim(0, "new-name", "ftjob-1", "elsewhere.yaml")], [old])

    assert found.last == {0: old}
    assert (found.orphans, found.superseded) == ((), (old,))


def test_a_status_under_the_old_name_is_superseded_by_the_one_under_the_new_name() -> None:
    old, new = status("old-name", "ftjob-1"), status("new-name", "ftjob-1")
    found = matched([claim(0, "new-name", "ftjob-1")], [old, new])

    assert found.last == {0: new}
    assert (found.orphans, found.superseded) == ((), (old,))


def test_receipts_under_a_name_that_no_spec_uses_are_merged_with_those_under_the_name_of_the_spec() -> None:
    earlier, later = a_receipt(age=2 * HOUR, outcome=Outcome.CANCELLED), a_receipt(age=HOUR)
    own, copy = status("one", "ftjob-1"), status("one-0a1b2c3d", "ftjob-1")
    found = matched(
        [claim(0, "one", "ftjob-1")], [replace(own, receipts=(earlier,)), replace(copy, receipts=(later, earlier))]
    )

    assert found.last[0].receipts == (later, earlier)
    assert [each.name for each in found.superseded if each.name != "one"] == ["one-0a1b2c3d"] * 2


def test_a_status_in_another_folder_changes_no_receipt_of_a_job() -> None:
    own, forged = status("one", "ftjob-1"), replace(status("other", "ftjob-1"), source="team/bots.yaml")
    forged = replace(forged, receipts=(a_receipt(age=-HOUR, attempts=5), *own.receipts))

    assert matched([claim(0, "one", "ftjob-1")], [own, forged]).last == {0: own}


def test_of_several_statuses_under_old_names_the_one_with_the_most_progress_is_taken() -> None:
    asked = a_receipt(age=HOUR)
    accepted = replace(asked, accepted_at=NOW)
    old, newer = (replace(status(name, "ftjob-1"), receipts=(each,)) for name, each in (("a", asked), ("b", accepted)))
    found = matched([claim(0, "one", "ftjob-1")], [old, newer])

    assert found.last[0] == newer


def test_two_specs_that_swap_their_names_keep_their_own_jobs() -> None:
    one, two = status("one", "ftjob-1"), status("two", "ftjob-2")
    found = matched([claim(0, "two", "ftjob-1"), claim(1, "one", "ftjob-2")], [one, two])

    assert found.last == {0: one, 1: two}
    assert found.superseded == ()


def test_a_spec_that_names_another_job_starts_without_receipts_and_records_why() -> None:
    old = status("support", "ftjob-1", final=True)
    found = matched([claim(0, "support", "ftjob-2")], [old])
    last = found.last[0]

    assert (last.job, last.receipts, last.phase, last.final) == (None, (), Phase.UNKNOWN, False)
    assert last.history == (HistoryEntry(NOW + DAY, Phase.UNKNOWN, Reason.JOB_CHANGED), *old.history)
    assert found.orphans == ()


def test_guarded_attempts_are_kept_when_a_spec_names_another_job() -> None:
    unapproved, by_commit = a_receipt(age=MINUTE), a_receipt(age=2 * HOUR, approved_by="Approve-Cancels 4be1f0c")
    old = replace(
        status("support", "ftjob-1"),
        receipts=(unapproved, by_commit, a_receipt(age=2 * HOUR), a_receipt(approved_by="--allow-cancels 9")),
        spent=(RememberedAttempt("elsewhere", NOW - MINUTE), RememberedAttempt("elsewhere", NOW - 2 * HOUR)),
    )
    found = match([claim(0, "support", "ftjob-2")], [old], NOW)

    assert found.last[0].receipts == ()
    assert found.last[0].spent == (
        RememberedAttempt("elsewhere", NOW - MINUTE),
        RememberedAttempt(str(ACCOUNT), unapproved.requested_at),
        RememberedAttempt(str(ACCOUNT), by_commit.requested_at, "Approve-Cancels 4be1f0c"),
    )


def test_guarded_attempts_of_an_overwritten_status_are_kept_under_its_name() -> None:
    over, mine = status("one", "ftjob-1"), status("two", "ftjob-2")
    found = match([claim(0, "one", "ftjob-2")], [over, mine], NOW)

    assert found.last[0].job == mine.job
    assert counted(*found.last.values()) == counted(over, mine) == 2


def test_the_same_id_in_another_account_is_another_job() -> None:
    found = matched([claim(0, "support", "ftjob-1", account=OTHER)], [status("support", "ftjob-1")])

    assert found.last[0].history[0].reason is Reason.JOB_CHANGED


def test_a_status_without_a_job_is_matched_by_its_name() -> None:
    never_valid = status("support", None)
    found = matched([claim(0, "support", "ftjob-1")], [never_valid])

    assert found.last == {0: never_valid}


def test_a_spec_that_cannot_be_resolved_keeps_the_status_of_its_name() -> None:
    known = status("support", "ftjob-1")
    found = matched([claim(0, "support", None)], [known])

    assert found.last == {0: known}


def test_a_status_that_no_spec_claims_is_an_orphan() -> None:
    kept, left = status("kept", "ftjob-1"), status("left", "ftjob-2")
    found = matched([claim(0, "kept", "ftjob-1"), claim(1, "new", "ftjob-3")], [kept, left])

    assert found.last == {0: kept}
    assert found.orphans == (left,)


def test_a_status_is_matched_to_only_one_of_two_specs_that_claim_its_job() -> None:
    known = status("one", "ftjob-1")
    found = matched([claim(0, "one", "ftjob-1"), claim(1, "two", "ftjob-1")], [known])

    assert found.last == {0: known}


def test_of_two_statuses_with_one_name_the_one_with_the_specs_source_is_matched() -> None:
    here, there = status("support", None, source="a.yaml"), status("support", None, source="b.yaml")
    found = matched([claim(0, "support", "ftjob-1", "b.yaml")], [here, there])

    assert found.last == {0: there}
    assert found.orphans == ()


def test_two_specs_with_the_same_name_are_both_reported_as_duplicates() -> None:
    claims = [claim(0, "same", "ftjob-1", "a.yaml"), claim(1, "same", "ftjob-2", "b.yaml"), claim(2, "own", "ftjob-3")]

    assert duplicates(claims) == {
        0: "the name 'same' is used more than once: also in b.yaml; rename all but one",
        1: "the name 'same' is used more than once: also in a.yaml; rename all but one",
    }


def test_two_specs_that_name_the_same_job_are_both_reported_as_duplicates() -> None:
    claims = [claim(0, "one", "ftjob-1"), claim(1, "two", "ftjob-1"), claim(2, "three", "ftjob-1", account=OTHER)]

    assert duplicates(claims) == {
        0: "another spec names the job ftjob-1 too: two; remove all but one",
        1: "another spec names the job ftjob-1 too: one; remove all but one",
    }


def test_specs_without_a_resolved_job_are_not_duplicates() -> None:
    assert duplicates([claim(0, "one", None), claim(1, "two", None)]) == {}


def test_an_unreadable_status_leaves_specs_that_have_a_status_known() -> None:
    read = status("other", "ftjob-2")
    claims = [claim(0, "support", "ftjob-1"), claim(1, "other", "ftjob-2")]
    found = match(claims, [read], NOW, hidden=Hidden(names=frozenset({"support"})))

    assert found.unknown == {0}
    assert found.last == {1: read}


def test_a_spec_without_a_status_is_unknown_while_some_status_is_unreadable() -> None:
    old = status("swapped", "ftjob-2")
    claims = [claim(0, "new", "ftjob-1"), claim(1, "swapped", "ftjob-3")]
    found = match(claims, [old], NOW, hidden=Hidden(names=frozenset({"support"})))

    assert found.unknown == {0, 1}


def test_an_unreadable_folder_makes_its_specs_and_those_without_a_status_unknown() -> None:
    here, there = status("here", "ftjob-1"), status("there", "ftjob-2")
    claims = [
        claim(0, "here", "ftjob-1", "team/bots.yaml"),
        claim(1, "there", "ftjob-2", "teams/bots.yaml"),
        claim(2, "new", "ftjob-3", "teams/new.yaml"),
    ]
    found = match(claims, [here, there], NOW, hidden=Hidden(folders=("team/",)))

    assert found.unknown == {0, 2}


def test_a_discarded_status_is_not_reported_as_lost_while_a_folder_is_unreadable() -> None:
    claims = [claim(0, "support", "ftjob-1")]
    found = match(claims, [], NOW, discarded=["support"], hidden=Hidden(folders=("",)))

    assert found.unknown == {0}
    assert not found.last


def test_one_job_named_through_two_aliases_of_an_account_is_a_duplicate() -> None:
    alias = Claim(1, "two", "bots.yaml", JobRef(OTHER, "ftjob-1"), JobRef(ACCOUNT, "ftjob-1"))

    assert duplicates([claim(0, "one", "ftjob-1"), alias]).keys() == {0, 1}


def outsider(key: int, name: str) -> Claim:
    return Claim(key, name, "other/x.yaml", None, None, may_claim=False)


def test_a_spec_not_allowed_to_use_its_account_is_not_a_duplicate_of_another() -> None:
    assert duplicates([outsider(0, "one"), claim(1, "one", "ftjob-1"), outsider(2, "one")]) == {}


def test_a_spec_not_allowed_to_use_its_account_claims_no_status_of_another_spec() -> None:
    of_another_job = status("one", "ftjob-0")
    found = matched([outsider(0, "one"), claim(1, "one", "ftjob-1")], [of_another_job])

    assert found.last.keys() == {1}


@pytest.mark.parametrize("job", [None, "ftjob-1"])
def test_a_status_stays_with_the_spec_in_its_file_if_another_has_the_same_name(job: str | None) -> None:
    mine = replace(status("one", "ftjob-1"), source="team/one.yaml")
    found = matched([claim(0, "one", job, "a/one.yaml"), claim(1, "one", job, "team/one.yaml")], [mine])

    assert found.last == {1: mine}


def test_a_spec_does_not_take_the_status_under_the_name_of_another_spec_of_that_job() -> None:
    mine = status("mine", "ftjob-1")
    found = matched([claim(0, "theirs", "ftjob-1"), claim(1, "mine", "ftjob-1")], [mine])

    assert found.last == {1: mine}


def test_the_message_for_many_duplicates_names_five_and_counts_the_rest() -> None:
    claims = [claim(number, f"bot-{number:02}", "ftjob-1", f"{number:02}.yaml") for number in range(20)]
    found = duplicates(claims)

    assert found[19] == (
        "another spec names the job ftjob-1 too: bot-00, bot-01, bot-02, bot-03, bot-04 and 14 more; remove all but one"
    )
    assert found[0] == (
        "another spec names the job ftjob-1 too: bot-01, bot-02, bot-03, bot-04, bot-05 and 14 more; remove all but one"
    )


def test_a_lost_status_is_replaced_by_one_that_records_the_loss() -> None:
    last = match([claim(0, "support", "ftjob-1", "team.yaml")], [], NOW, discarded=["support"]).last[0]

    assert (last.name, last.source) == ("support", "team.yaml")
    assert (last.ready.reason, last.ready.message) == (
        Reason.STATUS_DISCARDED,
        "the earlier status of the job was lost",
    )
    assert last.ready.last_transition_time == NOW
    assert last.history == (HistoryEntry(NOW, Phase.UNKNOWN, Reason.STATUS_DISCARDED),)


def test_a_lost_status_under_an_unused_name_may_be_that_of_any_spec_without_a_status() -> None:
    own = status("known", "ftjob-2")
    claims = [claim(0, "renamed", "ftjob-1"), claim(1, "known", "ftjob-2")]
    found = match(claims, [own], NOW, discarded=["unused"])

    assert found.last[0].ready.reason is Reason.STATUS_DISCARDED
    assert found.last[1] == own


def test_a_spec_without_a_status_does_not_end_the_matching_of_later_specs() -> None:
    known, renamed = status("known", "ftjob-1"), status("other", None)
    found = matched(
        [claim(0, "known", "ftjob-1"), claim(1, "none", "ftjob-2"), claim(2, "other", None)], [known, renamed]
    )

    assert found.last == {0: known, 2: renamed}


def test_a_status_matched_by_job_is_not_matched_again_by_name() -> None:
    one = status("one", "ftjob-1")
    found = matched([claim(0, "two", "ftjob-1"), claim(1, "one", "ftjob-9")], [one])

    assert found.last == {0: one}


@pytest.mark.parametrize(("count", "rest"), [(6, ""), (7, " and 1 more")])
def test_duplicates_beyond_the_first_five_are_only_counted(count: int, rest: str) -> None:
    claims = [claim(number, f"bot-{number}", "ftjob-1") for number in range(count)]

    assert duplicates(claims)[0] == (
        f"another spec names the job ftjob-1 too: bot-1, bot-2, bot-3, bot-4, bot-5{rest}; remove all but one"
    )


NAMES = st.sampled_from(["a", "b", "c"])
JOBS = st.sampled_from(["ftjob-a", "ftjob-b", "ftjob-c", None])
PAIRS = st.one_of(
    # Specs and statuses that belong together, which are the usual case, in any order.
    st.permutations([("a", "ftjob-a"), ("b", "ftjob-b"), ("c", "ftjob-c")]),
    st.lists(st.tuples(NAMES, JOBS), max_size=4),
)


@given(PAIRS, PAIRS)
def test_an_unrelated_status_changes_no_match(
    specs: list[tuple[str, str | None]], written: list[tuple[str, str | None]]
) -> None:
    claims = [claim(key, *spec) for key, spec in enumerate(specs)]
    statuses, stranger = [status(*each) for each in written], status("stranger", "ftjob-stranger")
    found, beside = matched(claims, statuses), matched(claims, [*statuses, stranger])

    assert beside == replace(found, orphans=(*found.orphans, stranger))
    assert [*found.last] == [*beside.last]
