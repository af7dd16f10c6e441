from dataclasses import dataclass, replace

import pytest

from reconciler.controller.observe import Observations
from reconciler.errors import Delivered, TransientError
from reconciler.model.job import JobRef, Observed, ObservedJob, Phase
from reconciler.model.reason import Reason
from tests.support.build import ACCOUNT
from tests.support.read_only_account import ReadOnlyAccount, account_of, looked, named, seen

DOWN = TransientError("no answer", delivered=Delivered.UNKNOWN)
OURS = "ftjob-0000"
"""A job whose cancel was accepted, so that it may be gone because of us."""


def let_go(known: dict[str, Phase], shown: ReadOnlyAccount, wanted: list[str] | None = None) -> Observations:
    return looked(shown, wanted or [OURS], {OURS: Phase.RUNNING, **known}, may_vanish=frozenset({OURS}))


def test_the_only_job_that_an_account_ever_had_may_be_gone_once_its_cancel_was_accepted() -> None:
    reader = account_of(0)
    found = let_go({}, reader)

    assert found.unobserved is None
    assert seen(found, OURS) == Observed(None)
    assert reader.asked == [OURS]


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.SUCCEEDED, Phase.CANCELLED])
def test_its_absence_is_not_believed_while_no_other_job_that_was_ever_seen_is_there(phase: Phase) -> None:
    found = let_go({"ftjob-0001": phase}, ReadOnlyAccount({}))

    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.OBSERVATION_SUSPECT


@pytest.mark.parametrize("wanted", [[OURS], [OURS, "ftjob-0001"]], ids=["looked at alone", "looked at with it"])
def test_its_absence_is_believed_where_another_job_is_still_there(wanted: list[str]) -> None:
    others = ReadOnlyAccount({"ftjob-0001": account_of(2).jobs["ftjob-0001"]})
    found = let_go({"ftjob-0001": Phase.RUNNING}, others, wanted)

    assert found.unobserved is None
    assert seen(found, OURS) == Observed(None)


def test_a_second_absence_needs_a_witness_as_the_first_one_did() -> None:
    found = looked(
        ReadOnlyAccount({}), [OURS], {OURS: Phase.ABSENT, "ftjob-0001": Phase.RUNNING}, may_vanish=frozenset({OURS})
    )

    assert found.unobserved is not None


def test_with_it_other_jobs_may_not_vanish() -> None:
    ids = named(0, 1, 2)
    found = looked(account_of(0), ids, dict.fromkeys(ids, Phase.RUNNING), may_vanish=frozenset({OURS}))

    assert found.unobserved is not None


def test_two_that_may_vanish_do_so_where_a_third_is_there() -> None:
    ids = named(0, 1, 2)
    found = looked(
        ReadOnlyAccount({ids[2]: account_of(3).jobs[ids[2]]}),
        ids,
        dict.fromkeys(ids, Phase.RUNNING),
        may_vanish=frozenset(ids[:2]),
    )

    assert found.unobserved is None


def with_an_end(shown: Phase, as_told: Phase | None = None, count: int = 30) -> tuple[Observations, ReadOnlyAccount]:
    """Look at many jobs beside one that has ended as cancelled, which a list shows otherwise."""
    reader = account_of(count)
    reader.jobs = {"ftjob-ended": ObservedJob(id="ftjob-ended", phase=shown, provider_status=str(shown)), **reader.jobs}
    if as_told is not None:
        reader = _Truthful(reader.jobs, truth=as_told)
    return looked(reader, named(*range(count)), ended={"ftjob-ended": Phase.CANCELLED}), reader


@dataclass
class _Truthful(ReadOnlyAccount):
    """A stale list, beside answers for one job that are true."""

    truth: Phase = Phase.RUNNING

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        job = await super().get_job(ref)
        return job and replace(job, phase=self.truth)


def test_a_list_row_that_denies_an_end_has_the_job_itself_asked_for() -> None:
    found, reader = with_an_end(Phase.RUNNING)

    assert reader.asked == ["page 1", "ftjob-ended"]
    assert seen(found, "ftjob-ended") == Observed(reader.jobs["ftjob-ended"])


def test_what_the_job_itself_says_counts_and_not_its_row() -> None:
    found, _ = with_an_end(Phase.RUNNING, as_told=Phase.CANCELLED)
    told = seen(found, "ftjob-ended")

    assert isinstance(told, Observed)
    assert told.job is not None
    assert told.job.phase is Phase.CANCELLED


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.UNKNOWN])
def test_a_row_that_does_not_deny_an_end_costs_nothing(phase: Phase) -> None:
    found, reader = with_an_end(phase)

    assert reader.asked == ["page 1"]
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.by_job


def test_a_few_jobs_are_not_listed_for_the_sake_of_one_that_has_ended() -> None:
    _, reader = with_an_end(Phase.RUNNING, count=3)

    assert sorted(reader.asked) == named(0, 1, 2)


def test_an_end_that_is_denied_and_cannot_be_asked_about_is_no_news() -> None:
    reader = account_of(30)
    reader.jobs["ftjob-ended"] = ObservedJob(id="ftjob-ended", phase=Phase.RUNNING, provider_status="running")
    reader.broken["ftjob-ended"] = DOWN
    found = looked(reader, named(*range(30)), ended={"ftjob-ended": Phase.CANCELLED})

    assert found.unobserved is None
    assert JobRef(ACCOUNT, "ftjob-ended") not in found.by_job


def test_a_list_that_denies_every_end_costs_twenty_requests_at_most() -> None:
    reader = account_of(130)
    over = dict.fromkeys(named(*range(30, 130)), Phase.SUCCEEDED)
    looked(reader, named(*range(30)), ended=over)

    assert len([each for each in reader.asked if not each.startswith("page")]) <= 20
