"""When it is believed that a job is gone: every small account, and the edges of every number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from reconciler.core.absence import Doubt, KnownBefore, known_before, weigh
from reconciler.model.job import JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import HistoryEntry, JobFacts, JobStatus, Outcome
from tests.support.build import ACCOUNT, NOW
from tests.support.subjects import MINUTE, SECOND, a_past, a_receipt, a_subject

HOUR = timedelta(hours=1)
WAS = (None, Phase.RUNNING, Phase.SUCCEEDED, Phase.ABSENT)
"""How a job was last seen; None: never."""
IS = ("shown", "absent", "not observed")
JOBS = ("a", "b", "c")

Account = dict[str, tuple[Phase | None, str, bool]]
"""How each job was seen before and is now, and whether it may be gone because of us."""


def accounts() -> Iterator[Account]:
    """Yield every account of three jobs."""
    one = [(was, is_, ours) for was in WAS for is_ in IS for ours in (False, True) if not ours or was is Phase.RUNNING]
    yield from (dict(zip(JOBS, each, strict=True)) for each in product(one, repeat=len(JOBS)))


def before(account: Account, doubted_since_h: float | None = None) -> KnownBefore:
    return KnownBefore(
        phases={name: was for name, (was, _, _) in account.items() if was is not None},
        may_vanish=frozenset(name for name, (_, _, ours) in account.items() if ours),
        doubted_since=None if doubted_since_h is None else NOW - timedelta(hours=doubted_since_h),
    )


def weighed(account: Account, doubted_since_h: float | None = None, *, is_listed: bool = False) -> frozenset[str]:
    """Return what is doubted. Without `is_listed`, only a job that is shown is a witness."""
    absent = {name for name, (_, is_, _) in account.items() if is_ == "absent"}
    shown = {name for name, (_, is_, _) in account.items() if is_ == "shown"}
    was = before(account, doubted_since_h)
    doubt = weigh(absent, shown, was, NOW, has_witness=bool(shown) or is_listed)
    return doubt.absent if doubt else frozenset()


def test_only_what_is_absent_is_doubted() -> None:
    for account in accounts():
        assert all(account[name][1] == "absent" for name in weighed(account)), account


def test_without_a_witness_all_absences_are_doubted_once_one_job_that_ran_is_among_them() -> None:
    for account in accounts():
        absent = {name for name, (_, is_, _) in account.items() if is_ == "absent"}
        ran = any(account[name][0] is Phase.RUNNING and not account[name][2] for name in absent)
        if ran and not any(is_ == "shown" for _, is_, _ in account.values()):
            assert weighed(account) == absent, account


def test_with_a_witness_what_was_never_seen_and_what_we_ended_is_believed_to_be_gone() -> None:
    for account in accounts():
        for name in weighed(account, is_listed=True):
            assert account[name][0] is Phase.RUNNING, account
            assert not account[name][2], account


def test_with_a_witness_one_absence_that_nobody_expected_is_believed_and_two_of_three_are_not() -> None:
    for account in accounts():
        vanished = {
            name for name, (was, is_, ours) in account.items() if is_ == "absent" and was is Phase.RUNNING and not ours
        }
        assert weighed(account, is_listed=True) == (vanished if len(vanished) > 1 else frozenset()), account


def test_with_a_witness_nothing_is_doubted_for_longer_than_an_hour() -> None:
    for account in accounts():
        assert weighed(account, 1.0, is_listed=True) == frozenset()
        assert weighed(account, 0.999, is_listed=True) == weighed(account, is_listed=True)


def test_a_job_that_could_not_be_observed_changes_nothing_for_the_others() -> None:
    for account in accounts():
        for name in JOBS:
            was, is_, _ = account[name]
            if is_ == "not observed" and was is not Phase.RUNNING:
                rest = {other: seen for other, seen in account.items() if other != name}
                is_sole = before(rest).phases.keys() <= before(rest).may_vanish
                assert is_sole or weighed(rest) == weighed(account), account


def crowd(gone: int, of: int, *, lately: int = 0, unobserved: int = 0) -> Doubt | None:
    names = [f"job-{number}" for number in range(of + unobserved)]
    was = KnownBefore(phases=dict.fromkeys(names, Phase.RUNNING), lately_gone=lately)
    return weigh(names[:gone], names[gone:of], was, NOW, has_witness=True)


@pytest.mark.parametrize(
    ("gone", "of", "is_doubted"), [(1, 2, False), (2, 10, False), (2, 9, True), (3, 15, False), (3, 14, True)]
)
def test_a_crowd_is_two_and_more_than_a_fifth(gone: int, of: int, *, is_doubted: bool) -> None:
    assert (crowd(gone, of) is not None) == is_doubted


@pytest.mark.parametrize(("lately", "is_doubted"), [(0, False), (1, False), (2, True)])
def test_a_crowd_that_goes_one_by_one_is_one_too(lately: int, *, is_doubted: bool) -> None:
    assert (crowd(1, 10, lately=lately) is not None) == is_doubted


def test_a_doubt_is_told_with_the_numbers_of_the_whole_account() -> None:
    doubt = crowd(4, 6, unobserved=2)

    assert doubt is not None
    assert doubt.unobserved.reason is Reason.OBSERVATION_SUSPECT
    assert doubt.unobserved.is_transient is False
    assert doubt.unobserved.message == (
        "4 of 8 unfinished jobs disappeared at once, so the key, project or URL may be wrong; "
        "after an hour they are considered deleted"
    )


def test_without_a_witness_a_doubt_says_what_a_person_can_do() -> None:
    doubt = weigh({"a"}, (), KnownBefore(phases={"a": Phase.RUNNING}), NOW, has_witness=False)

    assert doubt is not None
    assert doubt.unobserved.message.endswith("; if they were deleted, remove their specs")


def test_without_a_witness_a_job_is_believed_to_be_gone_if_we_cancelled_it_and_no_other_was_ever_seen() -> None:
    ours = KnownBefore(phases={"a": Phase.RUNNING}, may_vanish=frozenset("a"))
    beside = KnownBefore(phases={"a": Phase.RUNNING, "b": Phase.SUCCEEDED}, may_vanish=frozenset("a"))

    assert weigh({"a"}, (), ours, NOW, has_witness=False) is None
    assert weigh({"a"}, (), beside, NOW, has_witness=False) is not None
    assert weigh({"never-seen"}, (), KnownBefore(), NOW, has_witness=False) is None


def gone_for(age: timedelta, outcome: Outcome | None = None) -> JobStatus:
    receipts = (a_receipt(age=HOUR, accepted_at=NOW - HOUR, outcome=outcome),) if outcome else ()
    status = a_past(a_subject(), Phase.ABSENT, *receipts, age=age, provider_status="running")
    return replace(status, history=(HistoryEntry(NOW - age, Phase.ABSENT, Reason.JOB_VANISHED),))


@pytest.mark.parametrize(
    ("status", "count"),
    [
        (gone_for(MINUTE), 1),
        (gone_for(HOUR - SECOND), 1),
        (gone_for(HOUR), 0),
        (gone_for(MINUTE, Outcome.GONE), 0),
        (replace(gone_for(MINUTE), job=JobFacts(account=str(ACCOUNT), id="a")), 0),
    ],
    ids=["a minute ago", "less than an hour ago", "an hour ago", "because of us", "never seen"],
)
def test_what_counts_as_lately_gone_is_of_the_last_hour_and_not_our_doing(status: JobStatus, count: int) -> None:
    assert known_before(ACCOUNT, [status], NOW).lately_gone == count


def test_of_an_account_only_its_own_jobs_and_doubts_are_recalled() -> None:
    elsewhere = replace(ACCOUNT, base_url="https://eu.api.openai.com/v1")
    asked = a_past(a_subject(), Phase.RUNNING, a_receipt(accepted_at=NOW))
    theirs = replace(asked, job=replace(asked.job, account=str(elsewhere), id="theirs")) if asked.job else asked
    never_seen = replace(asked, job=replace(asked.job, id="never-seen", provider_status=None)) if asked.job else asked
    doubted = [JobRef(ACCOUNT, "doubted"), JobRef(elsewhere, "doubted-elsewhere")]

    assert known_before(
        ACCOUNT, [asked, theirs, never_seen, replace(asked, job=None)], NOW, doubted=doubted
    ) == KnownBefore(
        phases={"ftjob-abc123": Phase.RUNNING},
        may_vanish=frozenset({"ftjob-abc123", "never-seen"}),
        doubted=frozenset({"doubted"}),
    )
    assert known_before(ACCOUNT, [a_past(a_subject(), Phase.RUNNING, a_receipt())], NOW).may_vanish == frozenset()
    assert known_before(ACCOUNT, [], NOW, doubted_since=NOW) == KnownBefore(doubted_since=NOW)
