"""When an absent job is believed to be gone: every account of three jobs, and the limits of every number."""

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
"""The phase in which a job was last seen; None if it was never seen."""
IS = ("shown", "absent", "not observed")
JOBS = ("a", "b", "c")

Account = dict[str, tuple[Phase | None, str, bool]]
"""For each job: the phase last seen, what is observed now, and whether a cancel from reconcile may have ended it."""


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
    """Return the jobs whose absence is doubted. Without `is_listed`, only a job that is shown is a witness."""
    absent = {name for name, (_, is_, _) in account.items() if is_ == "absent"}
    shown = {name for name, (_, is_, _) in account.items() if is_ == "shown"}
    was = before(account, doubted_since_h)
    doubt = weigh(absent, shown, was, NOW, has_witness=bool(shown) or is_listed)
    return doubt.absent if doubt else frozenset()


def test_only_absent_jobs_are_doubted() -> None:
    for account in accounts():
        assert all(account[name][1] == "absent" for name in weighed(account)), account


def test_without_a_witness_one_vanished_running_job_casts_doubt_on_all_absences() -> None:
    for account in accounts():
        absent = {name for name, (_, is_, _) in account.items() if is_ == "absent"}
        ran = any(account[name][0] is Phase.RUNNING and not account[name][2] for name in absent)
        if ran and not any(is_ == "shown" for _, is_, _ in account.values()):
            assert weighed(account) == absent, account


def test_with_a_witness_only_running_jobs_that_reconcile_did_not_cancel_are_doubted() -> None:
    for account in accounts():
        for name in weighed(account, is_listed=True):
            assert account[name][0] is Phase.RUNNING, account
            assert not account[name][2], account


def test_with_a_witness_one_vanished_job_is_believed_gone_but_two_of_three_are_doubted() -> None:
    for account in accounts():
        vanished = {
            name for name, (was, is_, ours) in account.items() if is_ == "absent" and was is Phase.RUNNING and not ours
        }
        assert weighed(account, is_listed=True) == (vanished if len(vanished) > 1 else frozenset()), account


def test_with_a_witness_a_doubt_ends_after_one_hour() -> None:
    for account in accounts():
        assert weighed(account, 1.0, is_listed=True) == frozenset()
        assert weighed(account, 0.999, is_listed=True) == weighed(account, is_listed=True)


def test_an_unobserved_job_does_not_affect_the_doubt_about_other_jobs() -> None:
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
def test_a_mass_disappearance_is_at_least_two_jobs_and_over_20_percent(gone: int, of: int, *, is_doubted: bool) -> None:
    assert (crowd(gone, of) is not None) == is_doubted


@pytest.mark.parametrize(("lately", "is_doubted"), [(0, False), (1, False), (2, True)])
def test_jobs_that_vanish_one_by_one_within_an_hour_are_a_mass_disappearance(lately: int, *, is_doubted: bool) -> None:
    assert (crowd(1, 10, lately=lately) is not None) == is_doubted


def test_the_message_of_a_doubt_counts_all_unfinished_jobs_of_the_account() -> None:
    doubt = crowd(4, 6, unobserved=2)

    assert doubt is not None
    assert doubt.unobserved.reason is Reason.OBSERVATION_SUSPECT
    assert doubt.unobserved.is_transient is False
    assert doubt.unobserved.message == (
        "4 of 8 unfinished jobs are missing, so the key, project or URL may be wrong: check them; "
        "jobs that are still missing an hour after this was first reported are considered deleted"
    )


def test_without_a_witness_the_message_advises_to_remove_the_specs_of_deleted_jobs() -> None:
    doubt = weigh({"a"}, (), KnownBefore(phases={"a": Phase.RUNNING}), NOW, has_witness=False)

    assert doubt is not None
    assert doubt.unobserved.message.endswith("; if they were deleted, remove their specs")


def test_without_a_witness_an_absence_is_believed_if_the_only_known_job_was_cancelled() -> None:
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
def test_lately_gone_jobs_vanished_within_the_last_hour_and_not_by_a_cancel(status: JobStatus, count: int) -> None:
    assert known_before(ACCOUNT, [status], NOW).lately_gone == count


def test_the_known_jobs_and_doubts_of_an_account_exclude_those_of_other_accounts() -> None:
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
